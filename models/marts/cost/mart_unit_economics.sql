{{ config(daily_rollup('month_start_date', reach='month')) }}

{%- set month = 'cast(' ~ dbt.date_trunc('month', 'run_date') ~ ' as date)' %}

with runs as (

    select
        user_id,
        {{ month }} as month_start_date,
        -- the plan that was sent last is the one of the month
        case
            when plan_name is not null then row_number() over (
                partition by user_id, {{ month }}
                order by case when plan_name is null then 1 else 0 end, started_at desc nulls last, {{ key_order('run_key') }}
            )
        end as plan_rank,
        plan_name,
        is_final,
        is_successful,
        price_status,
        cost_usd,
        known_cost_usd,
        is_final and cost_usd is not null as is_used
    from {{ ref('fct_agent_runs') }}
    where
        user_id is not null
        and {{ of_affected_days(month) }}

),

plan_prices as (

    select * from {{ ref('plan_prices') }}

),

users as (

    select
        user_id,
        month_start_date,
        {{ disclosed_counts('is_used', 'not is_final') }},
        max(case when plan_rank = 1 then plan_name end) as sent_plan_name,
        {{ count_where('is_successful') }} as successful_run_count,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ usd_sum('case when is_used then cost_usd end') }} as used_cost_usd
    from runs
    group by
        user_id,
        month_start_date

),

months as (

    select distinct
        month_start_date as month_of_plan,
        cast({{ dbt.dateadd('month', 1, 'month_start_date') }} as date) as next_month_start_date
    from users

),

-- a plan that begins or changes within a month has its new price for the whole of it
plans as (

    select
        months.month_of_plan,
        plan_prices.plan_name as priced_plan_name,
        plan_prices.monthly_price_usd,
        plan_prices.is_default
    from months
    cross join plan_prices
    where
        plan_prices.valid_from < months.next_month_start_date
        and coalesce(plan_prices.valid_to, cast('9999-12-31' as date)) >= months.next_month_start_date

),

with_plans as (

    select
        users.*,
        coalesce(users.sent_plan_name, default_plans.priced_plan_name) as plan_name,
        case
            when users.sent_plan_name is null then default_plans.monthly_price_usd
            else sent_plans.monthly_price_usd
        end as plan_price_usd
    from users
    left join plans as sent_plans
        on
            users.month_start_date = sent_plans.month_of_plan
            and users.sent_plan_name = sent_plans.priced_plan_name
    left join plans as default_plans
        on
            users.month_start_date = default_plans.month_of_plan
            and default_plans.is_default

),

margins as (

    select
        *,
        cast(plan_price_usd - cost_usd as {{ type_usd() }}) as margin_usd,
        {{ to_usd(ratio('used_cost_usd', 'n_used')) }} as cost_per_run_usd,
        -- not by the cost of a run, which is rounded
        {{ ratio('cast(plan_price_usd as ' ~ type_double() ~ ') * n_used', 'used_cost_usd') }} as break_even_run_count
    from with_plans

)

select
    {{ rollup_key(['month_start_date', 'user_id']) }} as unit_economics_key,
    month_start_date,
    user_id,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- runs
    n_all as run_count,
    successful_run_count,

    -- money
    cost_usd,
    known_cost_usd,
    plan_name,
    plan_price_usd,
    margin_usd,
    {{ ratio('margin_usd', 'plan_price_usd') }} as margin_share,
    cost_per_run_usd,
    break_even_run_count,
    n_all > break_even_run_count as is_above_break_even
from margins
