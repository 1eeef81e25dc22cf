{%- set baseline_days = 28 -%}

{{ config(daily_rollup('run_date', reach=baseline_days)) }}

-- runs to judge
with judged_runs as (

    select
        run_key,
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_label,
        cost_usd,
        known_cost_usd,
        step_count,
        coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) as input_side_tokens,
        output_tokens,
        failed_step_count + retried_step_count as failed_or_retried_step_count,
        {{ ratio('cost_usd', 'total_tokens') }} as cost_per_token
    from {{ ref('fct_agent_runs') }}
    where
        is_final
        and cost_usd is not null
        and {{ of_affected_days('run_date') }}

),

judged_days as (

    select distinct
        workflow_label,
        run_date
    from judged_runs

),

distances as (

    {{ whole_numbers(1, baseline_days, 'days_before') }}

),

-- the days before each day that is judged
baseline_days as (

    select
        judged_days.workflow_label,
        judged_days.run_date as judged_date,
        cast({{ dbt.dateadd('day', '-distances.days_before', 'judged_days.run_date') }} as date) as baseline_date
    from judged_days
    cross join distances

),

baseline_costs as (

    select
        coalesce(workflow_name, '(not set)') as workflow_label,
        run_date,
        is_final,
        price_status,
        cost_usd,
        is_final and cost_usd is not null as is_used
    from {{ ref('fct_agent_runs') }}

),

medians as (

    select
        baseline_days.workflow_label as workflow_label,
        baseline_days.judged_date,
        {{ disclosed_counts('is_used', 'not is_final') }},
        {{ to_usd(percentile('case when is_used then cost_usd end', 0.5)) }} as baseline_median_usd
    from baseline_days
    inner join baseline_costs
        on
            baseline_days.workflow_label = baseline_costs.workflow_label
            and baseline_days.baseline_date = baseline_costs.run_date
    group by
        baseline_days.workflow_label,
        baseline_days.judged_date

),

-- only a run above twice the median can be dear
candidates as (

    select
        judged_runs.*,
        medians.n_all,
        medians.n_used,
        medians.n_unfinished,
        medians.n_unpriced,
        medians.n_partial,
        medians.baseline_median_usd
    from judged_runs
    inner join medians
        on
            judged_runs.workflow_label = medians.workflow_label
            and judged_runs.run_date = medians.judged_date
    where
        medians.n_used >= 30
        and judged_runs.cost_usd > 2 * medians.baseline_median_usd

),

candidate_days as (

    select distinct
        workflow_label,
        run_date as judged_date,
        baseline_median_usd
    from candidates

),

deviations as (

    select
        candidate_days.workflow_label as workflow_label,
        candidate_days.judged_date as judged_date,
        {{ to_usd(percentile('abs(baseline_costs.cost_usd - candidate_days.baseline_median_usd)', 0.5)) }} as baseline_mad_usd
    from candidate_days
    inner join baseline_days
        on
            candidate_days.workflow_label = baseline_days.workflow_label
            and candidate_days.judged_date = baseline_days.judged_date
    inner join baseline_costs
        on
            baseline_days.workflow_label = baseline_costs.workflow_label
            and baseline_days.baseline_date = baseline_costs.run_date
    where baseline_costs.is_used
    group by
        candidate_days.workflow_label,
        candidate_days.judged_date

),

scored as (

    select
        candidates.*,
        deviations.baseline_mad_usd,
        -- 0.6745, written so that money multiplies by whole numbers, which is exact
        {{ ratio(
            '6745 * (candidates.cost_usd - candidates.baseline_median_usd)', '(10000 * deviations.baseline_mad_usd)'
        ) }} as robust_z
    from candidates
    inner join deviations
        on
            candidates.workflow_label = deviations.workflow_label
            and candidates.run_date = deviations.judged_date

),

outliers as (

    select * from scored
    where
        robust_z > 3.5
        or (baseline_mad_usd = 0 and cost_usd > 3 * baseline_median_usd)

),

outlier_days as (

    select distinct
        workflow_label,
        run_date as judged_date
    from outliers

),

baseline_usage as (

    select
        coalesce(workflow_name, '(not set)') as workflow_label,
        run_date,
        step_count,
        coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) as input_side_tokens,
        output_tokens,
        failed_step_count + retried_step_count as failed_or_retried_step_count,
        {{ ratio('cost_usd', 'total_tokens') }} as cost_per_token
    from {{ ref('fct_agent_runs') }}
    where
        is_final
        and cost_usd is not null

),

usual as (

    select
        outlier_days.workflow_label as workflow_label,
        outlier_days.judged_date as judged_date,
        {{ percentile('baseline_usage.step_count', 0.5) }} as step_count,
        {{ percentile('baseline_usage.input_side_tokens', 0.5) }} as input_side_tokens,
        {{ percentile('baseline_usage.output_tokens', 0.5) }} as output_tokens,
        {{ percentile('baseline_usage.failed_or_retried_step_count', 0.5) }} as failed_or_retried_step_count,
        {{ percentile('baseline_usage.cost_per_token', 0.5) }} as cost_per_token
    from outlier_days
    inner join baseline_days
        on
            outlier_days.workflow_label = baseline_days.workflow_label
            and outlier_days.judged_date = baseline_days.judged_date
    inner join baseline_usage
        on
            baseline_days.workflow_label = baseline_usage.workflow_label
            and baseline_days.baseline_date = baseline_usage.run_date
    group by
        outlier_days.workflow_label,
        outlier_days.judged_date

),

-- a usual count below one counts as one, or nothing could ever be called unusual against it
comparable as (

    select
        workflow_label,
        judged_date,
        case when step_count < 1 then 1.0 else step_count end as step_count,
        case when input_side_tokens < 1 then 1.0 else input_side_tokens end as input_side_tokens,
        case when output_tokens < 1 then 1.0 else output_tokens end as output_tokens,
        case when failed_or_retried_step_count < 1 then 1.0 else failed_or_retried_step_count end as failed_or_retried_step_count,
        cost_per_token
    from usual

),

ratios as (

    select
        outliers.*,
        coalesce(outliers.step_count / comparable.step_count, 0.0) as step_ratio,
        coalesce(outliers.input_side_tokens / comparable.input_side_tokens, 0.0) as input_ratio,
        coalesce(outliers.output_tokens / comparable.output_tokens, 0.0) as output_ratio,
        coalesce(outliers.failed_or_retried_step_count / comparable.failed_or_retried_step_count, 0.0) as failure_ratio,
        coalesce({{ ratio('outliers.cost_per_token', 'comparable.cost_per_token') }}, 0.0) as price_ratio
    from outliers
    inner join comparable
        on
            outliers.workflow_label = comparable.workflow_label
            and outliers.run_date = comparable.judged_date

),

explained as (

    select
        *,
        greatest(step_ratio, input_ratio, output_ratio, failure_ratio, price_ratio) as largest_ratio
    from ratios

)

select
    run_key,
    run_date,
    workflow_label as workflow_name,

    -- what the baseline rests on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- money
    cost_usd,
    known_cost_usd,
    baseline_median_usd,
    baseline_mad_usd,
    robust_z,
    {{ ratio('cost_usd', 'baseline_median_usd') }} as cost_ratio,

    -- what is most unlike the baseline
    case
        when largest_ratio = 0 then null
        when failure_ratio = largest_ratio then 'failed_or_retried_steps'
        when step_ratio = largest_ratio then 'steps'
        when output_ratio = largest_ratio then 'output_tokens'
        when input_ratio = largest_ratio then 'input_tokens'
        else 'cost_per_token'
    end as reason,
    nullif(largest_ratio, 0) as reason_ratio
from explained
