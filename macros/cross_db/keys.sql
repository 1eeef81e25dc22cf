{#- Type of a surrogate key, which is an MD5: 16 bytes where the engine has a type for them, else text
    of 32 digits. DuckDB writes such a column in a seventh of the time that the text takes. -#}
{% macro type_key() %}{{ return(adapter.dispatch('type_key', 'agent_analytics')()) }}{% endmacro %}

{% macro default__type_key() %}{{ type_text() }}{% endmacro %}

{% macro duckdb__type_key() %}uuid{% endmacro %}

{% macro postgres__type_key() %}uuid{% endmacro %}

{#- Redshift has no such type. -#}
{% macro redshift__type_key() %}{{ default__type_key() }}{% endmacro %}

{% macro clickhouse__type_key() %}UUID{% endmacro %}


{#- MD5 of a text as a key; the same 128 bits on every engine. -#}
{% macro key_of(text_expression) %}
    {{- return(adapter.dispatch('key_of', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__key_of(text_expression) -%}
    {{ text_hash(text_expression) }}
{%- endmacro %}

{% macro duckdb__key_of(text_expression) -%}
    cast({{ text_hash(text_expression) }} as {{ type_key() }})
{%- endmacro %}

{% macro postgres__key_of(text_expression) -%}
    cast({{ text_hash(text_expression) }} as {{ type_key() }})
{%- endmacro %}

{% macro redshift__key_of(text_expression) -%}
    {{ default__key_of(text_expression) }}
{%- endmacro %}

{% macro clickhouse__key_of(text_expression) -%}
    cast({{ text_hash(text_expression) }} as {{ type_key() }})
{%- endmacro %}


{#- A key as 32 hexadecimal digits, for a key that is made from another one: a cast to text puts
    dashes between the digits where the engine has a type of its own, and only there. -#}
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

{% macro postgres__key_text(key_expression) -%}
    encode(uuid_send({{ key_expression }}), 'hex')
{%- endmacro %}

{% macro redshift__key_text(key_expression) -%}
    {{ default__key_text(key_expression) }}
{%- endmacro %}

{% macro clickhouse__key_text(key_expression) -%}
    replaceAll(toString({{ key_expression }}), '-', '')
{%- endmacro %}
