with runs as (

    select
        cast({{ dbt.date_trunc('month', 'run_date') }} as date) as month_start_date,
        sum(case when is_final then cost_usd end) as ended_cost_usd,
        sum(case when user_id is not null then cost_usd end) as users_cost_usd,
        sum(case when user_id is not null then 1 else 0 end) as users_run_count
    from {{ ref('fct_agent_runs') }}
    group by cast({{ dbt.date_trunc('month', 'run_date') }} as date)

),

tenths as (

    select
        month_start_date,
        sum(case when level = 'workflow' then cost_usd end) as workflows_cost_usd,
        sum(case when level = 'system' then cost_usd end) as system_cost_usd
    from {{ ref('mart_cost_concentration') }}
    group by month_start_date

),

users as (

    select
        month_start_date,
        sum(cost_usd) as cost_usd,
        sum(run_count) as run_count
    from {{ ref('mart_unit_economics') }}
    group by month_start_date

)

select
    runs.month_start_date as fact_month,
    tenths.month_start_date as concentration_month,
    users.month_start_date as users_month
from runs
full outer join tenths on runs.month_start_date = tenths.month_start_date
full outer join users on runs.month_start_date = users.month_start_date
where
    {{ differs('runs.ended_cost_usd', 'tenths.workflows_cost_usd') }}
    or {{ differs('runs.ended_cost_usd', 'tenths.system_cost_usd') }}
    or {{ differs('runs.users_cost_usd', 'users.cost_usd') }}
    or {{ differs('nullif(runs.users_run_count, 0)', 'users.run_count') }}
