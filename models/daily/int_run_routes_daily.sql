{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_name,
        -- the one place that says what users wanted
        coalesce(request_category, '(not set)') as request_category,
        coalesce(first_specialist, '(none)') as first_specialist,
        coalesce(path_signature, '(none)') as path_signature,
        is_final,
        is_successful,
        is_rerouted,
        regenerated_count,
        {{ plausible_duration('duration_ms') }} as plausible_duration_ms,
        cost_usd,
        known_cost_usd,
        price_status
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

)

select
    {{ rollup_key(['run_date', 'workflow_name', 'request_category', 'first_specialist', 'path_signature']) }} as run_routes_daily_key,
    run_date,
    workflow_name,
    request_category,
    first_specialist,
    path_signature,
    {{ disclosed_counts('is_final', 'not is_final') }},
    {{ count_where('is_final and is_successful') }} as successful_run_count,
    {{ count_where('is_final and is_successful is not null') }} as judged_run_count,
    {{ count_where('is_final and is_rerouted') }} as rerouted_run_count,
    {{ count_where('is_final and regenerated_count > 0') }} as regenerated_run_count,
    {{ count_where('is_final and cost_usd is not null') }} as costed_run_count,
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd,
    {{ usd_sum('case when is_final then cost_usd end') }} as ended_cost_usd,
    {{ count_where('is_final and plausible_duration_ms is not null') }} as timed_run_count,
    {{ bigint_sum('case when is_final then plausible_duration_ms end') }} as ended_duration_ms
from runs
group by
    run_date,
    workflow_name,
    request_category,
    first_specialist,
    path_signature
