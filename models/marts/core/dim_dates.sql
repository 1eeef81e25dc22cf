-- every day a fact may lie on: runs and sessions may begin before their first event
with days as (

    select event_date as date_day from {{ ref('int_events_daily') }}
    where accepted_rows > 0
    union all
    select run_date as date_day from {{ ref('int_runs_daily') }}
    union all
    select session_date as date_day from {{ ref('int_agent_sessions_daily') }}
    union all
    select step_date as date_day from {{ ref('int_operations_daily') }}

),

ends as (

    select
        min(date_day) as first_day,
        max(date_day) as last_day
    from days

),

numbers as (

    {{ dbt.generate_series(16384) }}

),

day_numbers as (

    select cast(generated_number as {{ dbt.type_int() }}) - 1 as day_number
    from numbers

),

calendar as (

    select
        cast({{ dbt.dateadd('day', 'day_numbers.day_number', 'ends.first_day') }} as date) as date_day,
        ends.last_day
    from ends
    cross join day_numbers

)

select
    date_day,
    {{ week_start('date_day') }} as week_start_date,
    cast({{ dbt.date_trunc('month', 'date_day') }} as date) as month_start_date,
    cast({{ days_since_monday('date_day') }} + 1 as {{ dbt.type_bigint() }}) as day_of_week,
    {{ days_since_monday('date_day') }} >= 5 as is_weekend
from calendar
where date_day <= last_day
