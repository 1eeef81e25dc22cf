{{ config(daily_rollup('month_start_date', reach='month')) }}

{%- set month = 'cast(' ~ dbt.date_trunc('month', 'run_date') ~ ' as date)' %}

with runs as (

    select
        run_key,
        {{ month }} as month_start_date,
        coalesce(workflow_name, '(not set)') as workflow_label,
        is_final,
        price_status,
        cost_usd,
        known_cost_usd,
        is_final and cost_usd is not null as is_used
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days(month) }}

),

levels as (

    select
        'workflow' as level,
        workflow_label,
        month_start_date,
        run_key,
        is_final,
        price_status,
        cost_usd,
        known_cost_usd,
        is_used
    from runs

    union all

    select
        'system' as level,
        '(all)' as workflow_label,
        month_start_date,
        run_key,
        is_final,
        price_status,
        cost_usd,
        known_cost_usd,
        is_used
    from runs

),

totals as (

    select
        level,
        workflow_label,
        month_start_date,
        {{ disclosed_counts('is_used', 'not is_final') }},
        {{ usd_sum('case when is_used then cost_usd end') }} as total_cost_usd,
        {{ usd_sum('known_cost_usd') }} as total_known_cost_usd
    from levels
    group by
        level,
        workflow_label,
        month_start_date

),

ranked as (

    select
        level,
        workflow_label,
        month_start_date,
        cost_usd,
        row_number() over (
            partition by level, workflow_label, month_start_date order by cost_usd desc, {{ key_order('run_key') }} asc
        ) as cost_rank,
        ntile(10) over (
            partition by level, workflow_label, month_start_date order by cost_usd desc, {{ key_order('run_key') }} asc
        ) as decile,
        cast(sum(cost_usd) over (
            partition by level, workflow_label, month_start_date order by cost_usd desc, {{ key_order('run_key') }} asc
            rows between unbounded preceding and current row
        ) as {{ type_usd() }}) as running_cost_usd
    from levels
    where is_used

),

measured as (

    select
        ranked.level as level,
        ranked.workflow_label as workflow_label,
        ranked.month_start_date as month_start_date,
        ranked.decile,
        ranked.cost_usd,
        -- the first of each hundred, and of each ten, rounded up
        (ranked.cost_rank - 1) * 100 < totals.n_used as is_top_1_percent,
        (ranked.cost_rank - 1) * 10 < totals.n_used as is_top_10_percent,
        ranked.running_cost_usd
    from ranked
    inner join totals
        on
            ranked.level = totals.level
            and ranked.workflow_label = totals.workflow_label
            and ranked.month_start_date = totals.month_start_date

),

deciles as (

    select
        level,
        workflow_label,
        month_start_date,
        cast(decile as {{ dbt.type_bigint() }}) as decile,
        cast(count(*) as {{ dbt.type_bigint() }}) as run_count,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('case when is_top_1_percent then cost_usd else 0 end') }} as top_1_percent_cost_usd,
        {{ usd_sum('case when is_top_10_percent then cost_usd else 0 end') }} as top_10_percent_cost_usd,
        {{ usd_sum('running_cost_usd') }} as running_cost_usd
    from measured
    group by
        level,
        workflow_label,
        month_start_date,
        decile

),

accumulated as (

    select
        *,
        cast(sum(cost_usd) over (
            partition by level, workflow_label, month_start_date order by decile rows between unbounded preceding and current row
        ) as {{ type_usd() }}) as cumulative_cost_usd,
        cast(sum(top_1_percent_cost_usd) over (partition by level, workflow_label, month_start_date) as {{ type_usd() }})
            as all_top_1_percent_cost_usd,
        cast(sum(top_10_percent_cost_usd) over (partition by level, workflow_label, month_start_date) as {{ type_usd() }})
            as all_top_10_percent_cost_usd,
        -- the cheapest run is in one running sum, the next in two: costs times their positions, as money and exact
        cast(sum(running_cost_usd) over (partition by level, workflow_label, month_start_date) as {{ type_usd() }}) as weighted_cost_usd
    from deciles

)

select
    {{ rollup_key(['accumulated.month_start_date', 'accumulated.level', 'accumulated.workflow_label', 'accumulated.decile']) }}
        as cost_concentration_key,
    accumulated.month_start_date as month_start_date,
    accumulated.level as level,
    accumulated.workflow_label as workflow_name,
    accumulated.decile,

    -- what the figures rest on
    totals.n_all,
    totals.n_used,
    totals.n_unfinished,
    totals.n_unpriced,
    totals.n_partial,

    -- this decile
    accumulated.run_count,
    accumulated.cost_usd,
    {{ ratio('accumulated.cost_usd', 'totals.total_cost_usd') }} as cost_share,
    accumulated.cumulative_cost_usd,
    {{ ratio('accumulated.cumulative_cost_usd', 'totals.total_cost_usd') }} as cumulative_cost_share,

    -- all deciles
    totals.total_cost_usd,
    totals.total_known_cost_usd as known_cost_usd,
    accumulated.all_top_1_percent_cost_usd as top_1_percent_cost_usd,
    {{ ratio('accumulated.all_top_1_percent_cost_usd', 'totals.total_cost_usd') }} as top_1_percent_cost_share,
    accumulated.all_top_10_percent_cost_usd as top_10_percent_cost_usd,
    {{ ratio('accumulated.all_top_10_percent_cost_usd', 'totals.total_cost_usd') }} as top_10_percent_cost_share,
    {{ ratio(
        '2 * cast(accumulated.weighted_cost_usd as ' ~ type_double() ~ ')'
        ~ ' - (totals.n_used + 1) * cast(totals.total_cost_usd as ' ~ type_double() ~ ')',
        '(totals.n_used * cast(totals.total_cost_usd as ' ~ type_double() ~ '))'
    ) }} as gini_coefficient
from accumulated
inner join totals
    on
        accumulated.level = totals.level
        and accumulated.workflow_label = totals.workflow_label
        and accumulated.month_start_date = totals.month_start_date
