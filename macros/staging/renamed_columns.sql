{% macro renamed_event_columns() -%}
    id as event_id,
        conversation_id as sent_conversation_id,
        interaction_id as sent_interaction_id,
        parent_interaction_id,
        user_id,
        -- a system that answers is no person
        nullif(anonymous_id, 'ai_system') as anonymous_id,
        context_source_id as source_id,
        context_library_name as library_name,
        raw_schema,
        workflow_name,
        environment,
        lower(trigger_type) as trigger_type,
        lower(execution_mode) as execution_mode,
        plan_name,
        {%- for column in passthrough_columns() %}
        {{ column }},
        {%- endfor %}
        {{ event_time() }} as event_at,
        received_at,
        loaded_at,
        {{ is_clock_skewed() }} as has_clock_skew,
        unconverted_columns
{%- endmacro %}


{% macro renamed_agent_columns() -%}
    agent_session_id as sent_agent_session_id,
        parent_agent_session_id as sent_parent_agent_session_id,
        agent_name as sent_agent_name,
        agent_version
{%- endmacro %}


{% macro renamed_usage_columns() -%}
    prompt_tokens as sent_prompt_tokens,
        completion_tokens as sent_completion_tokens,
        cache_read as sent_cache_read_tokens,
        cache_write as sent_cache_write_tokens,
        cache_write_1h_tokens as sent_cache_write_1h_tokens,
        reasoning_tokens as sent_reasoning_tokens,
        total_tokens as sent_total_tokens,
        cost as reported_cost_usd,
        {{ word_label('service_tier') }} as service_tier,
        is_cache_hit
{%- endmacro %}


{% macro renamed_failure_columns(step_type, status) -%}
    {{ label('lower(error_type)') }} as error_type,
        {{ label('http_status') }} as http_status,
        {{ word_label('finish_reason') }} as finish_reason,
        {{ message_class('error_message') }} as error_message_class,
        {{ failure_signal_key(step_type, status) }} as failure_signal_key
{%- endmacro %}
