-- Money and counts that a run carries about its sessions and steps are theirs, neither more nor less.
with runs as (

    select * from {{ ref('fct_agent_runs') }}
    where {{ of_tested_runs('last_event_at') }}

),

sessions as (

    select
        run_key,
        count(*) as agent_session_count,
        count(distinct agent_name) as agent_count,
        {{ usd_sum('cost_usd') }} as sessions_cost_usd
    from {{ ref('fct_agent_sessions') }}
    where {{ of_tested_runs('ended_at') }}
    group by run_key

),

steps as (

    select
        run_key,
        count(*) as step_count,
        {{ count_where("step_type = 'llm_call'") }} as llm_call_count,
        {{ count_where("step_type = 'tool_call'") }} as tool_call_count,
        {{ count_where("step_status in ('error', 'timeout')") }} as failed_step_count,
        {{ count_where('is_retry') }} as retried_step_count,
        {{ count_where('is_silent_failure') }} as silent_failure_count,
        {{ usd_sum('cost_usd') }} as steps_cost_usd
    from {{ ref('fct_agent_steps') }}
    where {{ of_tested_runs('ended_at') }}
    group by run_key

)

select runs.run_key
from runs
left join sessions on runs.run_key = sessions.run_key
left join steps on runs.run_key = steps.run_key
where
    runs.agent_session_count != coalesce(sessions.agent_session_count, 0)
    or runs.agent_count != coalesce(sessions.agent_count, 0)
    or runs.step_count != coalesce(steps.step_count, 0)
    or runs.llm_call_count != coalesce(steps.llm_call_count, 0)
    or runs.tool_call_count != coalesce(steps.tool_call_count, 0)
    or runs.failed_step_count != coalesce(steps.failed_step_count, 0)
    or runs.retried_step_count != coalesce(steps.retried_step_count, 0)
    or runs.silent_failure_count != coalesce(steps.silent_failure_count, 0)
    or {{ differs('runs.sessions_cost_usd', 'sessions.sessions_cost_usd') }}
    or {{ differs('runs.steps_cost_usd', 'steps.steps_cost_usd') }}
    or {{ differs('runs.unexplained_cost_usd', 'runs.cost_usd - sessions.sessions_cost_usd') }}
