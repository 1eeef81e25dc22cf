{%- set expected_columns = standard_event_columns() + usage_columns() + failure_columns() + [
    {'name': 'agent_session_id', 'type': 'id'},
    {'name': 'parent_agent_session_id', 'type': 'id'},
    {'name': 'agent_name', 'type': 'name'},
    {'name': 'agent_version', 'type': 'name'},
    {'name': 'status', 'type': 'text'},
    {'name': 'response_text', 'type': 'text'},
    {'name': 'duration_ms', 'type': 'bigint'},
    {'name': 'steps_count', 'type': 'bigint'},
    {'name': 'model_used', 'type': 'name', 'raw_names': ['model_used', 'model_name']},
    {'name': 'cost', 'type': 'usd'}
] -%}

{{ typed_source('rudderstack', 'ai_agent_session_completed', expected_columns) }}
