{% macro text_hash(text_expression) %}
    {{- return(adapter.dispatch('text_hash', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__text_hash(text_expression) -%}
    md5({{ text_expression }})
{%- endmacro %}

{% macro bigquery__text_hash(text_expression) -%}
    to_hex(md5({{ text_expression }}))
{%- endmacro %}

{% macro clickhouse__text_hash(text_expression) -%}
    lower(hex(MD5({{ text_expression }})))
{%- endmacro %}


{% macro salted_hash(text_expression) %}
    {{- return(adapter.dispatch('salted_hash', 'agent_analytics')(hash_salt() ~ ' || ' ~ text_expression)) -}}
{% endmacro %}

{% macro default__salted_hash(salted_text) -%}
    sha2({{ salted_text }}, 256)
{%- endmacro %}

{% macro duckdb__salted_hash(salted_text) -%}
    sha256({{ salted_text }})
{%- endmacro %}

{% macro postgres__salted_hash(salted_text) -%}
    encode(sha256(convert_to({{ salted_text }}, 'UTF8')), 'hex')
{%- endmacro %}

{% macro redshift__salted_hash(salted_text) -%}
    {{ default__salted_hash(salted_text) }}
{%- endmacro %}

{% macro bigquery__salted_hash(salted_text) -%}
    to_hex(sha256({{ salted_text }}))
{%- endmacro %}

{% macro clickhouse__salted_hash(salted_text) -%}
    lower(hex(SHA256({{ salted_text }})))
{%- endmacro %}


{% macro can_bind_values() %}
    {{- return(adapter.dispatch('can_bind_values', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__can_bind_values() %}{{- return(true) -}}{% endmacro %}

{#- Seeds are loaded from a file there. -#}
{% macro bigquery__can_bind_values() %}{{- return(false) -}}{% endmacro %}

{#- The adapter logs every statement as a whole. -#}
{% macro clickhouse__can_bind_values() %}{{- return(false) -}}{% endmacro %}


{% macro small_table_storage() %}
    {{- return(adapter.dispatch('small_table_storage', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__small_table_storage() %}{% endmacro %}
{% macro spark__small_table_storage() %}using parquet{% endmacro %}
{% macro databricks__small_table_storage() %}{% endmacro %}
{% macro clickhouse__small_table_storage() %}engine = MergeTree order by tuple(){% endmacro %}


{% macro row_hash(columns) %}
    {{- return(adapter.dispatch('row_hash', 'agent_analytics')(columns)) -}}
{% endmacro %}

{% macro default__row_hash(columns) %}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- set text = 'cast(' ~ column ~ ' as ' ~ type_text() ~ ')' -%}
        {%- do parts.append("coalesce(cast(length(" ~ text ~ ') as ' ~ type_text() ~ ") || ':' || " ~ text ~ ", '-')") -%}
    {%- endfor -%}
    {{- return(text_hash(parts | join(" || "))) -}}
{% endmacro %}

{#- 64 bits in a twentieth of the time; both sides of a comparison are hashed in one statement. -#}
{% macro duckdb__row_hash(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}

{% macro snowflake__row_hash(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}
