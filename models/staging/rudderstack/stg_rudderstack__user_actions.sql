{%- set expected_columns = standard_event_columns() + [
    {'name': 'action_type', 'type': 'text'},
    {'name': 'feedback_type', 'type': 'text', 'raw_names': ['feedback_type', 'action_details_feedback_type'], 'json': ['action_details', 'feedback_type']},
    {'name': 'feedback_value', 'type': 'text', 'raw_names': ['feedback_value', 'action_details_feedback_value'], 'json': ['action_details', 'feedback_value']},
    {'name': 'feedback_text', 'type': 'text', 'raw_names': ['feedback_text', 'action_details_feedback_text'], 'json': ['action_details', 'feedback_text']}
] -%}

with raw_events as (

    {{ typed_source('rudderstack', 'ai_user_action', expected_columns) }}

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

        -- the action, without its text
        lower(action_type) as action_type,
        lower(feedback_type) as feedback_type,
        case when length(feedback_value) <= 40 then lower(trim(feedback_value)) end as feedback_value,
        {{ character_count('feedback_text') }} as feedback_text_length,

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
