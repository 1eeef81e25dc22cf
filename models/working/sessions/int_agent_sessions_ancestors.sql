{#- Every pair of a session and a session above it. The climb ends at the root, at a parent that is
    not known, or where it would come back to where it started. -#}
{%- set across_runs = key_of("'sessions with parents in other runs'") -%}

{{ with_recursive() }} sessions as (

    select
        agent_session_key,
        run_key,
        conversation_id,
        agent_session_id,
        sent_parent_agent_session_id
    from {{ ref('int_agent_sessions_assembled') }}
    where agent_session_id is not null

),

parents_in_run as (

    select
        children.agent_session_key as agent_session_key,
        children.run_key as run_key,
        parents.agent_session_key as parent_agent_session_key
    from sessions as children
    inner join sessions as parents
        on
            children.run_key = parents.run_key
            and children.sent_parent_agent_session_id = parents.agent_session_id
    where children.agent_session_key != parents.agent_session_key

),

-- sub-agents often open runs and conversations of their own
without_parent_in_run as (

    select
        sessions.agent_session_key as agent_session_key,
        sessions.run_key as run_key,
        sessions.conversation_id,
        sessions.sent_parent_agent_session_id as parent_agent_session_id
    from sessions
    left join parents_in_run on sessions.agent_session_key = parents_in_run.agent_session_key
    where
        sessions.sent_parent_agent_session_id is not null
        and sessions.sent_parent_agent_session_id != sessions.agent_session_id
        and parents_in_run.agent_session_key is null

),

-- the parent may be older than all runs of this build, so it is looked for among all events
known_sessions as (

    select distinct
        agent_session_key,
        run_key,
        conversation_id,
        agent_session_id
    from {{ ref('int_events') }}
    where
        event_disposition = 'accepted'
        and agent_session_id in (
            select without_parent_in_run.parent_agent_session_id from without_parent_in_run
        )

),

known_in_conversation as (

    select
        conversation_id,
        agent_session_id,
        {{ dbt.any_value('run_key') }} as run_key,
        {{ dbt.any_value('agent_session_key') }} as agent_session_key
    from known_sessions
    group by
        conversation_id,
        agent_session_id
    having count(*) = 1

),

known_once as (

    select
        agent_session_id,
        {{ dbt.any_value('run_key') }} as run_key,
        {{ dbt.any_value('agent_session_key') }} as agent_session_key
    from known_sessions
    group by agent_session_id
    having count(*) = 1

),

parents_in_other_runs as (

    select
        without_parent_in_run.agent_session_key as agent_session_key,
        without_parent_in_run.run_key as run_key,
        coalesce(known_in_conversation.agent_session_key, known_once.agent_session_key) as parent_agent_session_key,
        coalesce(known_in_conversation.run_key, known_once.run_key) as parent_run_key
    from without_parent_in_run
    left join known_in_conversation
        on
            without_parent_in_run.conversation_id = known_in_conversation.conversation_id
            and without_parent_in_run.parent_agent_session_id = known_in_conversation.agent_session_id
    left join known_once on without_parent_in_run.parent_agent_session_id = known_once.agent_session_id
    where coalesce(known_in_conversation.agent_session_key, known_once.agent_session_key) is not null

),

-- a climb stays in its group: its run, or all the runs that have a tie to another one
tied_runs as (

    select run_key from parents_in_other_runs
    union distinct
    select parent_run_key as run_key from parents_in_other_runs

),

links as (

    select
        case when tied_runs.run_key is null then parents_in_run.run_key else {{ across_runs }} end as lookup_group,
        parents_in_run.agent_session_key as node,
        parents_in_run.parent_agent_session_key as next_node,
        true as is_start
    from parents_in_run
    left join tied_runs on parents_in_run.run_key = tied_runs.run_key

    union all

    select
        {{ across_runs }} as lookup_group,
        agent_session_key as node,
        parent_agent_session_key as next_node,
        true as is_start
    from parents_in_other_runs

),

-- a cycle further up does not contain the start and would never end
{{ recursive_lookup('ancestors', 'links', maximum_distance=100) }},

pairs as (

    select
        lookup_group,
        start_node as agent_session_key,
        node as ancestor_agent_session_key,
        min(distance) as distance
    from ancestors
    group by
        lookup_group,
        start_node,
        node

),

pairs_across_runs as (

    select
        pairs.agent_session_key as agent_session_key,
        pairs.ancestor_agent_session_key,
        pairs.distance,
        -- above the first session of another run none is in the run any more
        min(case when parents_in_other_runs.agent_session_key is not null then pairs.distance end) over (
            partition by pairs.agent_session_key
        ) as last_distance_in_run,
        own_parents_in_other_runs.agent_session_key is not null as has_parent_in_other_run
    from pairs
    left join parents_in_other_runs
        on pairs.ancestor_agent_session_key = parents_in_other_runs.agent_session_key
    left join parents_in_other_runs as own_parents_in_other_runs
        on pairs.agent_session_key = own_parents_in_other_runs.agent_session_key
    where pairs.lookup_group = {{ across_runs }}

)

select
    agent_session_key,
    ancestor_agent_session_key,
    distance,
    true as is_in_run
from pairs
where lookup_group != {{ across_runs }}

union all

select
    agent_session_key,
    ancestor_agent_session_key,
    distance,
    not has_parent_in_other_run and distance <= coalesce(last_distance_in_run, distance) as is_in_run
from pairs_across_runs
