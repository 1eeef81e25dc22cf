with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

units as (

    select
        daily.workflow_name,
        daily.unit,
        daily.unit_number,
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        {{ summed_counts('daily') }},
        {{ bigint_sum('daily.known_outcome_count') }} as known_outcome_count,
        {{ bigint_sum('daily.successful_run_count') }} as successful_run_count,
        {{ bigint_sum('daily.costed_run_count') }} as costed_run_count,
        {{ usd_sum('daily.cost_usd') }} as cost_usd,
        {{ usd_sum('daily.known_cost_usd') }} as known_cost_usd,
        {{ bigint_sum('daily.timed_run_count') }} as timed_run_count,
        {{ bigint_sum('daily.duration_ms') }} as duration_ms,
        {{ bigint_sum('daily.known_cost_unit_count') }} as known_cost_unit_count,
        {{ usd_sum('daily.unit_cost_usd') }} as unit_cost_usd,
        {{ bigint_sum('daily.timed_unit_count') }} as timed_unit_count,
        {{ bigint_sum('daily.unit_duration_ms') }} as unit_duration_ms
    from {{ ref('int_run_units_daily') }} as daily
    cross join analysis_window
    where
        daily.run_date between analysis_window.window_start_date and analysis_window.window_end_date
        and daily.unit_number > 0
    group by
        daily.workflow_name,
        daily.unit,
        daily.unit_number,
        analysis_window.window_start_date,
        analysis_window.window_end_date

),

reached as (

    select
        *,
        cast(sum(n_used) over (
            partition by workflow_name, unit order by unit_number desc rows between unbounded preceding and current row
        ) as {{ dbt.type_bigint() }}) as reached_run_count,
        {{ to_usd(ratio('cost_usd', 'costed_run_count')) }} as mean_cost_usd
    from units

),

-- beside each number the next lower one of which the mean cost is known, and of which the success rate is
lower_costs as (

    select
        workflow_name,
        unit,
        unit_number,
        lag({{ nullable('mean_cost_usd') }}) over (partition by workflow_name, unit order by unit_number) as lower_mean_cost_usd
    from reached
    where mean_cost_usd is not null

),

lower_outcomes as (

    select
        workflow_name,
        unit,
        unit_number,
        lag({{ nullable('known_outcome_count') }}) over (
            partition by workflow_name, unit order by unit_number
        ) as lower_known_outcome_count,
        lag({{ nullable('successful_run_count') }}) over (
            partition by workflow_name, unit order by unit_number
        ) as lower_successful_run_count
    from reached
    where known_outcome_count > 0

)

select
    {{ rollup_key(['reached.workflow_name', 'reached.unit', 'reached.unit_number']) }} as marginal_steps_key,
    reached.workflow_name as workflow_name,
    reached.unit as unit,
    reached.unit_number as k,
    reached.window_start_date,
    reached.window_end_date,

    -- what the figures rest on
    reached.n_all,
    reached.n_used,
    reached.n_unfinished,
    reached.n_unpriced,
    reached.n_partial,

    -- runs with exactly so many
    reached.n_used as run_count,
    reached.known_outcome_count,
    reached.successful_run_count,
    {{ ratio('reached.successful_run_count', 'reached.known_outcome_count') }} as success_rate,
    {{ wilson_low('reached.successful_run_count', 'reached.known_outcome_count') }} as success_rate_low,
    {{ wilson_high('reached.successful_run_count', 'reached.known_outcome_count') }} as success_rate_high,
    {{ is_small_sample('reached.known_outcome_count') }} as is_small_sample,
    reached.costed_run_count,
    reached.cost_usd,
    reached.known_cost_usd,
    reached.mean_cost_usd,
    reached.timed_run_count,
    {{ ratio('reached.duration_ms', 'reached.timed_run_count') }} as mean_duration_ms,

    -- runs with so many or more
    reached.reached_run_count,
    reached.known_cost_unit_count,
    {{ to_usd(ratio('reached.unit_cost_usd', 'reached.known_cost_unit_count')) }} as kth_cost_usd,
    reached.timed_unit_count,
    {{ ratio('reached.unit_duration_ms', 'reached.timed_unit_count') }} as kth_duration_ms,

    -- against the next lower number
    cast(reached.mean_cost_usd - lower_costs.lower_mean_cost_usd as {{ type_usd() }}) as marginal_cost_usd,
    {{ ratio(
        'reached.successful_run_count * lower_outcomes.lower_known_outcome_count'
        ~ ' - lower_outcomes.lower_successful_run_count * reached.known_outcome_count',
        '(reached.known_outcome_count * lower_outcomes.lower_known_outcome_count)'
    ) }} as marginal_success
from reached
left join lower_costs
    on
        reached.workflow_name = lower_costs.workflow_name
        and reached.unit = lower_costs.unit
        and reached.unit_number = lower_costs.unit_number
left join lower_outcomes
    on
        reached.workflow_name = lower_outcomes.workflow_name
        and reached.unit = lower_outcomes.unit
        and reached.unit_number = lower_outcomes.unit_number
