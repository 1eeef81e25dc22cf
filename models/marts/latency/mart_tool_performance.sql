{{ config(daily_rollup('step_date')) }}

with calls as (

    select
        step_date,
        tool_name,
        agent_session_key,
        step_status,
        is_successful,
        is_failed,
        is_silent_failure,
        is_retried,
        price_status,
        tool_cost_usd,
        {{ plausible_duration('duration_ms') }} as plausible_duration_ms
    from {{ ref('fct_agent_steps') }}
    where
        tool_name is not null
        and {{ of_affected_days('step_date') }}

),

critical_sessions as (

    select agent_session_key
    from {{ ref('fct_agent_sessions') }}
    where is_on_critical_path

),

-- what a share of session time is taken of: all sessions of the day, whatever they used
session_times as (

    select
        session_date,
        {{ bigint_sum(plausible_duration('duration_ms')) }} as session_ms
    from {{ ref('fct_agent_sessions') }}
    where {{ of_affected_days('session_date') }}
    group by session_date

),

placed as (

    select
        calls.step_date,
        calls.tool_name,
        calls.step_status,
        calls.is_successful,
        calls.is_failed,
        calls.is_silent_failure,
        calls.is_retried,
        calls.price_status,
        calls.tool_cost_usd,
        calls.plausible_duration_ms,
        critical_sessions.agent_session_key is not null as is_on_critical_path
    from calls
    left join critical_sessions on calls.agent_session_key = critical_sessions.agent_session_key

),

measured as (

    select
        step_date,
        tool_name,
        {{ disclosed_counts('is_successful is not null', "step_status = 'in_progress'") }},
        {{ count_where('is_successful') }} as successful_call_count,
        {{ count_where('is_failed') }} as failed_call_count,
        {{ count_where("step_status = 'timeout'") }} as timeout_count,
        {{ count_where('is_silent_failure') }} as silent_failure_count,
        {{ count_where('is_retried') }} as retried_call_count,
        count(plausible_duration_ms) as timed_call_count,
        {{ duration_distribution('plausible_duration_ms') }},
        {{ bigint_sum('plausible_duration_ms') }} as tool_ms,
        {{ bigint_sum('case when is_on_critical_path then plausible_duration_ms end') }} as critical_path_ms,
        count(tool_cost_usd) as rated_call_count,
        {{ usd_sum('tool_cost_usd') }} as tool_cost_usd
    from placed
    group by
        step_date,
        tool_name

)

select
    {{ rollup_key(['measured.step_date', 'measured.tool_name']) }} as tool_performance_key,
    measured.step_date,
    measured.tool_name,

    -- what the figures rest on
    measured.n_all,
    measured.n_used,
    measured.n_unfinished,
    measured.n_unpriced,
    measured.n_partial,

    -- outcomes
    measured.n_all as call_count,
    measured.successful_call_count,
    measured.failed_call_count,
    measured.timeout_count,
    measured.silent_failure_count,
    measured.retried_call_count,
    {{ ratio('measured.successful_call_count', 'measured.n_used') }} as success_rate,

    -- distribution
    measured.timed_call_count,
    measured.mean_duration_ms,
    measured.p50_duration_ms,
    measured.p90_duration_ms,
    measured.p95_duration_ms,
    measured.p99_duration_ms,
    measured.max_duration_ms,

    -- who waits for it
    measured.tool_ms,
    session_times.session_ms,
    {{ ratio('measured.tool_ms', 'session_times.session_ms') }} as session_time_share,
    measured.critical_path_ms,

    -- money
    measured.rated_call_count,
    measured.tool_cost_usd
from measured
left join session_times on measured.step_date = session_times.session_date
