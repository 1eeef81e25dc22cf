with sessions as (

    select * from {{ ref('fct_agent_sessions') }}
    where {{ of_tested_runs('ended_at') }}

),

steps as (

    select
        agent_session_key,
        count(*) as step_count,
        {{ count_where("step_type = 'llm_call'") }} as llm_call_count,
        {{ count_where("step_type = 'tool_call'") }} as tool_call_count,
        {{ count_where("step_status in ('error', 'timeout')") }} as failed_step_count,
        {{ count_where('is_retry') }} as retried_step_count,
        {{ count_where('is_fallback') }} as fallback_step_count,
        sum(cost_usd) as steps_cost_usd,
        sum(case when step_type = 'llm_call' then {{ plausible_duration('duration_ms') }} end) as llm_ms,
        sum(case when step_type = 'tool_call' then {{ plausible_duration('duration_ms') }} end) as tool_ms
    from {{ ref('fct_agent_steps') }}
    where {{ of_tested_runs('ended_at') }}
    group by agent_session_key

)

select
    sessions.agent_session_key,
    steps.agent_session_key as key_in_steps
from sessions
full outer join steps on sessions.agent_session_key = steps.agent_session_key
where
    sessions.agent_session_key is null
    or sessions.step_count != coalesce(steps.step_count, 0)
    or sessions.llm_call_count != coalesce(steps.llm_call_count, 0)
    or sessions.tool_call_count != coalesce(steps.tool_call_count, 0)
    or sessions.failed_step_count != coalesce(steps.failed_step_count, 0)
    or sessions.retried_step_count != coalesce(steps.retried_step_count, 0)
    or sessions.fallback_step_count != coalesce(steps.fallback_step_count, 0)
    or {{ differs('sessions.steps_cost_usd', 'steps.steps_cost_usd') }}
    or {{ differs('sessions.llm_ms', 'steps.llm_ms') }}
    or {{ differs('sessions.tool_ms', 'steps.tool_ms') }}
