{% macro text_literal(text) %}
    {{- return(adapter.dispatch('text_literal', 'agent_analytics')(text | string)) -}}
{% endmacro %}

{% macro default__text_literal(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}

{% macro _literal_with_escaped_backslashes(text) -%}
    '{{ text | replace("\\", "\\\\") | replace("'", "\\'") }}'
{%- endmacro %}

{% macro spark__text_literal(text) -%}{{ _literal_with_escaped_backslashes(text) }}{%- endmacro %}

{#- No line break may stand in quotes there. -#}
{% macro bigquery__text_literal(text) -%}
    {{ _literal_with_escaped_backslashes(text) | replace("\n", "\\n") }}
{%- endmacro %}

{% macro snowflake__text_literal(text) -%}{{ _literal_with_escaped_backslashes(text) }}{%- endmacro %}

{% macro redshift__text_literal(text) -%}
    '{{ text | replace("\\", "\\\\") | replace("'", "''") }}'
{%- endmacro %}

{% macro clickhouse__text_literal(text) -%}{{ _literal_with_escaped_backslashes(text) }}{%- endmacro %}


{% macro quoted_name(name) %}
    {{- return(adapter.dispatch('quoted_name', 'agent_analytics')(name)) -}}
{% endmacro %}

{% macro default__quoted_name(name) -%}
    "{{ name | replace('"', '""') }}"
{%- endmacro %}

{% macro spark__quoted_name(name) -%}
    `{{ name | replace('`', '``') }}`
{%- endmacro %}

{% macro _name_with_escaped_backslashes(name) -%}
    `{{ name | replace('\\', '\\\\') | replace('`', '\\`') }}`
{%- endmacro %}

{% macro bigquery__quoted_name(name) -%}{{ _name_with_escaped_backslashes(name) }}{%- endmacro %}

{% macro clickhouse__quoted_name(name) -%}{{ _name_with_escaped_backslashes(name) }}{%- endmacro %}


{% macro is_plain_name(name) %}
    {{- return(modules.re.search("[\'\"`\\\\\\x00-\\x1f]", name) is none) -}}
{% endmacro %}
