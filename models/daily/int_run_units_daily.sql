{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_key,
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_name,
        is_final,
        is_successful,
        price_status,
        cost_usd,
        known_cost_usd,
        {{ plausible_duration('duration_ms') }} as duration_ms,
        step_count,
        tool_call_count,
        agent_session_count
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

),

units as (

    select 'step' as unit
    union all
    select 'tool_call' as unit
    union all
    select 'agent_session' as unit

),

-- runs by how many units they have
runs_by_unit as (

    select
        runs.run_date,
        runs.workflow_name,
        units.unit,
        case units.unit
            when 'step' then cast(runs.step_count as {{ dbt.type_bigint() }})
            when 'tool_call' then cast(runs.tool_call_count as {{ dbt.type_bigint() }})
            else cast(runs.agent_session_count as {{ dbt.type_bigint() }})
        end as unit_number,
        runs.is_final,
        runs.is_successful,
        runs.price_status,
        runs.cost_usd,
        runs.known_cost_usd,
        runs.duration_ms
    from runs
    cross join units

),

ended_runs as (

    select
        run_key as key_of_run,
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_name,
        last_event_at
    from {{ ref('fct_agent_runs') }}
    where
        is_final
        and {{ of_affected_days('run_date') }}

),

step_days as (

    {{ days_reached_by('ended_runs', ref('fct_agent_steps'), 'step_date') }}

),

session_days as (

    {{ days_reached_by('ended_runs', ref('fct_agent_sessions'), 'session_date') }}

),

steps as (

    select
        run_key,
        step_key,
        step_number,
        step_type,
        ended_at,
        has_unknown_cost,
        cost_usd,
        {{ plausible_duration('duration_ms') }} as duration_ms
    from {{ ref('fct_agent_steps') }}
    where step_date in (select step_days.step_date from step_days)

),

sessions as (

    select
        run_key,
        agent_session_key,
        session_number,
        started_at,
        price_status,
        cost_usd,
        {{ plausible_duration('duration_ms') }} as duration_ms
    from {{ ref('fct_agent_sessions') }}
    where session_date in (select session_days.session_date from session_days)

),

-- the order in which the steps of all sessions of a run ended
steps_in_order as (

    select
        ended_runs.run_date,
        ended_runs.workflow_name,
        steps.step_type,
        steps.has_unknown_cost,
        steps.cost_usd,
        steps.duration_ms,
        row_number() over (
            partition by steps.run_key order by steps.ended_at, steps.step_number, {{ key_order('steps.step_key') }}
        ) as step_position,
        sum(case when steps.step_type = 'tool_call' then 1 else 0 end) over (
            partition by steps.run_key
            order by steps.ended_at, steps.step_number, {{ key_order('steps.step_key') }}
            rows between unbounded preceding and current row
        ) as tool_call_position
    from steps
    inner join ended_runs on steps.run_key = ended_runs.key_of_run

),

sessions_in_order as (

    select
        ended_runs.run_date,
        ended_runs.workflow_name,
        sessions.price_status,
        sessions.cost_usd,
        sessions.duration_ms,
        row_number() over (
            partition by sessions.run_key
            order by sessions.started_at, sessions.session_number, {{ key_order('sessions.agent_session_key') }}
        ) as session_position
    from sessions
    inner join ended_runs on sessions.run_key = ended_runs.key_of_run

),

-- runs with k units or more show what the k-th one costs
reached_units as (

    select
        run_date,
        workflow_name,
        'step' as unit,
        step_position as unit_number,
        has_unknown_cost,
        cost_usd,
        duration_ms
    from steps_in_order

    union all

    select
        run_date,
        workflow_name,
        'tool_call' as unit,
        tool_call_position as unit_number,
        has_unknown_cost,
        cost_usd,
        duration_ms
    from steps_in_order
    where step_type = 'tool_call'

    union all

    select
        run_date,
        workflow_name,
        'agent_session' as unit,
        session_position as unit_number,
        price_status in ('unpriced', 'partial') as has_unknown_cost,
        cost_usd,
        duration_ms
    from sessions_in_order

),

counted as (

    select
        run_date,
        workflow_name,
        unit,
        cast(unit_number as {{ dbt.type_bigint() }}) as unit_number,
        {{ disclosed_counts('is_final', 'not is_final') }},
        {{ count_where('is_final and is_successful is not null') }} as known_outcome_count,
        {{ count_where('is_final and is_successful') }} as successful_run_count,
        {{ count_where('is_final and cost_usd is not null') }} as costed_run_count,
        {{ usd_sum('case when is_final then cost_usd end') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ count_where('is_final and duration_ms is not null') }} as timed_run_count,
        {{ bigint_sum('case when is_final then duration_ms end') }} as duration_ms
    from runs_by_unit
    group by
        run_date,
        workflow_name,
        unit,
        unit_number

),

reached as (

    select
        run_date,
        workflow_name,
        unit,
        cast(unit_number as {{ dbt.type_bigint() }}) as unit_number,
        {{ count_where('not has_unknown_cost') }} as known_cost_unit_count,
        {{ usd_sum('cost_usd') }} as unit_cost_usd,
        {{ count_where('duration_ms is not null') }} as timed_unit_count,
        {{ bigint_sum('duration_ms') }} as unit_duration_ms
    from reached_units
    group by
        run_date,
        workflow_name,
        unit,
        unit_number

)

select
    coalesce(counted.run_date, reached.run_date) as run_date,
    coalesce(counted.workflow_name, reached.workflow_name) as workflow_name,
    coalesce(counted.unit, reached.unit) as unit,
    coalesce(counted.unit_number, reached.unit_number) as unit_number,
    coalesce(counted.n_all, 0) as n_all,
    coalesce(counted.n_used, 0) as n_used,
    coalesce(counted.n_unfinished, 0) as n_unfinished,
    coalesce(counted.n_unpriced, 0) as n_unpriced,
    coalesce(counted.n_partial, 0) as n_partial,
    coalesce(counted.known_outcome_count, 0) as known_outcome_count,
    coalesce(counted.successful_run_count, 0) as successful_run_count,
    coalesce(counted.costed_run_count, 0) as costed_run_count,
    counted.cost_usd,
    counted.known_cost_usd,
    coalesce(counted.timed_run_count, 0) as timed_run_count,
    counted.duration_ms,
    coalesce(reached.known_cost_unit_count, 0) as known_cost_unit_count,
    reached.unit_cost_usd,
    coalesce(reached.timed_unit_count, 0) as timed_unit_count,
    reached.unit_duration_ms
from counted
full outer join reached
    on
        counted.run_date = reached.run_date
        and counted.workflow_name = reached.workflow_name
        and counted.unit = reached.unit
        and counted.unit_number = reached.unit_number
