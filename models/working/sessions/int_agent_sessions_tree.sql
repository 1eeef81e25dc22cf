with sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

ancestors as (

    select * from {{ ref('int_agent_sessions_ancestors') }}

),

climbed as (

    select
        agent_session_key,
        ancestor_agent_session_key,
        distance,
        is_in_run,
        row_number() over (
            partition by agent_session_key order by distance desc, {{ key_order('ancestor_agent_session_key') }} asc
        ) as root_rank,
        max(distance) over (partition by agent_session_key) as depth,
        max(case when is_in_run then distance else 0 end) over (partition by agent_session_key) as depth_in_run
    from ancestors

),

roots as (

    select * from climbed
    where root_rank = 1

),

parents as (

    select * from climbed
    where distance = 1

),

-- a session that is its own ancestor's ancestor stands in a cycle
cyclic as (

    select distinct upward.agent_session_key as agent_session_key
    from ancestors as upward
    inner join ancestors as downward
        on
            upward.agent_session_key = downward.ancestor_agent_session_key
            and upward.ancestor_agent_session_key = downward.agent_session_key

),

numbered as (

    select
        sessions.agent_session_key as agent_session_key,
        sessions.run_key,
        parents.ancestor_agent_session_key as parent_agent_session_key,
        coalesce(not parents.is_in_run, false) as has_parent_in_other_run,
        coalesce(roots.ancestor_agent_session_key, sessions.agent_session_key) as root_agent_session_key,
        coalesce(roots.depth, 0) as depth,
        coalesce(roots.depth_in_run, 0) as depth_in_run,
        sessions.sent_parent_agent_session_id is not null
        and sessions.sent_parent_agent_session_id != coalesce(sessions.agent_session_id, '')
        and parents.ancestor_agent_session_key is null as has_unknown_parent,
        cyclic.agent_session_key is not null
        or coalesce(sessions.sent_parent_agent_session_id = sessions.agent_session_id, false) as has_parent_cycle,
        cast(
            row_number() over (
                partition by sessions.run_key
                order by
                    sessions.started_at nulls last,
                    sessions.ended_at nulls last,
                    {{ key_order('sessions.agent_session_key') }}
            ) as {{ dbt.type_bigint() }}
        ) as session_number
    from sessions
    left join parents on sessions.agent_session_key = parents.agent_session_key
    left join roots on sessions.agent_session_key = roots.agent_session_key
    left join cyclic on sessions.agent_session_key = cyclic.agent_session_key

)

select * from numbered
