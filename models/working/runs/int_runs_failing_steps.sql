{#- The first failing step of every run that has one, and the step that explains the failure: the
    first that no later attempt repaired. -#}
{%- set run_order -%}
    partition by steps.run_key
            order by steps.ended_at nulls last, {{ key_order('steps.agent_session_key') }},
                steps.step_number nulls last, {{ key_order('steps.step_key') }}
{%- endset -%}
{%- set of_these_runs = of_affected_runs('ended_at') -%}

with steps as (

    select * from {{ ref('fct_agent_steps') }}
    where {{ of_these_runs }}

),

failures as (

    select * from {{ ref('fct_agent_steps') }}
    where
        is_failed
        and {{ of_these_runs }}

),

failing_runs as (

    select distinct run_key
    from {{ ref('fct_agent_steps') }}
    where
        is_failed
        and {{ of_these_runs }}

),

-- all steps of these runs, only what decides the order and is counted
positions as (

    select
        steps.step_key as step_key,
        row_number() over ({{ run_order }}) as position_in_run,
        count(*) over (partition by steps.run_key) as run_step_count,
        cast(sum(steps.cost_usd) over (partition by steps.run_key) as {{ type_usd() }}) as run_steps_cost_usd,
        cast(
            sum(steps.cost_usd) over (
                {{ run_order }}
                rows between unbounded preceding and current row
            ) as {{ type_usd() }}
        ) as cost_so_far_usd
    from steps
    inner join failing_runs on steps.run_key = failing_runs.run_key

),

failing_steps as (

    select
        failures.run_key,
        failures.step_key as step_key,
        failures.agent_name,
        failures.step_number,
        failures.step_type,
        failures.tool_name,
        failures.model_name,
        failures.canonical_model,
        failures.failure_mode,
        failures.failure_category,
        positions.position_in_run,
        positions.run_step_count,
        positions.run_steps_cost_usd,
        positions.cost_so_far_usd,
        row_number() over (partition by failures.run_key order by positions.position_in_run) as failure_rank,
        row_number() over (
            partition by failures.run_key
            order by
                case when failures.is_retried then 1 else 0 end,
                positions.position_in_run
        ) as explanation_rank
    from failures
    inner join positions on failures.step_key = positions.step_key

),

first_failures as (

    select
        run_key,
        step_key as first_failing_step_key,
        agent_name as first_failing_agent,
        step_number as first_failing_step_number,
        step_type as first_failing_step_type,
        tool_name as first_failing_tool,
        model_name as first_failing_model,
        coalesce(canonical_model, model_name) as first_failing_canonical_model,
        {{ ratio('position_in_run', 'run_step_count') }} as first_failing_position,
        cast(run_steps_cost_usd - coalesce(cost_so_far_usd, 0) as {{ type_usd() }}) as cost_after_first_failure_usd
    from failing_steps
    where failure_rank = 1

),

explanations as (

    select
        run_key,
        failure_mode,
        failure_category
    from failing_steps
    where explanation_rank = 1

)

select
    first_failures.*,
    explanations.failure_mode as step_failure_mode,
    explanations.failure_category as step_failure_category
from first_failures
inner join explanations on first_failures.run_key = explanations.run_key
