with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

sessions as (

    select
        agent_name,
        session_date,
        cast({{ dbt.date_trunc('month', 'session_date') }} as date) as month_start_date,
        {{ summed_counts() }},
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd
    from {{ ref('int_agent_sessions_daily') }}
    group by
        agent_name,
        session_date

),

accumulated as (

    select
        *,
        sum(cost_usd) over (
            partition by agent_name, month_start_date order by session_date rows between unbounded preceding and current row
        ) as accumulated_cost_usd
    from sessions

),

budgets as (

    select
        agent_name as budget_agent_name,
        monthly_budget_usd,
        valid_from,
        coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('agent_budgets') }}

),

-- a budget that begins or changes within a month holds for the whole of it
months as (

    select
        accumulated.month_start_date,
        cast({{ dbt.dateadd('month', 1, 'accumulated.month_start_date') }} as date) as next_month_date,
        accumulated.agent_name,
        budgets.monthly_budget_usd as budget_usd,
        {{ summed_counts('accumulated') }},
        {{ usd_sum('accumulated.cost_usd') }} as cost_to_date_usd,
        {{ usd_sum('accumulated.known_cost_usd') }} as known_cost_usd,
        min(case when accumulated.accumulated_cost_usd > budgets.monthly_budget_usd then accumulated.session_date end) as breached_on
    from accumulated
    inner join budgets
        on
            accumulated.agent_name = budgets.budget_agent_name
            and budgets.valid_from < cast({{ dbt.dateadd('month', 1, 'accumulated.month_start_date') }} as date)
            and budgets.valid_to >= cast({{ dbt.dateadd('month', 1, 'accumulated.month_start_date') }} as date)
    group by
        accumulated.month_start_date,
        accumulated.agent_name,
        budgets.monthly_budget_usd

),

month_lengths as (

    select
        months.*,
        {{ dbt.datediff('month_start_date', 'next_month_date', 'day') }}
            as days_of_month,
        {{ dbt.datediff('month_start_date', 'window_end_date', 'day') }}
        + 1 as days_of_data
    from months
    cross join analysis_window

),

-- up to the day of the newest event, which counts as a whole one
elapsed as (

    select
        *,
        cast(days_of_month as {{ dbt.type_bigint() }}) as day_count,
        cast(case when days_of_data < days_of_month then days_of_data else days_of_month end as {{ dbt.type_bigint() }})
            as elapsed_day_count
    from month_lengths

),

forecast as (

    select
        *,
        {{ ratio('elapsed_day_count', 'day_count') }} as elapsed_share,
        {{ ratio('cost_to_date_usd', 'budget_usd') }} as budget_share,
        {{ to_usd(ratio('cost_to_date_usd', 'elapsed_day_count') ~ ' * day_count') }} as forecast_usd
    from elapsed

),

-- at the pace so far, the days after which the sum passes the budget; rounded as money, so that a whole number is one
breaches as (

    select
        *,
        case
            when breached_on is null and forecast_usd > budget_usd
                then {{ to_usd(ratio('budget_usd', 'cast(cost_to_date_usd as ' ~ type_double() ~ ')') ~ ' * elapsed_day_count') }}
        end as days_to_breach
    from forecast

),

dated as (

    select
        *,
        cast({{ dbt.dateadd('day', 'cast(floor(days_to_breach) as ' ~ dbt.type_int() ~ ')', 'month_start_date') }} as date) as expected_on
    from breaches

)

select
    {{ rollup_key(['month_start_date', 'agent_name']) }} as agent_budgets_key,
    month_start_date,
    agent_name,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- money
    budget_usd,
    cost_to_date_usd,
    known_cost_usd,
    budget_share,
    elapsed_day_count,
    day_count,
    elapsed_share,
    budget_share / elapsed_share as burn_rate,
    forecast_usd,
    breached_on is not null as is_breached,
    coalesce(breached_on, expected_on) as breach_date
from dated
