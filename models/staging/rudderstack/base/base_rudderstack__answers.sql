{#- What RudderStack's AI SDKs send of one answer. Their token counts have names of their own. `trigger` is a reserved word on
    Snowflake and in S3 data lakes: RudderStack writes an underscore before it there, and no column may have the name. -#}
{%- set totals = {
    'prompt_tokens': 'total_input_tokens',
    'completion_tokens': 'total_output_tokens',
    'cache_read': 'total_cached_input_tokens',
    'cache_write': 'total_cache_write_tokens',
    'cache_write_1h_tokens': 'total_cache_write_1h_tokens',
    'reasoning_tokens': 'total_reasoning_tokens',
    'total_tokens': 'total_tokens'
} -%}
{%- set expected_columns = standard_event_columns() + failure_columns() + [
    {'name': 'feature', 'type': 'name'},
    {'name': 'task_name', 'type': 'name'},
    {'name': 'answer_trigger', 'type': 'text', 'raw_names': ['trigger', '_trigger']},
    {'name': 'trigger_source', 'type': 'text'},
    {'name': 'response_status', 'type': 'text'},
    {'name': 'response_text', 'type': 'text'},
    {'name': 'latency_ms', 'type': 'bigint'},
    {'name': 'llm_call_count', 'type': 'bigint'},
    {'name': 'tool_call_count', 'type': 'bigint'},
    {'name': 'primary_model', 'type': 'name'},
    {'name': 'intent', 'type': 'text'},
    {'name': 'usage_breakdown', 'type': 'text'},
    {'name': 'service_tier', 'type': 'text'},
    {'name': 'is_cache_hit', 'type': 'boolean', 'raw_names': ['cache_hit', 'is_cache_hit']},
    {'name': 'cost', 'type': 'usd', 'raw_names': ['total_cost_usd']}
] -%}
{%- for name in totals -%}{%- do expected_columns.append({'name': name, 'type': 'bigint', 'raw_names': [totals[name]]}) -%}{%- endfor -%}

{{ typed_source('rudderstack', 'ai_response_received', expected_columns) }}
