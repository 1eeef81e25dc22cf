{#- Every pair of a session and a session above it. The climb ends at the root, at a parent that is
    not known, or where it would come back to where it started. -#}
{{ with_recursive() }} sessions as (

    select
        agent_session_key,
        run_key,
        agent_session_id,
        sent_parent_agent_session_id
    from {{ ref('int_agent_sessions_assembled') }}
    where agent_session_id is not null

),

links as (

    select
        children.run_key as lookup_group,
        children.agent_session_key as node,
        parents.agent_session_key as next_node,
        true as is_start
    from sessions as children
    inner join sessions as parents
        on
            children.run_key = parents.run_key
            and children.sent_parent_agent_session_id = parents.agent_session_id
    where children.agent_session_key != parents.agent_session_key

),

-- a cycle further up does not contain the start and would never end
{{ recursive_lookup('ancestors', 'links', maximum_distance=100) }}

select
    start_node as agent_session_key,
    node as ancestor_agent_session_key,
    min(distance) as distance
from ancestors
group by
    start_node,
    node
