{{ config(unique_key='failure_date', meta={'tested_by_day': 'failure_date'}) }}

with runs as (

    select
        *,
        coalesce(user_id, anonymous_id) as person_id
    from {{ ref('fct_agent_runs') }}

),

sessions as (

    select * from {{ ref('fct_agent_sessions') }}
    where {{ of_touched_days('session_date') }}

),

steps as (

    select * from {{ ref('fct_agent_steps') }}
    where {{ of_touched_days('step_date') }}

),

run_rows as (

    select
        run_date as failure_date,
        'run' as grain,
        first_failing_agent as agent_name,
        first_failing_step_type as step_type,
        first_failing_tool as tool_name,
        first_failing_model as model_name,
        failure_mode,
        failure_category,
        failure_severity,
        person_id,
        price_status,
        is_final,
        wasted_cost_usd,
        {{ plausible_duration('duration_ms') }} as lost_ms
    from runs
    where {{ of_touched_days('run_date') }}

),

session_rows as (

    select
        sessions.session_date as failure_date,
        'session' as grain,
        sessions.agent_name,
        cast(null as {{ type_text() }}) as step_type,
        cast(null as {{ type_text() }}) as tool_name,
        sessions.model_name,
        sessions.failure_mode as failure_mode,
        sessions.failure_category as failure_category,
        sessions.failure_severity as failure_severity,
        runs.person_id,
        sessions.price_status as price_status,
        sessions.session_status != 'in_progress' as is_final,
        sessions.cost_usd as wasted_cost_usd,
        {{ plausible_duration('sessions.duration_ms') }} as lost_ms
    from sessions
    inner join runs on sessions.run_key = runs.run_key

),

step_rows as (

    select
        steps.step_date as failure_date,
        'step' as grain,
        steps.agent_name,
        steps.step_type,
        steps.tool_name,
        steps.canonical_model as model_name,
        steps.failure_mode as failure_mode,
        steps.failure_category as failure_category,
        steps.failure_severity as failure_severity,
        runs.person_id,
        steps.price_status as price_status,
        true as is_final,
        steps.cost_usd as wasted_cost_usd,
        {{ plausible_duration('steps.duration_ms') }} as lost_ms
    from steps
    inner join runs on steps.run_key = runs.run_key

),

all_rows as (

    select * from run_rows
    union all
    select * from session_rows
    union all
    select * from step_rows

),

-- what a share is taken of: every row of the same grain and day, failed or not
bases as (

    select
        failure_date,
        grain,
        count(*) as n_all,
        {{ count_where('is_final') }} as n_used,
        {{ count_where('not is_final') }} as n_unfinished
    from all_rows
    group by
        failure_date,
        grain

),

models_resolved as (

    select * from {{ ref('int_models_resolved') }}

),

failures as (

    select
        all_rows.failure_date,
        all_rows.grain,
        coalesce(all_rows.agent_name, '(not set)') as agent_name,
        coalesce(all_rows.step_type, '(none)') as step_type,
        coalesce(all_rows.tool_name, '(none)') as tool_name,
        coalesce(models_resolved.canonical_model, all_rows.model_name, '(none)') as canonical_model,
        all_rows.failure_mode,
        all_rows.failure_category,
        all_rows.failure_severity,
        all_rows.person_id,
        all_rows.price_status,
        all_rows.wasted_cost_usd,
        all_rows.lost_ms
    from all_rows
    left join models_resolved on all_rows.model_name = models_resolved.model_name
    where all_rows.failure_mode is not null

),

counted as (

    select
        failure_date,
        grain,
        agent_name,
        step_type,
        tool_name,
        canonical_model,
        failure_mode,
        failure_category,
        failure_severity,
        count(*) as failure_count,
        count(distinct person_id) as user_count,
        {{ count_where("price_status = 'unpriced'") }} as n_unpriced,
        {{ usd_sum('wasted_cost_usd') }} as wasted_cost_usd,
        cast(sum(lost_ms) as {{ type_double() }}) / 60000 as lost_minutes
    from failures
    group by
        failure_date,
        grain,
        agent_name,
        step_type,
        tool_name,
        canonical_model,
        failure_mode,
        failure_category,
        failure_severity

)

select
    {{ text_hash(
        'cast(counted.failure_date as ' ~ type_text() ~ ") || '|' || counted.grain"
        ~ " || '|' || " ~ text_hash('counted.agent_name')
        ~ " || '|' || " ~ text_hash('counted.step_type')
        ~ " || '|' || " ~ text_hash('counted.tool_name')
        ~ " || '|' || " ~ text_hash('counted.canonical_model')
        ~ " || '|' || counted.failure_mode"
        ~ " || '|' || coalesce(counted.failure_category, '')"
        ~ " || '|' || coalesce(counted.failure_severity, '')"
    ) }} as failure_modes_key,
    counted.failure_date as failure_date,
    counted.grain as grain,
    counted.agent_name,
    counted.step_type,
    counted.tool_name,
    counted.canonical_model,
    counted.failure_mode,
    counted.failure_category,
    counted.failure_severity,
    counted.failure_count,
    {{ ratio('counted.failure_count', 'bases.n_used') }} as failure_share,
    counted.user_count,
    counted.wasted_cost_usd,
    counted.lost_minutes,
    bases.n_all,
    bases.n_used,
    bases.n_unfinished,
    counted.n_unpriced
from counted
inner join bases
    on
        counted.failure_date = bases.failure_date
        and counted.grain = bases.grain
