{{ config(daily_rollup('session_date')) }}

with sessions as (

    select
        session_date,
        coalesce(agent_name, '(not set)') as agent_label,
        coalesce(canonical_model, model_name, '(none)') as model_label,
        started_at,
        ended_at
    from {{ ref('fct_agent_sessions') }}
    where {{ of_affected_days('session_date') }}

)

select
    {{ rollup_key(['session_date', 'agent_label', 'model_label']) }} as agent_sessions_daily_key,
    session_date,
    agent_label as agent_name,
    model_label as canonical_model,
    count(*) as session_count,
    min(coalesce(started_at, ended_at)) as first_seen_at,
    max(coalesce(ended_at, started_at)) as last_seen_at
from sessions
group by
    session_date,
    agent_label,
    model_label
