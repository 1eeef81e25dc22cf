{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_date,
        coalesce(user_id, '') as user_label,
        coalesce(workflow_name, '(not set)') as workflow_label,
        trigger_type,
        plan_name,
        case
            when plan_name is not null then row_number() over (
                partition by run_date, user_id
                order by case when plan_name is null then 1 else 0 end, started_at desc nulls last, {{ key_order('run_key') }}
            )
        end as plan_rank,
        is_final,
        price_status,
        cost_usd,
        known_cost_usd,
        started_at
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

)

select
    {{ rollup_key(['run_date', 'user_label', 'workflow_label', 'trigger_type']) }} as users_daily_key,
    run_date,
    nullif(user_label, '') as user_id,
    workflow_label as workflow_name,
    trigger_type,
    -- the one that was sent last that day
    max(case when plan_rank = 1 then plan_name end) as plan_name,
    count(*) as run_count,
    {{ count_where('is_final') }} as final_run_count,
    {{ count_where("price_status = 'unpriced'") }} as unpriced_run_count,
    {{ count_where("price_status = 'partial'") }} as partial_run_count,
    min(started_at) as first_started_at,
    max(started_at) as last_started_at,
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd
from runs
group by
    run_date,
    user_label,
    workflow_label,
    trigger_type
