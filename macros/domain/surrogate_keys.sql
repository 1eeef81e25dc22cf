{% macro event_key(source_table, event_id) -%}
    {{ key_of("'" ~ source_table ~ "|' || coalesce(" ~ event_id ~ ", '')") }}
{%- endmacro %}


{% macro run_key(conversation_id, interaction_id) -%}
    {{ key_of(text_hash(conversation_id) ~ ' || ' ~ interaction_id) }}
{%- endmacro %}


{% macro agent_session_key(conversation_id, interaction_id, agent_session_id) -%}
    {{ key_of(text_hash(text_hash(conversation_id) ~ ' || ' ~ interaction_id) ~ ' || ' ~ agent_session_id) }}
{%- endmacro %}
