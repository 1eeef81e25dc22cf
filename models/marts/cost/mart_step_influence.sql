with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

-- each run has one number of steps, so these rows hold all runs
workflows as (

    select
        daily.workflow_name,
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        {{ bigint_sum('daily.n_all') }} as n_all,
        {{ bigint_sum('daily.known_outcome_count') }} as n_used,
        {{ bigint_sum('daily.n_unfinished') }} as n_unfinished,
        {{ bigint_sum('daily.n_unpriced') }} as n_unpriced,
        {{ bigint_sum('daily.n_partial') }} as n_partial,
        {{ bigint_sum('daily.successful_run_count') }} as successful_run_count,
        {{ usd_sum('daily.known_cost_usd') }} as workflow_known_cost_usd
    from {{ ref('int_run_units_daily') }} as daily
    cross join analysis_window
    where
        daily.run_date between analysis_window.window_start_date and analysis_window.window_end_date
        and daily.unit = 'step'
    group by
        daily.workflow_name,
        analysis_window.window_start_date,
        analysis_window.window_end_date

),

steps as (

    select
        daily.workflow_name,
        daily.agent_name,
        daily.step_type,
        {{ bigint_sum('daily.known_outcome_count') }} as run_count_with,
        {{ bigint_sum('daily.successful_run_count') }} as successful_run_count_with,
        {{ bigint_sum('daily.step_count') }} as step_count,
        {{ usd_sum('daily.cost_usd') }} as cost_usd,
        {{ usd_sum('daily.known_cost_usd') }} as known_cost_usd
    from {{ ref('int_run_steps_daily') }} as daily
    cross join analysis_window
    where daily.run_date between analysis_window.window_start_date and analysis_window.window_end_date
    group by
        daily.workflow_name,
        daily.agent_name,
        daily.step_type

),

with_and_without as (

    select
        steps.workflow_name as workflow_name,
        steps.agent_name,
        steps.step_type,
        workflows.window_start_date,
        workflows.window_end_date,
        workflows.n_all,
        workflows.n_used,
        workflows.n_unfinished,
        workflows.n_unpriced,
        workflows.n_partial,
        steps.step_count,
        steps.cost_usd,
        steps.known_cost_usd,
        workflows.workflow_known_cost_usd,
        steps.run_count_with,
        steps.successful_run_count_with,
        workflows.n_used - steps.run_count_with as run_count_without,
        workflows.successful_run_count - steps.successful_run_count_with as successful_run_count_without
    from steps
    inner join workflows on steps.workflow_name = workflows.workflow_name

),

rates as (

    select
        {% for side in ['with', 'without'] -%}
        {{ ratio('successful_run_count_' ~ side, 'run_count_' ~ side) }} as success_rate_{{ side }},
        {{ wilson_low('successful_run_count_' ~ side, 'run_count_' ~ side) }} as success_low_{{ side }},
        {{ wilson_high('successful_run_count_' ~ side, 'run_count_' ~ side) }} as success_high_{{ side }},
        {% endfor -%}
        {{ ratio('known_cost_usd', 'workflow_known_cost_usd') }} as cost_share,
        with_and_without.*
    from with_and_without

),

differences as (

    select
        *,
        success_rate_with - success_rate_without as success_difference,
        {{ rate_difference_low('success_rate_with', 'success_low_with', 'success_rate_without', 'success_high_without') }}
            as success_difference_low,
        {{ rate_difference_high('success_rate_with', 'success_high_with', 'success_rate_without', 'success_low_without') }}
            as success_difference_high,
        {{ is_small_sample('run_count_with') }} or {{ is_small_sample('run_count_without') }} as is_small_sample
    from rates

)

select
    {{ rollup_key(['workflow_name', 'agent_name', 'step_type']) }} as step_influence_key,
    workflow_name,
    agent_name,
    step_type,
    window_start_date,
    window_end_date,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- money
    step_count,
    cost_usd,
    known_cost_usd,
    workflow_known_cost_usd,
    cost_share,

    -- success
    run_count_with,
    successful_run_count_with,
    success_rate_with,
    success_low_with,
    success_high_with,
    run_count_without,
    successful_run_count_without,
    success_rate_without,
    success_low_without,
    success_high_without,
    success_difference,
    success_difference_low,
    success_difference_high,
    is_small_sample,
    case
        when is_small_sample then 'unclear'
        when success_difference_low > 0 then 'helps'
        when success_difference_high < 0 then 'hurts'
        when cost_share >= 0.2 and run_count_with >= 100 and run_count_without >= 100 then 'costly_without_effect'
        else 'unclear'
    end as verdict
from differences
