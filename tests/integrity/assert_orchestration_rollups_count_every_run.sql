-- By day every run is counted once, with the sessions and handoffs of those that ended; the daily table of routes has the same runs.
with runs as (

    select
        run_date,
        count(*) as run_count,
        sum(case when is_final then agent_session_count else 0 end) as agent_session_count,
        sum(case when is_final and agent_session_count > 0 then handoff_count else 0 end) as handoff_count,
        sum(case when is_final and is_successful then 1 else 0 end) as successful_run_count
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

),

rollup_rows as (

    select
        run_date,
        sum(run_count) as run_count,
        sum(agent_session_count) as agent_session_count,
        sum(handoff_count) as handoff_count,
        sum(single_run_count + linear_run_count + fan_out_run_count + nested_run_count + loop_run_count) as shaped_run_count,
        sum(n_used) as used_count
    from {{ ref('mart_orchestration') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

),

routes as (

    select
        run_date,
        sum(n_all) as run_count,
        sum(successful_run_count) as successful_run_count
    from {{ ref('int_run_routes_daily') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

)

select
    runs.run_date as fact_date,
    rollup_rows.run_date as rollup_date,
    routes.run_date as routes_date
from runs
full outer join rollup_rows on runs.run_date = rollup_rows.run_date
full outer join routes on runs.run_date = routes.run_date
where
    {{ differs('runs.run_count', 'rollup_rows.run_count') }}
    or {{ differs('runs.run_count', 'routes.run_count') }}
    or runs.agent_session_count != rollup_rows.agent_session_count
    or runs.handoff_count != rollup_rows.handoff_count
    or rollup_rows.shaped_run_count != rollup_rows.used_count
    or runs.successful_run_count != routes.successful_run_count
