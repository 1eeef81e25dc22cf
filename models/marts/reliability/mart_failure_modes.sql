{{ config(daily_rollup('failure_date')) }}

{#- Facts are read for every use: all their rows together would be kept in memory to count them first
    and look at the failures among them afterwards. -#}
-- what a share is taken of: every row of the same grain and day, failed or not
with bases as (

    select
        run_date as failure_date,
        'run' as grain,
        count(*) as n_all,
        {{ count_where('is_final') }} as n_used
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}
    group by run_date

    union all

    select
        session_date as failure_date,
        'session' as grain,
        count(*) as n_all,
        {{ count_where("session_status != 'in_progress'") }} as n_used
    from {{ ref('fct_agent_sessions') }}
    where {{ of_affected_days('session_date') }}
    group by session_date

    union all

    select
        step_date as failure_date,
        'step' as grain,
        count(*) as n_all,
        cast(count(*) as {{ dbt.type_bigint() }}) as n_used
    from {{ ref('fct_agent_steps') }}
    where {{ of_affected_days('step_date') }}
    group by step_date

),

failing_rows as (

    select
        run_key,
        run_date as failure_date,
        'run' as grain,
        first_failing_agent as agent_name,
        first_failing_step_type as step_type,
        first_failing_tool as tool_name,
        first_failing_canonical_model as canonical_model,
        failure_mode,
        failure_category,
        failure_severity,
        cast(null as {{ type_text() }}) as failure_rule_severity,
        price_status,
        wasted_cost_usd,
        {{ plausible_duration('duration_ms') }} as lost_ms
    from {{ ref('fct_agent_runs') }}
    where
        failure_mode is not null
        and {{ of_affected_days('run_date') }}

    union all

    select
        run_key,
        session_date as failure_date,
        'session' as grain,
        agent_name,
        cast(null as {{ type_text() }}) as step_type,
        cast(null as {{ type_text() }}) as tool_name,
        coalesce(canonical_model, model_name) as canonical_model,
        failure_mode,
        failure_category,
        cast(null as {{ type_text() }}) as failure_severity,
        failure_rule_severity,
        price_status,
        cost_usd as wasted_cost_usd,
        {{ plausible_duration('duration_ms') }} as lost_ms
    from {{ ref('fct_agent_sessions') }}
    where
        failure_mode is not null
        and {{ of_affected_days('session_date') }}

    union all

    select
        run_key,
        step_date as failure_date,
        'step' as grain,
        agent_name,
        step_type,
        tool_name,
        canonical_model,
        failure_mode,
        failure_category,
        cast(null as {{ type_text() }}) as failure_severity,
        failure_rule_severity,
        price_status,
        cost_usd as wasted_cost_usd,
        {{ plausible_duration('duration_ms') }} as lost_ms
    from {{ ref('fct_agent_steps') }}
    where
        failure_mode is not null
        and {{ of_affected_days('step_date') }}

),

advice as (

    select
        failure_mode as advised_mode,
        likely_owner,
        suggested_fix
    from {{ ref('failure_mode_advice') }}

),

people as (

    select
        run_key,
        coalesce(user_id, anonymous_id) as person_id
    from {{ ref('fct_agent_runs') }}

),

failures as (

    select
        failing_rows.failure_date,
        failing_rows.grain,
        coalesce(failing_rows.agent_name, '(not set)') as agent_name,
        coalesce(failing_rows.step_type, '(none)') as step_type,
        coalesce(failing_rows.tool_name, '(none)') as tool_name,
        coalesce(failing_rows.canonical_model, '(none)') as canonical_model,
        failing_rows.failure_mode,
        failing_rows.failure_category,
        failing_rows.failure_severity,
        failing_rows.failure_rule_severity,
        people.person_id,
        failing_rows.price_status,
        failing_rows.wasted_cost_usd,
        failing_rows.lost_ms
    from failing_rows
    inner join people on failing_rows.run_key = people.run_key

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
        failure_rule_severity,
        count(*) as failure_count,
        count(distinct person_id) as user_count,
        {{ count_where("price_status = 'unpriced'") }} as n_unpriced,
        {{ count_where("price_status = 'partial'") }} as n_partial,
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
        failure_severity,
        failure_rule_severity

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
        ~ " || '|' || coalesce(counted.failure_severity, counted.failure_rule_severity, '')"
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
    counted.failure_rule_severity,
    counted.failure_count,
    {{ ratio('counted.failure_count', 'bases.n_used') }} as failure_share,
    counted.user_count,
    counted.wasted_cost_usd,
    counted.lost_minutes,
    advice.likely_owner,
    advice.suggested_fix,
    bases.n_all,
    bases.n_used,
    bases.n_all - bases.n_used as n_unfinished,
    counted.n_unpriced,
    counted.n_partial
from counted
inner join bases
    on
        counted.failure_date = bases.failure_date
        and counted.grain = bases.grain
left join advice on counted.failure_mode = advice.advised_mode
