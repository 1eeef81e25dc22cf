{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_label,
        coalesce(first_failing_agent, '(not set)') as agent_label,
        coalesce(first_failing_step_type, '(none)') as step_label,
        coalesce(first_failing_tool, '(none)') as tool_label,
        coalesce(failure_mode, '(none)') as failure_mode_label,
        coalesce(user_id, anonymous_id, '') as person_label,
        is_final,
        price_status,
        wasted_cost_usd,
        known_cost_usd,
        {{ plausible_duration('duration_ms') }} as lost_ms
    from {{ ref('fct_agent_runs') }}
    where
        run_status in ('error', 'timeout')
        and {{ of_affected_days('run_date') }}

)

select
    {{ rollup_key([
        'run_date', 'workflow_label', 'agent_label', 'step_label', 'tool_label', 'failure_mode_label', 'person_label'
    ]) }} as failed_runs_daily_key,
    run_date,
    workflow_label as workflow_name,
    agent_label as agent_name,
    step_label as step_type,
    tool_label as tool_name,
    failure_mode_label as failure_mode,
    nullif(person_label, '') as person_id,
    {{ disclosed_counts('is_final', 'not is_final') }},
    {{ usd_sum('wasted_cost_usd') }} as wasted_cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd,
    {{ bigint_sum('lost_ms') }} as lost_ms
from runs
group by
    run_date,
    workflow_label,
    agent_label,
    step_label,
    tool_label,
    failure_mode_label,
    person_label
