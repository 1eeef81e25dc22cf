{% macro run_key(conversation_id, interaction_id) -%}
    {{ text_hash(text_hash(conversation_id) ~ ' || ' ~ interaction_id) }}
{%- endmacro %}


{% macro agent_session_key(run_key, agent_session_id) -%}
    {{ text_hash(run_key ~ ' || ' ~ agent_session_id) }}
{%- endmacro %}
