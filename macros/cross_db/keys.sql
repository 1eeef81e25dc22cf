{% macro type_key() %}{{- return(adapter.dispatch('type_key', 'agent_analytics')()) -}}{% endmacro %}
{% macro default__type_key() %}{{- return(type_text()) -}}{% endmacro %}
{% macro key_of(text_expression) %}{{- return(adapter.dispatch('key_of', 'agent_analytics')(text_expression)) -}}{% endmacro %}
{% macro default__key_of(text_expression) -%}{{ text_hash(text_expression) }}{%- endmacro %}
