{% macro event_tables() %}
    {{- return({
        'ai_user_prompt_created': 'user_prompts',
        'ai_agent_response_received': 'agent_responses',
        'ai_interaction_completed': 'interactions_completed',
        'ai_response_received': 'answers',
        'ai_user_action': 'user_actions',
        'ai_agent_session_started': 'agent_sessions_started',
        'ai_agent_session_completed': 'agent_sessions_completed',
        'ai_agent_step_completed': 'agent_steps_completed'
    }) -}}
{% endmacro %}


{% macro ends_a_run() -%}
    source_table in ('ai_interaction_completed', 'ai_response_received')
{%- endmacro %}


{% macro agent_session_tables() %}
    {{- return(['ai_agent_session_started', 'ai_agent_session_completed', 'ai_agent_step_completed']) -}}
{% endmacro %}


{% macro event_columns() %}
    {%- set text = type_text() -%}
    {%- set whole = dbt.type_bigint() -%}
    {%- set boolean = dbt.type_boolean() -%}
    {%- set timestamp = type_utc_timestamp() -%}
    {%- set prompts = ['user_prompts'] -%}
    {%- set actions = ['user_actions'] -%}
    {%- set steps = ['agent_steps_completed'] -%}
    {%- set of_sessions = ['agent_sessions_started', 'agent_sessions_completed', 'agent_steps_completed'] -%}
    {%- set of_agents = of_sessions + ['agent_responses'] -%}
    {%- set outcomes = ['agent_responses', 'interactions_completed', 'answers', 'agent_sessions_completed', 'agent_steps_completed'] -%}
    {%- set columns = {
        'event_id': {'type': text},
        'event_key': {'type': type_key()},
        'sent_conversation_id': {'type': text},
        'sent_interaction_id': {'type': text},
        'sent_agent_session_id': {'type': text, 'events': of_sessions},
        'sent_parent_agent_session_id': {'type': text, 'events': of_sessions},
        'parent_interaction_id': {'type': text},
        'user_id': {'type': text},
        'anonymous_id': {'type': text},
        'source_id': {'type': text},
        'library_name': {'type': text},
        'raw_schema': {'type': text},

        'sent_agent_name': {'type': text, 'events': of_agents},
        'agent_version': {'type': text, 'events': of_agents},
        'model_name': {'type': text, 'events': of_agents + ['answers']},
        'status_label': {'type': text, 'events': outcomes},
        'duration_ms': {'type': whole, 'events': outcomes},
        'time_to_first_token_ms': {'type': whole, 'events': steps},
        'reported_agents_count': {'type': whole, 'events': ['interactions_completed']},
        'reported_steps_count': {'type': whole, 'events': outcomes | reject('in', steps) | list},

        'step_type': {'type': text, 'events': steps},
        'tool_name': {'type': text, 'events': steps},
        'sent_step_id': {'type': text, 'events': steps},
        'step_index': {'type': whole, 'events': steps},
        'sent_attempt_number': {'type': whole, 'events': steps},
        'has_error_like_tool_output': {'type': boolean, 'events': steps},

        'sent_prompt_tokens': {'type': whole, 'events': outcomes},
        'sent_completion_tokens': {'type': whole, 'events': outcomes},
        'sent_cache_read_tokens': {'type': whole, 'events': outcomes},
        'sent_cache_write_tokens': {'type': whole, 'events': outcomes},
        'sent_cache_write_1h_tokens': {'type': whole, 'events': outcomes},
        'sent_reasoning_tokens': {'type': whole, 'events': outcomes},
        'sent_total_tokens': {'type': whole, 'events': outcomes},
        'reported_cost_usd': {'type': type_usd(), 'events': outcomes},
        'service_tier': {'type': text, 'events': outcomes},
        'is_cache_hit': {'type': boolean, 'events': outcomes},

        'error_type': {'type': text, 'events': outcomes},
        'http_status': {'type': text, 'events': outcomes},
        'finish_reason': {'type': text, 'events': outcomes},
        'error_message_class': {'type': text, 'events': outcomes},
        'failure_signal_key': {'type': type_key(), 'events': outcomes},

        'input_method': {'type': text, 'events': prompts},
        'intent': {'type': text, 'events': prompts + ['answers']},
        'usage_breakdown': {'type': text, 'events': ['answers']},
        'request_category': {'type': text, 'events': prompts},
        'output_type': {'type': text, 'events': ['interactions_completed']},
        'result_location': {'type': text, 'events': ['interactions_completed']},
        'prompt_hash': {'type': text, 'events': prompts},
        'prompt_length': {'type': whole, 'events': prompts},
        'response_length': {'type': whole, 'events': outcomes},
        'tool_input_hash': {'type': text, 'events': steps},
        'tool_input_length': {'type': whole, 'events': steps},
        'tool_output_length': {'type': whole, 'events': steps},
        'action_type': {'type': text, 'events': actions},
        'feedback_type': {'type': text, 'events': actions},
        'feedback_value': {'type': text, 'events': actions},
        'feedback_text_length': {'type': whole, 'events': actions},

        'workflow_name': {'type': text},
        'environment': {'type': text},
        'trigger_type': {'type': text},
        'execution_mode': {'type': text},
        'plan_name': {'type': text},

        'event_at': {'type': timestamp},
        'original_timestamp': {'type': timestamp, 'events': steps},
        'received_at': {'type': timestamp},
        'loaded_at': {'type': timestamp},
        'has_clock_skew': {'type': boolean},
        'unconverted_columns': {'type': text}
    } -%}
    {%- for column in passthrough_columns() -%}{%- do columns.update({column: {'type': text}}) -%}{%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}
