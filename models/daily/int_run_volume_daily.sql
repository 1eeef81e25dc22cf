{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_label,
        trigger_type,
        user_id,
        conversation_id,
        step_count,
        is_final,
        price_status
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

)

select
    {{ rollup_key(['run_date', 'workflow_label', 'trigger_type']) }} as run_volume_daily_key,
    run_date,
    workflow_label as workflow_name,
    trigger_type,
    {{ disclosed_counts('is_final', 'not is_final') }},
    count(distinct user_id) as active_user_count,
    count(user_id) as run_with_user_count,
    count(distinct conversation_id) as conversation_count,
    {{ bigint_sum('case when is_final then step_count end') }} as action_count,
    cast({{ percentile('case when is_final then step_count end', 0.5) }} as {{ type_double() }}) as p50_actions_per_run,
    cast({{ percentile('case when is_final then step_count end', 0.95) }} as {{ type_double() }}) as p95_actions_per_run,
    max(case when is_final then step_count end) as max_actions_per_run
from runs
group by
    run_date,
    workflow_label,
    trigger_type
