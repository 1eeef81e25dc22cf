{%- set expected_columns = standard_event_columns() + [
    {'name': 'action_type', 'type': 'text'},
    {'name': 'feedback_type', 'type': 'text', 'raw_names': ['feedback_type', 'action_details_feedback_type'], 'json': [['action_details', 'feedback_type']]},
    {'name': 'feedback_value', 'type': 'text', 'raw_names': ['feedback_value', 'action_details_feedback_value'], 'json': [['action_details', 'feedback_value']]},
    {'name': 'feedback_text', 'type': 'text', 'raw_names': ['feedback_text', 'action_details_feedback_text'], 'json': [['action_details', 'feedback_text']]}
] -%}

with raw_events as (

    {{ typed_source('rudderstack', 'ai_user_action', expected_columns) }}

),

renamed as (

    select
        -- ids, context, times and data quality
        {{ renamed_event_columns() }},

        -- the action, without its text
        {{ word_label('action_type', known_actions()) }} as action_type,
        {{ word_label('feedback_type') }} as feedback_type,
        {{ feedback_label('feedback_value') }} as feedback_value,
        {{ character_count('feedback_text') }} as feedback_text_length
    from raw_events

)

select * from renamed
