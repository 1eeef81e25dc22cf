{{ config(daily_rollup('session_date')) }}

with sessions as (

    select
        *,
        session_status in ('error', 'timeout') as is_failed
    from {{ ref('fct_agent_sessions') }}
    where {{ of_affected_days('session_date') }}

),

runs as (

    select
        run_key as key_of_run,
        prompt_length,
        max_depth,
        agent_session_count as session_count_of_run
    from {{ ref('fct_agent_runs') }}

),

-- the eight things that tell the story of a session
logged as (

    select
        sessions.session_date,
        coalesce(sessions.agent_name, '(not set)') as agent_label,
        coalesce(sessions.agent_version, '(not set)') as version_label,
        sessions.session_status,
        sessions.price_status,
        sessions.is_failed,
        sessions.has_started_event,
        sessions.has_completed_event,
        sessions.session_source = 'response' or sessions.response_match_method is not null as has_response,
        sessions.step_count,
        sessions.reported_steps_count,
        sessions.total_tokens is not null as has_tokens,
        sessions.cost_usd is not null as has_cost,
        sessions.canonical_model is not null or sessions.model_name is not null as has_model,
        sessions.parent_agent_session_key is not null as has_parent,
        sessions.is_failed and sessions.error_type is not null as has_error_type,
        runs.prompt_length is not null as has_input,
        sessions.response_length is not null as has_output,
        sessions.duration_ms is not null as has_duration,
        sessions.sent_status is not null as has_status,
        not sessions.is_failed or (sessions.error_type is not null and sessions.failed_step_count > 0) as has_located_errors,
        runs.session_count_of_run = 1 or coalesce(runs.max_depth, 0) > 0 as has_links
    from sessions
    inner join runs on sessions.run_key = runs.key_of_run

)

select
    {{ rollup_key(['session_date', 'agent_label', 'version_label']) }} as instrumentation_daily_key,
    session_date,
    agent_label as agent_name,
    version_label as agent_version,
    {{ disclosed_counts("session_status != 'in_progress'", "session_status = 'in_progress'") }},
    {%- for thing in [
        'response', 'tokens', 'cost', 'model', 'parent', 'error_type',
        'input', 'output', 'duration', 'status', 'located_errors', 'links'
    ] %}
    {{ count_where('has_' ~ thing) }} as with_{{ thing }}_count,
    {%- endfor %}
    {{ count_where('has_started_event') }} as with_start_count,
    {{ count_where('has_completed_event') }} as with_completion_count,
    {{ count_where('step_count > 0') }} as with_steps_count,
    {{ count_where('is_failed') }} as failed_session_count,
    {{ bigint_sum('reported_steps_count') }} as reported_steps_count,
    {{ bigint_sum('case when reported_steps_count is not null then step_count end') }} as step_count
from logged
group by
    session_date,
    agent_label,
    version_label
