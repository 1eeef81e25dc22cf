{% macro type_key() %}{{ return(adapter.dispatch('type_key', 'agent_analytics')()) }}{% endmacro %}

{% macro default__type_key() %}{{ type_text() }}{% endmacro %}

{% macro duckdb__type_key() %}uuid{% endmacro %}

{% macro clickhouse__type_key() %}UUID{% endmacro %}


{% macro key_of(text_expression) %}
    {{- return(adapter.dispatch('key_of', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__key_of(text_expression) -%}
    {{ text_hash(text_expression) }}
{%- endmacro %}

{% macro duckdb__key_of(text_expression) -%}
    cast({{ text_hash(text_expression) }} as {{ type_key() }})
{%- endmacro %}

{% macro clickhouse__key_of(text_expression) -%}
    cast({{ text_hash(text_expression) }} as {{ type_key() }})
{%- endmacro %}


{% macro salted_key_of(text_expression) -%}
    {{ key_of(hash_salt() ~ ' || ' ~ text_expression) }}
{%- endmacro %}


{% macro key_text(key_expression) %}
    {{- return(adapter.dispatch('key_text', 'agent_analytics')(key_expression)) -}}
{% endmacro %}

{% macro default__key_text(key_expression) -%}
    {{ key_expression }}
{%- endmacro %}

{#- Half the time of taking the dashes out of the text. -#}
{% macro duckdb__key_text(key_expression) -%}
    lower(hex(cast({{ key_expression }} as blob)))
{%- endmacro %}

{% macro clickhouse__key_text(key_expression) -%}
    replaceAll(toString({{ key_expression }}), '-', '')
{%- endmacro %}


{% macro key_order(key_expression) %}
    {{- return(adapter.dispatch('key_order', 'agent_analytics')(key_expression)) -}}
{% endmacro %}

{% macro default__key_order(key_expression) -%}
    {{ key_expression }}
{%- endmacro %}

{#- There the second half of the digits is compared first. -#}
{% macro clickhouse__key_order(key_expression) -%}
    {{ key_text(key_expression) }}
{%- endmacro %}


{#- Value of a key in the rows of a unit test, where a key may be called `first run`: the name stands
    for the key of that text. 32 digits, with dashes or without, are a key already, and values of other
    types stay what they are.

    Arguments
      field: SQL literal, or null
      type: SQL type of the column -#}
{% macro _named_key(field, type) %}
    {%- set text = field | string | trim -%}
    {%- set is_key = 'uuid' in type | lower and text | lower != 'null' -%}
    {%- if is_key and not modules.re.fullmatch("'?([0-9a-fA-F]-?){32}'?", text) -%}
        {{- return(key_of(text if text.startswith("'") else text_literal(text))) -}}
    {%- endif -%}
    {{- return(field) -}}
{% endmacro %}

{#- dbt casts the values in the rows of a unit test by this macro, and nothing else in this project. -#}
{% macro duckdb__safe_cast(field, type) -%}
    cast({{ _named_key(field, type) }} as {{ type }})
{%- endmacro %}

{#- A value that a row leaves out must fit a column that is not nullable. -#}
{% macro clickhouse__safe_cast(field, type) -%}
    {%- set value = 'defaultValueOfTypeName(' ~ text_literal(type) ~ ')' if field == 'null' else _named_key(field, type) -%}
    cast({{ value }} as {{ type }})
{%- endmacro %}
