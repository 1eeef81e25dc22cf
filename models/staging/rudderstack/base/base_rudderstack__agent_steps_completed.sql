{%- set expected_columns = standard_event_columns() + usage_columns() + failure_columns() + [
    {'name': 'agent_session_id', 'type': 'id'},
    {'name': 'parent_agent_session_id', 'type': 'id'},
    {'name': 'agent_name', 'type': 'name'},
    {'name': 'agent_version', 'type': 'name'},
    {'name': 'step_type', 'type': 'text'},
    {'name': 'status', 'type': 'text'},
    {'name': 'duration_ms', 'type': 'bigint'},
    {'name': 'time_to_first_token_ms', 'type': 'bigint', 'raw_names': ['time_to_first_token_ms', 'ttft_ms']},
    {'name': 'model_name', 'type': 'name', 'raw_names': ['model_name', 'model_used']},
    {'name': 'cost', 'type': 'usd'},
    {'name': 'response_text', 'type': 'text'},
    {'name': 'tool_name', 'type': 'name'},
    {'name': 'tool_input', 'type': 'object'},
    {'name': 'tool_output', 'type': 'object'},
    {'name': 'tool_output_error', 'type': 'text', 'json': [['tool_output', 'error']]},
    {'name': 'tool_output_ok', 'type': 'boolean', 'json': [['tool_output', 'ok']]},
    {'name': 'tool_output_is_error', 'type': 'boolean', 'json': [['tool_output', 'isError']]},
    {'name': 'tool_output_failed', 'type': 'double', 'json': [['tool_output', 'failed']]},
    {'name': 'tool_output_rows_returned', 'type': 'double', 'json': [['tool_output', 'rows_returned']]},
    {'name': 'step_id', 'type': 'id'},
    {'name': 'response_id', 'type': 'id'},
    {'name': 'step_index', 'type': 'bigint'},
    {'name': 'attempt_number', 'type': 'bigint'}
] -%}

{{ typed_source('rudderstack', 'ai_agent_step_completed', expected_columns) }}
