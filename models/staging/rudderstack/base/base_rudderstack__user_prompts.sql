{%- set expected_columns = standard_event_columns() + [
    {'name': 'prompt_text', 'type': 'text'},
    {'name': 'input_method', 'type': 'text'},
    {'name': 'intent', 'type': 'text'},
    {'name': 'request_category', 'type': 'name'}
] -%}

{{ typed_source('rudderstack', 'ai_user_prompt_created', expected_columns) }}
