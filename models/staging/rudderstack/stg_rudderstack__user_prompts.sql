{%- set expected_columns = standard_event_columns() + [
    {'name': 'prompt_text', 'type': 'text'},
    {'name': 'input_method', 'type': 'text'},
    {'name': 'intent', 'type': 'text', 'raw_names': ['intent', 'request_category']}
] -%}

with raw_events as (

    {{ typed_source('rudderstack', 'ai_user_prompt_created', expected_columns) }}

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

        -- the prompt, without its text
        lower(input_method) as input_method,
        intent,
        {{ salted_hash('prompt_text') }} as prompt_hash,
        {{ character_count('prompt_text') }} as prompt_length,

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
