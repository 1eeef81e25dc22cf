{% macro event_tables() %}
    {{- return({
        'ai_user_prompt_created': {'name': 'user_prompts', 'has_agent_session': false},
        'ai_agent_response_received': {'name': 'agent_responses', 'has_agent_session': false},
        'ai_interaction_completed': {'name': 'interactions_completed', 'has_agent_session': false},
        'ai_user_action': {'name': 'user_actions', 'has_agent_session': false},
        'ai_agent_session_started': {'name': 'agent_sessions_started', 'has_agent_session': true},
        'ai_agent_session_completed': {'name': 'agent_sessions_completed', 'has_agent_session': true},
        'ai_agent_step_completed': {'name': 'agent_steps_completed', 'has_agent_session': true}
    }) -}}
{% endmacro %}
