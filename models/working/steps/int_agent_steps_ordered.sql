{{ config(materialized='view') }}

with steps as (

    select * from {{ ref('int_agent_steps_accepted') }}

),

sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

sequenced as (

    select * from {{ ref('int_agent_steps_sequenced') }}

)

select
    steps.event_key as event_key,
    steps.step_key,
    steps.step_id,
    steps.agent_session_key as agent_session_key,
    steps.run_key as run_key,
    steps.conversation_id as conversation_id,
    steps.interaction_id as interaction_id,
    steps.agent_session_id as agent_session_id,
    coalesce(steps.sent_agent_name, sessions.agent_name) as agent_name,
    coalesce(steps.agent_version, sessions.agent_version) as agent_version,
    coalesce(steps.sent_model_name, sessions.model_name) as model_name,
    steps.tool_name,
    coalesce(steps.service_tier, sessions.service_tier) as service_tier,
    steps.is_cache_hit as is_cache_hit,
    steps.source_id as source_id,
    steps.library_name as library_name,
    sequenced.step_number,
    steps.step_type,
    steps.step_status,
    steps.sent_status as sent_status,
    steps.step_status in ('error', 'timeout') as is_failed,
    case when steps.step_status not in ('unknown', 'in_progress') then steps.step_status = 'success' end as is_successful,
    sequenced.attempt_number,
    steps.merged_event_count,
    {{ key_of(key_text('steps.agent_session_key') ~ ' || cast(sequenced.operation_position as ' ~ type_text() ~ ')') }} as operation_key,
    sequenced.is_retry,
    sequenced.is_fallback,
    sequenced.is_retried,
    steps.response_length as response_length,
    steps.tool_input_hash,
    steps.tool_input_length,
    steps.tool_output_length,
    coalesce(
        steps.step_status = 'success' and steps.step_type = 'tool_call' and steps.has_error_like_tool_output, false
    ) as is_silent_failure,
    steps.sent_prompt_tokens as sent_prompt_tokens,
    steps.sent_completion_tokens as sent_completion_tokens,
    steps.sent_cache_read_tokens as sent_cache_read_tokens,
    steps.sent_cache_write_tokens as sent_cache_write_tokens,
    steps.sent_cache_write_1h_tokens as sent_cache_write_1h_tokens,
    steps.sent_reasoning_tokens as sent_reasoning_tokens,
    steps.sent_total_tokens as sent_total_tokens,
    steps.reported_cost_usd as reported_cost_usd,
    steps.error_type as error_type,
    steps.http_status,
    steps.finish_reason as finish_reason,
    steps.error_message_class as error_message_class,
    steps.started_at as started_at,
    steps.ended_at as ended_at,
    steps.duration_ms as duration_ms,
    steps.time_to_first_token_ms,
    steps.plausible_duration_ms,
    steps.has_suspect_duration as has_suspect_duration,
    steps.has_clock_skew as has_clock_skew
from steps
inner join sequenced on steps.event_key = sequenced.event_key
left join sessions on steps.agent_session_key = sessions.agent_session_key
