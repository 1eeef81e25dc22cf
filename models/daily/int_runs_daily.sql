{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_label,
        coalesce(request_category, '(not set)') as category_label,
        coalesce(input_method, '(not set)') as input_label,
        case
            when prompt_length is null then '(not set)'
            when prompt_length < 100 then '0 to 99'
            when prompt_length < 500 then '100 to 499'
            when prompt_length < 2000 then '500 to 1999'
            when prompt_length < 8000 then '2000 to 7999'
            else '8000 or more'
        end as prompt_length_bucket,
        started_at,
        run_status,
        is_successful,
        is_final,
        failure_mode,
        failure_category,
        price_status,
        cost_usd,
        known_cost_usd
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

)

select
    {{ rollup_key(['run_date', 'workflow_label', 'category_label', 'input_label', 'prompt_length_bucket']) }} as runs_daily_key,
    run_date,
    workflow_label as workflow_name,
    category_label as request_category,
    input_label as input_method,
    prompt_length_bucket,
    {{ disclosed_counts('is_successful is not null', 'not is_final') }},
    {{ count_where("run_status in ('error', 'timeout')") }} as failed_run_count,
    {{ count_where("failure_category = 'input_validation' or failure_mode = 'model_refusal'") }} as out_of_scope_count,
    {{ count_where('is_final and cost_usd is not null') }} as costed_run_count,
    {{ usd_sum('case when is_final then cost_usd end') }} as ended_cost_usd,
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd,
    min(started_at) as first_started_at,
    max(started_at) as last_started_at
from runs
group by
    run_date,
    workflow_label,
    category_label,
    input_label,
    prompt_length_bucket
