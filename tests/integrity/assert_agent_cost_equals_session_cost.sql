with sessions as (

    select
        session_date,
        count(*) as session_count,
        sum(cost_usd) as cost_usd,
        sum(known_cost_usd) as known_cost_usd
    from {{ ref('fct_agent_sessions') }}
    where {{ of_tested_days('session_date', ['fct_agent_sessions']) }}
    group by session_date

),

rollup_rows as (

    select
        session_date,
        sum(session_count) as session_count,
        sum(cost_usd) as cost_usd,
        sum(known_cost_usd) as known_cost_usd,
        max(day_cost_usd) as day_cost_usd
    from {{ ref('mart_cost_by_agent') }}
    where {{ of_tested_days('session_date', ['fct_agent_sessions']) }}
    group by session_date

),

daily_rows as (

    select
        session_date,
        sum(n_all) as session_count,
        sum(cost_usd) as cost_usd
    from {{ ref('int_agent_sessions_daily') }}
    where {{ of_tested_days('session_date', ['fct_agent_sessions']) }}
    group by session_date

)

select
    sessions.session_date as fact_date,
    rollup_rows.session_date as rollup_date,
    daily_rows.session_date as daily_date,
    sessions.cost_usd as fact_cost_usd,
    rollup_rows.cost_usd as rollup_cost_usd
from sessions
full outer join rollup_rows on sessions.session_date = rollup_rows.session_date
full outer join daily_rows on sessions.session_date = daily_rows.session_date
where
    {{ differs('sessions.session_count', 'rollup_rows.session_count') }}
    or {{ differs('sessions.session_count', 'daily_rows.session_count') }}
    or {{ differs('sessions.cost_usd', 'rollup_rows.cost_usd') }}
    or {{ differs('sessions.cost_usd', 'rollup_rows.day_cost_usd') }}
    or {{ differs('sessions.cost_usd', 'daily_rows.cost_usd') }}
    or {{ differs('sessions.known_cost_usd', 'rollup_rows.known_cost_usd') }}
