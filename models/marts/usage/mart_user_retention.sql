-- A late run may make a user older than was known, so the table is made anew of sums per day.
with users_daily as (

    select
        user_id,
        run_date,
        {{ week_start('run_date') }} as run_week,
        run_count,
        final_run_count,
        unpriced_run_count,
        partial_run_count
    from {{ ref('int_users_daily') }}
    where user_id is not null

),

user_weeks as (

    select
        user_id,
        run_week,
        {{ bigint_sum('run_count') }} as run_count,
        {{ bigint_sum('final_run_count') }} as final_run_count,
        {{ bigint_sum('unpriced_run_count') }} as unpriced_run_count,
        {{ bigint_sum('partial_run_count') }} as partial_run_count
    from users_daily
    group by
        user_id,
        run_week

),

cohorts as (

    select
        user_id,
        min(run_week) as cohort_week
    from user_weeks
    group by user_id

),

cohort_sizes as (

    select
        cohort_week,
        count(*) as cohort_user_count
    from cohorts
    group by cohort_week

),

-- every run moves the newest day, with or without a user
newest as (

    select max(run_date) as newest_run_date
    from {{ ref('int_users_daily') }}

),

numbers as (

    {{ dbt.generate_series(1024) }}

),

week_numbers as (

    select cast(generated_number as {{ dbt.type_int() }}) - 1 as week_number
    from numbers

),

-- a week in which nobody came back is a row, too
cohort_weeks as (

    select
        cohort_sizes.cohort_week,
        cohort_sizes.cohort_user_count,
        week_numbers.week_number,
        cast({{ dbt.dateadd('day', '7 * week_numbers.week_number', 'cohort_sizes.cohort_week') }} as date) as week_start_date
    from cohort_sizes
    cross join week_numbers

),

activity as (

    select
        cohorts.cohort_week as cohort_week,
        user_weeks.run_week as run_week,
        count(*) as active_user_count,
        {{ bigint_sum('user_weeks.run_count') }} as run_count,
        {{ bigint_sum('user_weeks.final_run_count') }} as final_run_count,
        {{ bigint_sum('user_weeks.unpriced_run_count') }} as unpriced_run_count,
        {{ bigint_sum('user_weeks.partial_run_count') }} as partial_run_count
    from user_weeks
    inner join cohorts on user_weeks.user_id = cohorts.user_id
    group by
        cohorts.cohort_week,
        user_weeks.run_week

)

select
    {{ rollup_key(['cohort_weeks.cohort_week', 'cohort_weeks.week_number']) }} as user_retention_key,
    cohort_weeks.cohort_week as cohort_week,
    cast(cohort_weeks.week_number as {{ dbt.type_bigint() }}) as week_number,
    cohort_weeks.week_start_date,
    cast({{ dbt.dateadd('day', 6, 'cohort_weeks.week_start_date') }} as date) < newest.newest_run_date as is_whole_week,

    -- what the figures rest on
    coalesce(activity.run_count, 0) as n_all,
    coalesce(activity.final_run_count, 0) as n_used,
    coalesce(activity.run_count - activity.final_run_count, 0) as n_unfinished,
    coalesce(activity.unpriced_run_count, 0) as n_unpriced,
    coalesce(activity.partial_run_count, 0) as n_partial,

    -- who came back
    cohort_weeks.cohort_user_count,
    coalesce(activity.active_user_count, 0) as active_user_count,
    {{ ratio('coalesce(activity.active_user_count, 0)', 'cohort_weeks.cohort_user_count') }} as retention_rate,
    coalesce(activity.run_count, 0) as run_count
from cohort_weeks
inner join newest on cohort_weeks.week_start_date <= newest.newest_run_date
left join activity
    on
        cohort_weeks.cohort_week = activity.cohort_week
        and cohort_weeks.week_start_date = activity.run_week
