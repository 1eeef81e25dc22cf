{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_name,
        run_key,
        price_status,
        is_successful,
        is_final,
        last_event_at
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

),

step_days as (

    {{ days_reached_by('runs', ref('fct_agent_steps'), 'step_date') }}

),

steps as (

    select
        run_key as run_key_of_step,
        coalesce(agent_name, '(not set)') as agent_name,
        coalesce(step_type, '(not set)') as step_type,
        cost_usd,
        known_cost_usd
    from {{ ref('fct_agent_steps') }}
    where step_date in (select step_days.step_date from step_days)

),

-- each run once, however many of these steps it has
steps_of_runs as (

    select
        runs.run_key,
        runs.run_date,
        runs.workflow_name,
        steps.agent_name,
        steps.step_type,
        runs.is_final,
        runs.is_successful,
        runs.price_status,
        count(*) as step_count,
        {{ usd_sum('steps.cost_usd') }} as cost_usd,
        {{ usd_sum('steps.known_cost_usd') }} as known_cost_usd
    from runs
    inner join steps on runs.run_key = steps.run_key_of_step
    group by
        runs.run_key,
        runs.run_date,
        runs.workflow_name,
        steps.agent_name,
        steps.step_type,
        runs.is_final,
        runs.is_successful,
        runs.price_status

)

select
    run_date,
    workflow_name,
    agent_name,
    step_type,
    {{ disclosed_counts('is_final', 'not is_final') }},
    {{ count_where('is_final and is_successful is not null') }} as known_outcome_count,
    {{ count_where('is_final and is_successful') }} as successful_run_count,
    {{ bigint_sum('step_count') }} as step_count,
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd
from steps_of_runs
group by
    run_date,
    workflow_name,
    agent_name,
    step_type
