{%- set expected_columns = standard_event_columns() + [
    {'name': 'agent_session_id', 'type': 'id'},
    {'name': 'parent_agent_session_id', 'type': 'id'},
    {'name': 'agent_name', 'type': 'name'},
    {'name': 'agent_version', 'type': 'name'},
    {'name': 'model_used', 'type': 'name', 'raw_names': ['model_used', 'model_name']}
] -%}

with raw_events as (

    {{ typed_source('rudderstack', 'ai_agent_session_started', expected_columns) }}

),

renamed as (

    select
        -- ids, context, times and data quality
        {{ renamed_event_columns() }},
        {{ renamed_agent_columns() }},

        -- what started
        model_used as model_name
    from raw_events

)

select * from renamed
