{%- set lone_columns = [
    'lone_agent_session_key', 'run_key', 'conversation_id', 'interaction_id', 'agent_name', 'agent_version', 'model_name', 'has_clock_skew',
    'event_id', 'event_status', 'sent_status', 'duration_ms', 'reported_steps_count', 'response_length', 'sent_prompt_tokens',
    'sent_completion_tokens', 'sent_cache_read_tokens', 'sent_cache_write_tokens', 'sent_cache_write_1h_tokens', 'sent_reasoning_tokens',
    'sent_total_tokens', 'reported_cost_usd', 'service_tier', 'is_cache_hit', 'source_id', 'library_name', 'error_type', 'finish_reason',
    'error_message_class', 'failure_signal_key', 'event_at'
] -%}
with reported_sessions as (

    select * from {{ ref('int_agent_sessions_reported') }}

),

matches as (

    select * from {{ ref('int_agent_responses_matched') }}

),

accepted_responses as (

    select * from {{ ref('int_events_accepted') }}
    where source_table = 'ai_agent_response_received'

),

responses as (

    select
        accepted_responses.*,
        matches.agent_session_key as matched_agent_session_key,
        matches.match_method
    from accepted_responses
    inner join matches on accepted_responses.event_key = matches.event_key
    where matches.is_matched

),

-- read again: one common table expression for both uses would be kept in memory with all columns
lone_responses as (

    select
        lone.*,
        matches.agent_session_key as lone_agent_session_key
    from {{ ref('int_events_accepted') }} as lone
    inner join matches on lone.event_key = matches.event_key
    where
        lone.source_table = 'ai_agent_response_received'
        and not matches.is_matched

),

with_session_id as (

    select
        reported_sessions.agent_session_key as agent_session_key,
        reported_sessions.run_key as run_key,
        reported_sessions.conversation_id as conversation_id,
        reported_sessions.interaction_id as interaction_id,
        reported_sessions.agent_session_id as agent_session_id,
        reported_sessions.sent_parent_agent_session_id as sent_parent_agent_session_id,
        coalesce(reported_sessions.agent_name, responses.agent_name) as agent_name,
        coalesce(reported_sessions.agent_version, responses.agent_version) as agent_version,
        coalesce(reported_sessions.model_name, lower(trim(responses.model_name))) as model_name,
        case
            when reported_sessions.has_started_event or reported_sessions.has_completed_event then 'session_events'
            when responses.event_id is not null then 'response'
            else 'inferred'
        end as session_source,
        reported_sessions.has_started_event,
        reported_sessions.has_completed_event,
        reported_sessions.has_conflicting_completions,
        reported_sessions.has_step_index,
        reported_sessions.has_clock_skew or coalesce(responses.has_clock_skew, false) as has_clock_skew,
        responses.match_method as response_match_method,
        coalesce(reported_sessions.completed_event_id, responses.event_id) as outcome_event_id,
        case
            when reported_sessions.has_completed_event then coalesce(reported_sessions.session_status, 'unknown')
            when responses.event_id is not null then coalesce(responses.event_status, 'unknown')
        end as session_status,
        case
            when reported_sessions.has_completed_event then reported_sessions.sent_status
            else responses.sent_status
        end as sent_status,
        coalesce(reported_sessions.duration_ms, responses.duration_ms) as reported_duration_ms,
        coalesce(reported_sessions.reported_steps_count, responses.reported_steps_count) as reported_steps_count,
        coalesce(reported_sessions.response_length, responses.response_length) as response_length,
        coalesce(reported_sessions.sent_prompt_tokens, responses.sent_prompt_tokens) as sent_prompt_tokens,
        coalesce(reported_sessions.sent_completion_tokens, responses.sent_completion_tokens) as sent_completion_tokens,
        coalesce(reported_sessions.sent_cache_read_tokens, responses.sent_cache_read_tokens) as sent_cache_read_tokens,
        coalesce(reported_sessions.sent_cache_write_tokens, responses.sent_cache_write_tokens) as sent_cache_write_tokens,
        coalesce(reported_sessions.sent_cache_write_1h_tokens, responses.sent_cache_write_1h_tokens) as sent_cache_write_1h_tokens,
        coalesce(reported_sessions.sent_reasoning_tokens, responses.sent_reasoning_tokens) as sent_reasoning_tokens,
        coalesce(reported_sessions.sent_total_tokens, responses.sent_total_tokens) as sent_total_tokens,
        coalesce(reported_sessions.reported_cost_usd, responses.reported_cost_usd) as reported_cost_usd,
        coalesce(reported_sessions.service_tier, responses.service_tier) as service_tier,
        coalesce(reported_sessions.is_cache_hit, responses.is_cache_hit, false) as is_cache_hit,
        coalesce(reported_sessions.source_id, responses.source_id) as source_id,
        coalesce(reported_sessions.library_name, responses.library_name) as library_name,
        coalesce(reported_sessions.error_type, responses.error_type) as error_type,
        coalesce(reported_sessions.finish_reason, responses.finish_reason) as finish_reason,
        coalesce(reported_sessions.error_message_class, responses.error_message_class) as error_message_class,
        coalesce(reported_sessions.failure_signal_key, responses.failure_signal_key) as failure_signal_key,
        reported_sessions.started_event_at,
        reported_sessions.first_step_started_at,
        coalesce(reported_sessions.completed_event_at, responses.event_at) as completed_event_at,
        reported_sessions.last_event_at
    from reported_sessions
    left join responses on reported_sessions.agent_session_key = responses.matched_agent_session_key

),

lone_executions as (

    select
        {{ lone_columns | join(',\n        ') }}
    from lone_responses

    union all

    select
        {{ lone_columns | join(',\n        ') }}
    from {{ ref('int_answers_usage') }}

),

-- a team that sends only standard events has no session ids: each response is an execution
from_responses as (

    select
        lone_agent_session_key as agent_session_key,
        run_key,
        conversation_id,
        interaction_id,
        cast(null as {{ type_text() }}) as agent_session_id,
        cast(null as {{ type_text() }}) as sent_parent_agent_session_id,
        agent_name,
        agent_version,
        lower(trim(model_name)) as model_name,
        'response' as session_source,
        false as has_started_event,
        false as has_completed_event,
        false as has_conflicting_completions,
        false as has_step_index,
        has_clock_skew,
        cast(null as {{ type_text() }}) as response_match_method,
        event_id as outcome_event_id,
        coalesce(event_status, 'unknown') as session_status,
        sent_status,
        duration_ms as reported_duration_ms,
        reported_steps_count,
        response_length,
        sent_prompt_tokens,
        sent_completion_tokens,
        sent_cache_read_tokens,
        sent_cache_write_tokens,
        sent_cache_write_1h_tokens,
        sent_reasoning_tokens,
        sent_total_tokens,
        reported_cost_usd,
        service_tier,
        coalesce(is_cache_hit, false) as is_cache_hit,
        source_id,
        library_name,
        error_type,
        finish_reason,
        error_message_class,
        failure_signal_key,
        cast(null as {{ type_utc_timestamp() }}) as started_event_at,
        cast(null as {{ type_utc_timestamp() }}) as first_step_started_at,
        event_at as completed_event_at,
        event_at as last_event_at
    from lone_executions

),

sessions as (

    select * from with_session_id
    union all
    select * from from_responses

),

believed as (

    select
        *,
        -- clocks of two hosts disagree: a start that is stamped after the end is not believed
        coalesce(started_event_at > completed_event_at, false) as has_start_after_end,
        case
            when started_event_at <= completed_event_at or completed_event_at is null then started_event_at
        end as believed_start_at
    from sessions

),

timed as (

    select
        *,
        {{ is_suspect_duration('reported_duration_ms') }} as has_suspect_duration,
        coalesce(completed_event_at, last_event_at) as ended_at,
        coalesce(
            believed_start_at,
            {{ add_milliseconds('completed_event_at', '-' ~ plausible_duration('reported_duration_ms')) }},
            first_step_started_at,
            completed_event_at,
            last_event_at
        ) as candidate_started_at
    from believed

),

ended as (

    select
        agent_session_key,
        run_key,
        conversation_id,
        interaction_id,
        agent_session_id,
        sent_parent_agent_session_id,
        agent_name,
        agent_version,
        model_name,
        session_source,
        has_started_event,
        has_completed_event,
        has_conflicting_completions,
        has_step_index,
        has_clock_skew or has_start_after_end as has_clock_skew,
        response_match_method,
        outcome_event_id,
        session_status,
        sent_status,
        reported_steps_count,
        response_length,
        {{ plausible_token_count('sent_prompt_tokens') }} as sent_prompt_tokens,
        {{ plausible_token_count('sent_completion_tokens') }} as sent_completion_tokens,
        {{ plausible_token_count('sent_cache_read_tokens') }} as sent_cache_read_tokens,
        {{ plausible_token_count('sent_cache_write_tokens') }} as sent_cache_write_tokens,
        {{ plausible_token_count('sent_cache_write_1h_tokens') }} as sent_cache_write_1h_tokens,
        {{ plausible_token_count('sent_reasoning_tokens') }} as sent_reasoning_tokens,
        {{ plausible_token_count('sent_total_tokens') }} as sent_total_tokens,
        reported_cost_usd,
        service_tier,
        is_cache_hit,
        source_id,
        library_name,
        error_type,
        finish_reason,
        error_message_class,
        failure_signal_key,
        has_suspect_duration,
        -- a step may be stamped later than the end
        least(candidate_started_at, ended_at) as started_at,
        ended_at,
        case
            when reported_duration_ms is not null then reported_duration_ms
            -- one known time is no duration
            when believed_start_at is null and first_step_started_at is null then null
            when completed_event_at is null and last_event_at = believed_start_at then null
            else {{ milliseconds_between('least(candidate_started_at, ended_at)', 'ended_at') }}
        end as duration_ms,
        case when reported_duration_ms is not null then 'reported' else 'derived' end as duration_source
    from timed

),

-- role and rate are the agent's, whatever the mode
agent_catalog as (

    select
        agent_name as catalog_agent_name,
        max(role) as agent_role,
        max(infrastructure_usd_per_hour) as infrastructure_usd_per_hour
    from {{ ref('agent_catalog') }}
    group by agent_name

),

any_agent as (

    select
        max(agent_role) as agent_role,
        max(infrastructure_usd_per_hour) as infrastructure_usd_per_hour
    from agent_catalog
    where catalog_agent_name = '*'

)

select
    ended.*,
    coalesce(agent_catalog.agent_role, any_agent.agent_role) as agent_role,
    {{ to_usd(
        'cast(' ~ plausible_duration('ended.duration_ms') ~ ' as ' ~ type_double() ~ ') / 3600000.0'
        ~ ' * cast(coalesce(agent_catalog.infrastructure_usd_per_hour, any_agent.infrastructure_usd_per_hour) as ' ~ type_double() ~ ')'
    ) }} as infrastructure_cost_usd
from ended
left join agent_catalog on ended.agent_name = agent_catalog.catalog_agent_name
cross join any_agent
