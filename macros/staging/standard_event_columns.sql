{% macro standard_event_columns() %}
    {{- return([
        {'name': 'id', 'type': 'id'},
        {'name': 'user_id', 'type': 'id'},
        {'name': 'anonymous_id', 'type': 'id'},
        {'name': 'context_source_id', 'type': 'text'},
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
        {'name': 'execution_mode', 'type': 'text'}
    ]) -}}
{% endmacro %}


{% macro load_time_column() %}
    {{- return({'name': 'loaded_at', 'type': 'timestamp', 'raw_names': ['uuid_ts', 'loaded_at', 'received_at'], 'is_first_only': true}) -}}
{% endmacro %}


{% macro token_columns() %}
    {{- return([
        {'name': 'prompt_tokens', 'type': 'bigint', 'raw_names': ['prompt_tokens', 'tokens_used_prompt_tokens'], 'json': ['tokens_used', 'prompt_tokens']},
        {'name': 'completion_tokens', 'type': 'bigint', 'raw_names': ['completion_tokens', 'tokens_used_completion_tokens'], 'json': ['tokens_used', 'completion_tokens']},
        {'name': 'cache_read', 'type': 'bigint', 'raw_names': ['cache_read', 'tokens_used_cache_read', 'cache_read_tokens'], 'json': ['tokens_used', 'cache_read']},
        {'name': 'cache_write', 'type': 'bigint', 'raw_names': ['cache_write', 'tokens_used_cache_write', 'cache_write_tokens'], 'json': ['tokens_used', 'cache_write']}
    ]) -}}
{% endmacro %}


{% macro failure_columns() %}
    {{- return([
        {'name': 'error_type', 'type': 'text', 'raw_names': ['error_type', 'error_code']},
        {'name': 'error_message', 'type': 'text'},
        {'name': 'http_status', 'type': 'text', 'raw_names': ['http_status', 'http_status_code']},
        {'name': 'finish_reason', 'type': 'text'},
        {'name': 'service_tier', 'type': 'text'}
    ]) -}}
{% endmacro %}
