with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

runs_daily as (

    select * from {{ ref('int_runs_daily') }}

),

patterns as (

    select
        runs_daily.workflow_name,
        runs_daily.request_category,
        runs_daily.input_method,
        runs_daily.prompt_length_bucket,
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        {{ bigint_sum('runs_daily.n_all') }} as n_all,
        {{ bigint_sum('runs_daily.n_used') }} as n_used,
        {{ bigint_sum('runs_daily.n_unfinished') }} as n_unfinished,
        {{ bigint_sum('runs_daily.n_unpriced') }} as n_unpriced,
        {{ bigint_sum('runs_daily.n_partial') }} as n_partial,
        {{ bigint_sum('runs_daily.failed_run_count') }} as failed_run_count,
        {{ bigint_sum('runs_daily.out_of_scope_count') }} as out_of_scope_count,
        {{ bigint_sum('runs_daily.costed_run_count') }} as costed_run_count,
        {{ usd_sum('runs_daily.ended_cost_usd') }} as ended_cost_usd,
        {{ usd_sum('runs_daily.cost_usd') }} as total_cost_usd,
        {{ usd_sum('runs_daily.known_cost_usd') }} as known_cost_usd
    from runs_daily
    cross join analysis_window
    where
        runs_daily.run_date >= analysis_window.window_start_date
        and runs_daily.run_date <= analysis_window.window_end_date
    group by
        runs_daily.workflow_name,
        runs_daily.request_category,
        runs_daily.input_method,
        runs_daily.prompt_length_bucket,
        analysis_window.window_start_date,
        analysis_window.window_end_date

),

compared as (

    select
        *,
        sum(failed_run_count) over (partition by workflow_name) as workflow_failed_run_count,
        sum(n_used) over (partition by workflow_name) as workflow_used_count
    from patterns

)

select
    {{ rollup_key(['workflow_name', 'request_category', 'input_method', 'prompt_length_bucket']) }} as input_patterns_key,
    workflow_name,
    request_category,
    input_method,
    prompt_length_bucket,
    window_start_date,
    window_end_date,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- outcomes
    n_all as run_count,
    failed_run_count,
    {{ ratio('failed_run_count', 'n_used') }} as failure_rate,
    {{ wilson_low('failed_run_count', 'n_used') }} as failure_rate_low,
    {{ wilson_high('failed_run_count', 'n_used') }} as failure_rate_high,
    {{ is_small_sample('n_used') }} as is_small_sample,
    {{ ratio('workflow_failed_run_count', 'workflow_used_count') }} as workflow_failure_rate,
    failed_run_count - n_used * ({{ ratio('workflow_failed_run_count', 'workflow_used_count') }}) as excess_failed_runs,
    out_of_scope_count,

    -- money
    costed_run_count,
    {{ to_usd(ratio('ended_cost_usd', 'costed_run_count')) }} as cost_per_run_usd,
    total_cost_usd,
    known_cost_usd
from compared
