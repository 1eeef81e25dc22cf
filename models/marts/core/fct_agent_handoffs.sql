{{ config(fact_by_run('handoff_date', 'handoff_key')) }}

with handoffs as (

    select * from {{ ref('int_agent_handoffs') }}

)

select
    handoff_key,
    run_key,
    conversation_id,
    from_agent_session_key,
    to_agent_session_key,
    from_agent,
    to_agent,
    handed_at,
    {{ reporting_date('handed_at') }} as handoff_date,
    gap_ms,
    target_status,
    is_inferred,
    is_cross_run
from handoffs
