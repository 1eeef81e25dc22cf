with runs as (

    select
        run_date,
        count(*) as run_count,
        sum(step_count) as step_count,
        sum(case when is_final then steps_cost_usd end) as ended_steps_cost_usd,
        sum(case when is_final then sessions_cost_usd end) as ended_sessions_cost_usd
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

),

units as (

    select
        run_date,
        sum(case when unit = 'step' then n_all else 0 end) as run_count_by_steps,
        sum(case when unit = 'tool_call' then n_all else 0 end) as run_count_by_tool_calls,
        sum(case when unit = 'agent_session' then n_all else 0 end) as run_count_by_sessions,
        sum(case when unit = 'step' then unit_cost_usd end) as steps_cost_usd,
        sum(case when unit = 'agent_session' then unit_cost_usd end) as sessions_cost_usd
    from {{ ref('int_run_units_daily') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

),

steps as (

    select
        run_date,
        sum(step_count) as step_count
    from {{ ref('int_run_steps_daily') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

)

select
    runs.run_date as fact_date,
    units.run_date as units_date,
    steps.run_date as steps_date
from runs
full outer join units on runs.run_date = units.run_date
full outer join steps on runs.run_date = steps.run_date
where
    {{ differs('runs.run_count', 'units.run_count_by_steps') }}
    or {{ differs('runs.run_count', 'units.run_count_by_tool_calls') }}
    or {{ differs('runs.run_count', 'units.run_count_by_sessions') }}
    or {{ differs('runs.ended_steps_cost_usd', 'units.steps_cost_usd') }}
    or {{ differs('runs.ended_sessions_cost_usd', 'units.sessions_cost_usd') }}
    or {{ differs('nullif(runs.step_count, 0)', 'steps.step_count') }}
