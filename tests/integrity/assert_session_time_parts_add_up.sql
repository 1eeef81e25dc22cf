select
    agent_session_key,
    duration_ms,
    llm_ms,
    tool_ms,
    other_ms
from {{ ref('fct_agent_sessions') }}
where
    {{ of_tested_days('session_date', ['fct_agent_sessions']) }}
    and (
        coalesce(llm_ms, 0) + coalesce(tool_ms, 0) + other_ms != duration_ms
        or {{ differs('(other_ms is null)', '(duration_ms is null or has_suspect_duration)') }}
    )
