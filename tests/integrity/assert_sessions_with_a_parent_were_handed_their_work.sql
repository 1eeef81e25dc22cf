-- Every session with a parent has a handoff from it, and the handoffs of a run are as many as it says.
with runs as (

    select
        run_key,
        handoff_count
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_runs('last_event_at') }}

),

handoffs as (

    select
        run_key,
        count(*) as handoff_count,
        {{ count_where('not is_inferred') }} as named_count
    from {{ ref('fct_agent_handoffs') }}
    group by run_key

),

sessions as (

    select
        run_key,
        count(parent_agent_session_key) as named_count
    from {{ ref('fct_agent_sessions') }}
    where {{ of_tested_runs('ended_at') }}
    group by run_key

)

select runs.run_key
from runs
left join handoffs on runs.run_key = handoffs.run_key
left join sessions on runs.run_key = sessions.run_key
where
    runs.handoff_count != coalesce(handoffs.handoff_count, 0)
    or coalesce(handoffs.named_count, 0) != coalesce(sessions.named_count, 0)
