{% macro standard_event_columns() %}
    {%- set columns = [
        {'name': 'id', 'type': 'id'},
        {'name': 'user_id', 'type': 'id'},
        {'name': 'anonymous_id', 'type': 'id'},
        {'name': 'context_source_id', 'type': 'text'},
        {'name': 'context_library_name', 'type': 'text', 'raw_names': ['context_wrapper_library_name', 'context_library_name']},
        {'name': 'received_at', 'type': 'timestamp'},
        {'name': 'original_timestamp', 'type': 'timestamp'},
        {'name': 'sent_at', 'type': 'timestamp'},
        {'name': 'event_timestamp', 'type': 'timestamp', 'raw_names': ['timestamp', '_timestamp']},
        {'name': 'uuid_ts', 'type': 'timestamp', 'raw_names': ['uuid_ts', 'loaded_at']},
        load_time_column(),
        {'name': 'conversation_id', 'type': 'id'},
        {'name': 'interaction_id', 'type': 'id'},
        {'name': 'parent_interaction_id', 'type': 'id'},
        {'name': 'workflow_name', 'type': 'name', 'raw_names': ['workflow_name', 'workflow']},
        {'name': 'environment', 'type': 'name'},
        {'name': 'trigger_type', 'type': 'text'},
        {'name': 'execution_mode', 'type': 'text'},
        {'name': 'plan_name', 'type': 'name', 'raw_names': ['plan_name', 'context_traits_plan_name', 'context_traits_plan']}
    ] -%}
    {%- for column, property in passthrough_columns().items() -%}
        {%- do columns.append({'name': column, 'type': 'text', 'raw_names': [property]}) -%}
    {%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}


{% macro load_time_column() %}
    {{- return({'name': 'loaded_at', 'type': 'timestamp', 'raw_names': ['uuid_ts', 'loaded_at', 'received_at'], 'is_first_only': true}) -}}
{% endmacro %}


{% macro usage_columns() %}
    {#- How SDKs, gateways and conventions spell each count; nested ones as a path. -#}
    {%- set spellings = {
        'prompt_tokens': [['prompt_tokens'], ['input_tokens']],
        'completion_tokens': [['completion_tokens'], ['output_tokens']],
        'cache_read': [
            ['cache_read'], ['cache_read_tokens'], ['cache_read_input_tokens'], ['cached_tokens'], ['cached_input_tokens'],
            ['prompt_tokens_details', 'cached_tokens'], ['input_tokens_details', 'cached_tokens']
        ],
        'cache_write': [
            ['cache_write'], ['cache_write_tokens'], ['cache_creation_input_tokens'], ['cache_creation_tokens'],
            ['cache_write_input_tokens']
        ],
        'cache_write_1h_tokens': [['cache_write_1h_tokens'], ['cache_creation', 'ephemeral_1h_input_tokens']],
        'reasoning_tokens': [
            ['reasoning_tokens'], ['thinking_tokens'], ['thoughts_tokens'], ['completion_tokens_details', 'reasoning_tokens'],
            ['output_tokens_details', 'reasoning_tokens']
        ],
        'total_tokens': [['total_tokens']]
    } -%}
    {%- set columns = [
        {'name': 'service_tier', 'type': 'text'},
        {'name': 'is_cache_hit', 'type': 'boolean', 'raw_names': ['cache_hit', 'is_cache_hit']}
    ] -%}
    {%- for name, paths in spellings.items() -%}
        {%- set raw_names = [] -%}
        {%- set json = [] -%}
        {%- for object in [none, 'tokens_used', 'usage'] -%}
            {%- for path in paths -%}
                {%- do raw_names.append((([object] if object else []) + path) | join('_')) -%}
                {%- if object -%}{%- do json.append([object] + path) -%}{%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- do columns.append({'name': name, 'type': 'bigint', 'raw_names': raw_names, 'json': json}) -%}
    {%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}


{% macro failure_columns() %}
    {{- return([
        {'name': 'error_type', 'type': 'text', 'raw_names': ['error_type', 'error_code']},
        {'name': 'error_message', 'type': 'text'},
        {'name': 'http_status', 'type': 'text', 'raw_names': ['http_status', 'http_status_code']},
        {'name': 'finish_reason', 'type': 'text'}
    ]) -}}
{% endmacro %}
