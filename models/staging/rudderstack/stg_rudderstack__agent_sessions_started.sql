{%- set expected_columns = standard_event_columns() + [
    {'name': 'agent_session_id', 'type': 'id'},
    {'name': 'parent_agent_session_id', 'type': 'id'},
    {'name': 'agent_name', 'type': 'text'},
    {'name': 'model_used', 'type': 'text', 'raw_names': ['model_used', 'model_name']}
] -%}

with raw_events as (

    {{ typed_source('rudderstack', 'ai_agent_session_started', expected_columns) }}

),

renamed as (

    select
        -- ids, as they were sent
        id as event_id,
        conversation_id as sent_conversation_id,
        interaction_id as sent_interaction_id,
        agent_session_id as sent_agent_session_id,
        parent_interaction_id,
        user_id,
        anonymous_id,
        context_source_id as source_id,
        raw_schema,
        parent_agent_session_id as sent_parent_agent_session_id,

        -- what started
        agent_name,
        model_used as model_name,

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
