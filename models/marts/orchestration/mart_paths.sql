with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

days as (

    select * from {{ ref('int_run_routes_daily') }}

),

summed as (

    select
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        days.workflow_name,
        days.path_signature,
        {{ summed_counts('days') }},
        {{ bigint_sum('days.successful_run_count') }} as successful_run_count,
        {{ bigint_sum('days.judged_run_count') }} as judged_run_count,
        {{ bigint_sum('days.costed_run_count') }} as costed_run_count,
        {{ usd_sum('days.cost_usd') }} as cost_usd,
        {{ usd_sum('days.known_cost_usd') }} as known_cost_usd,
        {{ usd_sum('days.ended_cost_usd') }} as ended_cost_usd,
        {{ bigint_sum('days.timed_run_count') }} as timed_run_count,
        {{ bigint_sum('days.ended_duration_ms') }} as ended_duration_ms
    from days
    cross join analysis_window
    where {{ in_analysis_window('days.run_date') }}
    group by
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        days.workflow_name,
        days.path_signature

)

select
    {{ rollup_key(['workflow_name', 'path_signature']) }} as paths_key,
    workflow_name,
    path_signature,
    window_start_date,
    window_end_date,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- how often, and with what success
    n_all as run_count,
    cast(sum(n_all) over (partition by workflow_name) as {{ dbt.type_bigint() }}) as workflow_run_count,
    {{ ratio('n_all', 'sum(n_all) over (partition by workflow_name)') }} as run_share,
    successful_run_count,
    judged_run_count,
    {{ ratio('successful_run_count', 'judged_run_count') }} as success_rate,
    {{ wilson_low('successful_run_count', 'judged_run_count') }} as success_rate_low,
    {{ wilson_high('successful_run_count', 'judged_run_count') }} as success_rate_high,
    {{ is_small_sample('judged_run_count') }} as is_small_sample,

    -- money and time
    cost_usd,
    known_cost_usd,
    ended_cost_usd,
    costed_run_count,
    {{ to_usd(ratio('ended_cost_usd', 'costed_run_count')) }} as cost_per_run_usd,
    ended_duration_ms,
    timed_run_count,
    {{ ratio('ended_duration_ms', 'timed_run_count') }} as mean_duration_ms
from summed
