{#- Every pair of a session and a session above it. The climb ends at the root, at a parent that is
    not known, or where it would come back to where it started. -#}
with recursive sessions as (

    select
        agent_session_key,
        run_key,
        agent_session_id,
        sent_parent_agent_session_id
    from {{ ref('int_agent_sessions_assembled') }}
    where agent_session_id is not null

),

parents as (

    select
        children.agent_session_key,
        parents.agent_session_key as parent_agent_session_key
    from sessions as children
    inner join sessions as parents
        on
            children.run_key = parents.run_key
            and children.sent_parent_agent_session_id = parents.agent_session_id
    where children.agent_session_key != parents.agent_session_key

),

ancestors (agent_session_key, ancestor_agent_session_key, distance) as (

    select
        agent_session_key,
        parent_agent_session_key,
        1
    from parents

    union all

    select
        ancestors.agent_session_key,
        parents.parent_agent_session_key,
        ancestors.distance + 1
    from ancestors
    inner join parents
        on ancestors.ancestor_agent_session_key = parents.agent_session_key
    where
        parents.parent_agent_session_key != ancestors.agent_session_key
        -- a cycle further up does not contain the start and would never end
        and ancestors.distance < 100

)

select
    agent_session_key,
    ancestor_agent_session_key,
    min(distance) as distance
from ancestors
group by agent_session_key, ancestor_agent_session_key
