{%- set expected_columns = standard_event_columns() + usage_columns() + failure_columns() + [
    {'name': 'status', 'type': 'text'},
    {'name': 'final_response_text', 'type': 'text'},
    {'name': 'duration_ms', 'type': 'bigint'},
    {'name': 'agents_count', 'type': 'bigint'},
    {'name': 'steps_count', 'type': 'bigint'},
    {'name': 'output_type', 'type': 'text'},
    {'name': 'result_location', 'type': 'text'},
    {'name': 'cost', 'type': 'usd', 'raw_names': ['cost', 'total_cost']}
] -%}

{{ typed_source('rudderstack', 'ai_interaction_completed', expected_columns) }}
