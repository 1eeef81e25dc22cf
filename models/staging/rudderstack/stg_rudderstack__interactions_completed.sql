with raw_events as (

    select * from {{ ref('base_rudderstack__interactions_completed') }}

),

renamed as (

    select
        -- ids, as they were sent
        id as event_id,
        conversation_id as sent_conversation_id,
        interaction_id as sent_interaction_id,
        parent_interaction_id,
        user_id,
        anonymous_id,
        context_source_id as source_id,
        raw_schema,

        -- what happened
        {{ normalized_status('status') }} as event_status,
        duration_ms,
        agents_count as reported_agents_count,
        steps_count as reported_steps_count,
        {{ character_count('final_response_text') }} as response_length,

        -- usage and money, as they were sent
        prompt_tokens as sent_prompt_tokens,
        completion_tokens as sent_completion_tokens,
        cache_read as sent_cache_read_tokens,
        cache_write as sent_cache_write_tokens,
        cost as reported_cost_usd,
        lower(service_tier) as service_tier,

        -- failure
        lower(error_type) as error_type,
        http_status,
        lower(finish_reason) as finish_reason,
        {{ message_class('error_message') }} as error_message_class,
        {{ failure_signal_key("'run'", 'status') }} as failure_signal_key,

        -- context
        workflow_name,
        environment,
        lower(trigger_type) as trigger_type,
        lower(execution_mode) as execution_mode,

        -- times, UTC
        {{ event_time() }} as event_at,
        received_at,
        loaded_at,

        -- data quality
        {{ is_clock_skewed() }} as has_clock_skew,
        unconverted_columns
    from raw_events

)

select * from renamed
