{#- Sessions without which the run would have ended earlier. Among siblings (same parent, or no
    parent) the one that ends last is on the path, then the one that ended last before it started,
    and so on back to the first; a child is on the path only when its parent is. A parent in another
    run counts as none. -#}
{%- set sibling_group -%}
case
            when tree.parent_agent_session_key is null or tree.has_parent_in_other_run then assembled.run_key
            else tree.parent_agent_session_key
        end
{%- endset -%}

{{ with_recursive() }} sessions as (

    select
        assembled.agent_session_key as agent_session_key,
        {{ sibling_group }} as sibling_group,
        tree.parent_agent_session_key,
        tree.depth,
        assembled.started_at,
        assembled.ended_at,
        cast(
            row_number() over (
                partition by {{ sibling_group }}
                order by
                    assembled.ended_at nulls last,
                    assembled.started_at nulls last,
                    {{ key_order('assembled.agent_session_key') }}
            ) as {{ dbt.type_bigint() }}
        ) as end_position,
        count(*) over (
            partition by {{ sibling_group }}
        ) as sibling_count
    from {{ ref('int_agent_sessions_assembled') }} as assembled
    inner join {{ ref('int_agent_sessions_tree') }} as tree
        on assembled.agent_session_key = tree.agent_session_key

),

-- A start looks back at the ends before it. At the same time the starts of sessions without length come
-- first, then the ends, then the other starts, so that no session comes before itself.
boundaries as (

    select
        agent_session_key,
        sibling_group,
        ended_at as boundary_at,
        1 as boundary_order,
        end_position,
        end_position as visible_end_position
    from sessions
    where sibling_count > 1

    union all

    select
        agent_session_key,
        sibling_group,
        started_at as boundary_at,
        case when started_at = ended_at then 0 else 2 end as boundary_order,
        end_position,
        cast(null as {{ dbt.type_bigint() }}) as visible_end_position
    from sessions
    where sibling_count > 1

),

looked_back as (

    select
        agent_session_key,
        sibling_group,
        boundary_order,
        end_position,
        max(visible_end_position) over (
            partition by sibling_group
            order by boundary_at nulls last, boundary_order
            rows between unbounded preceding and current row
        ) as previous_end_position
    from boundaries

),

last_positions as (

    select
        sibling_group,
        max(end_position) as end_position
    from looked_back
    where boundary_order != 1
    group by sibling_group

),

links as (

    select
        looked_back.sibling_group as lookup_group,
        looked_back.end_position as node,
        looked_back.previous_end_position as next_node,
        looked_back.end_position = last_positions.end_position as is_start
    from looked_back
    inner join last_positions on looked_back.sibling_group = last_positions.sibling_group
    where looked_back.boundary_order != 1

),

{{ recursive_lookup('links_followed', 'links') }},

chain as (

    select
        sibling_group,
        end_position
    from last_positions

    union all

    select
        lookup_group as sibling_group,
        node as end_position
    from links_followed

),

last_among_siblings as (

    select
        sessions.agent_session_key,
        sessions.sibling_count = 1 or chain.end_position is not null as is_in_chain
    from sessions
    left join chain
        on
            sessions.sibling_group = chain.sibling_group
            and sessions.end_position = chain.end_position

),

-- every session above must be in the chain of its own siblings
off_path as (

    select distinct ancestors.agent_session_key as agent_session_key
    from {{ ref('int_agent_sessions_ancestors') }} as ancestors
    inner join last_among_siblings
        on ancestors.ancestor_agent_session_key = last_among_siblings.agent_session_key
    where
        ancestors.is_in_run
        and not last_among_siblings.is_in_chain

)

select
    tree.agent_session_key as agent_session_key,
    tree.run_key,
    tree.parent_agent_session_key,
    tree.root_agent_session_key,
    tree.depth,
    tree.session_number,
    tree.has_unknown_parent,
    tree.has_parent_cycle,
    last_among_siblings.is_in_chain and off_path.agent_session_key is null as is_on_critical_path
from {{ ref('int_agent_sessions_tree') }} as tree
inner join last_among_siblings on tree.agent_session_key = last_among_siblings.agent_session_key
left join off_path on last_among_siblings.agent_session_key = off_path.agent_session_key
