-- An outcome may come long after a run, so the table is made anew of sums per day.
with users_daily as (

    select * from {{ ref('int_users_daily') }}
    where user_id is not null

),

events as (

    select * from {{ ref('int_outcome_events') }}

),

-- of an event that nobody ever sent it is not known whether it happened
outcomes as (

    select distinct
        outcome,
        window_days,
        value_usd
    from events

),

newest as (

    select max(run_date) as newest_run_date
    from {{ ref('int_users_daily') }}

),

user_days as (

    select
        run_date,
        workflow_name,
        user_id,
        {{ bigint_sum('run_count') }} as run_count,
        {{ bigint_sum('final_run_count') }} as final_run_count,
        {{ bigint_sum('unpriced_run_count') }} as unpriced_run_count,
        {{ bigint_sum('partial_run_count') }} as partial_run_count,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        min(first_started_at) as first_started_at,
        max(last_started_at) as last_started_at
    from users_daily
    group by
        run_date,
        workflow_name,
        user_id

),

-- a month has more milliseconds than an integer holds
windows as (

    select
        user_id,
        outcome,
        event_at,
        cast(window_days as {{ dbt.type_bigint() }}) * 86400000 as window_ms
    from events

),

-- the windows of a day's runs are at least a day long and overlap, so that their ends say all
reached as (

    select
        user_days.run_date,
        user_days.workflow_name,
        windows.outcome,
        count(distinct user_days.user_id) as outcome_user_count
    from user_days
    inner join windows on user_days.user_id = windows.user_id
    where
        windows.event_at > user_days.first_started_at
        and windows.event_at <= {{ add_milliseconds('user_days.last_started_at', 'windows.window_ms') }}
    group by
        user_days.run_date,
        user_days.workflow_name,
        windows.outcome

),

days as (

    select
        run_date,
        workflow_name,
        {{ bigint_sum('run_count') }} as n_all,
        {{ bigint_sum('final_run_count') }} as n_used,
        {{ bigint_sum('unpriced_run_count') }} as n_unpriced,
        {{ bigint_sum('partial_run_count') }} as n_partial,
        count(*) as run_user_count,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd
    from user_days
    group by
        run_date,
        workflow_name

),

counted as (

    select
        days.run_date as run_date,
        days.workflow_name as workflow_name,
        outcomes.outcome as outcome,
        outcomes.window_days,
        outcomes.value_usd,
        cast({{ dbt.dateadd('day', 'outcomes.window_days', 'days.run_date') }} as date) < newest.newest_run_date as is_window_over,
        days.n_all,
        days.n_used,
        days.n_unpriced,
        days.n_partial,
        days.run_user_count,
        coalesce(reached.outcome_user_count, 0) as outcome_user_count,
        days.cost_usd,
        days.known_cost_usd
    from days
    cross join outcomes
    cross join newest
    left join reached
        on
            days.run_date = reached.run_date
            and days.workflow_name = reached.workflow_name
            and outcomes.outcome = reached.outcome

)

select
    {{ rollup_key(['run_date', 'workflow_name', 'outcome']) }} as business_outcomes_key,
    run_date,
    workflow_name,
    outcome,
    cast(window_days as {{ dbt.type_bigint() }}) as window_days,
    is_window_over,

    -- what the figures rest on
    n_all,
    n_used,
    n_all - n_used as n_unfinished,
    n_unpriced,
    n_partial,

    -- users and what they did afterwards
    run_user_count,
    outcome_user_count,
    {{ ratio('outcome_user_count', 'run_user_count') }} as outcome_rate,
    {{ wilson_low('outcome_user_count', 'run_user_count') }} as outcome_rate_low,
    {{ wilson_high('outcome_user_count', 'run_user_count') }} as outcome_rate_high,
    {{ is_small_sample('run_user_count') }} as is_small_sample,

    -- money
    cast(outcome_user_count * value_usd as {{ type_usd() }}) as outcome_value_usd,
    cost_usd,
    known_cost_usd
from counted
