{{ config(daily_rollup('session_date')) }}

with sessions as (

    select * from {{ ref('fct_agent_sessions') }}
    where {{ of_affected_days('session_date') }}

),

runs as (

    select
        run_key,
        execution_mode
    from {{ ref('fct_agent_runs') }}

),

agent_catalog as (

    select
        agent_name as catalog_agent_name,
        execution_mode as catalog_execution_mode,
        latency_slo_ms
    from {{ ref('agent_catalog') }}

),

-- a session is handed work once at most
handoffs as (

    select
        to_agent_session_key,
        gap_ms as start_gap_ms
    from {{ ref('fct_agent_handoffs') }}

),

labelled as (

    select
        sessions.*,
        coalesce(sessions.agent_name, '(not set)') as agent_label,
        runs.execution_mode,
        {{ plausible_duration('sessions.duration_ms') }} as plausible_duration_ms,
        sessions.session_status not in ('in_progress', 'abandoned')
        and (
            sessions.has_completed_event
            or sessions.session_source = 'response'
            -- a team may send starts and responses but no completions
            or sessions.response_match_method is not null
        ) as is_finished
    from sessions
    inner join runs on sessions.run_key = runs.run_key

),

-- the most telling entry of the catalogue: agent before default, mode before any mode
objectives as (

    select
        labelled.*,
        coalesce(
            agent_and_mode.latency_slo_ms,
            agent_any_mode.latency_slo_ms,
            default_mode.latency_slo_ms,
            (
                select max(default_any_mode.latency_slo_ms)
                from agent_catalog as default_any_mode
                where
                    default_any_mode.catalog_agent_name = '*'
                    and default_any_mode.catalog_execution_mode = '*'
            )
        ) as latency_slo_ms,
        handoffs.start_gap_ms
    from labelled
    left join agent_catalog as agent_and_mode
        on
            labelled.agent_name = agent_and_mode.catalog_agent_name
            and labelled.execution_mode = agent_and_mode.catalog_execution_mode
    left join agent_catalog as agent_any_mode
        on
            labelled.agent_name = agent_any_mode.catalog_agent_name
            and agent_any_mode.catalog_execution_mode = '*'
    left join agent_catalog as default_mode
        on
            labelled.execution_mode = default_mode.catalog_execution_mode
            and default_mode.catalog_agent_name = '*'
    left join handoffs on labelled.agent_session_key = handoffs.to_agent_session_key

),

measured as (

    select
        *,
        is_finished and plausible_duration_ms is not null as is_used,
        llm_ms is not null or tool_ms is not null as has_step_times,
        case when is_finished then plausible_duration_ms end as measured_duration_ms
    from objectives

)

select
    {{ text_hash('cast(session_date as ' ~ type_text() ~ ") || '|' || agent_label") }} as agent_latency_key,
    session_date,
    agent_label as agent_name,

    -- what the figures rest on
    {{ disclosed_counts('is_used', 'not is_finished') }},
    {{ count_where("not is_finished and has_started_event and session_status != 'in_progress'") }} as never_finished_count,
    {{ count_where('is_used and not has_step_times') }} as n_without_step_times,

    -- distribution
    {{ duration_distribution('measured_duration_ms') }},

    -- where the time goes; the three parts, as far as they are known, add up to duration_ms
    {{ bigint_sum('measured_duration_ms') }} as duration_ms,
    {{ bigint_sum('case when is_used and has_step_times then coalesce(llm_ms, 0) end') }} as llm_ms,
    {{ bigint_sum('case when is_used and has_step_times then coalesce(tool_ms, 0) end') }} as tool_ms,
    {{ bigint_sum('case when is_used then other_ms end') }} as other_ms,

    -- how long work that was handed over lies
    count(start_gap_ms) as handed_session_count,
    avg(cast(start_gap_ms as {{ type_double() }})) as mean_start_gap_ms,

    -- who makes users wait
    {{ count_where('is_used and is_on_critical_path') }} as critical_path_session_count,
    {{ ratio(
        'sum(case when is_on_critical_path then measured_duration_ms end)', 'sum(measured_duration_ms)'
    ) }} as critical_path_time_share,
    {{ count_where('is_used and latency_slo_ms is not null') }} as n_with_slo,
    {{ count_where('is_used and measured_duration_ms > latency_slo_ms') }} as slo_breach_count
from measured
group by
    session_date,
    agent_label
