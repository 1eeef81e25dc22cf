{#- A number written as text, or null when it is none; dbt.safe_cast raises on most engines. -#}
{% macro text_to_double(text_expression) %}
    {{- return(adapter.dispatch('text_to_double', 'agent_analytics')('trim(' ~ text_expression ~ ')')) -}}
{% endmacro %}

{% macro default__text_to_double(trimmed) -%}
    try_cast({{ trimmed }} as {{ type_double() }})
{%- endmacro %}

{#- Postgres 15 has no cast that gives null; exponents of two digits keep every match within range. -#}
{% macro postgres__text_to_double(trimmed) -%}
    case
        when {{ trimmed }} ~ '^[+-]?([0-9]{1,100}([.][0-9]{0,100})?|[.][0-9]{1,100})(e[+-]?[0-9]{1,2}|E[+-]?[0-9]{1,2})?$'
            then cast({{ trimmed }} as double precision)
    end
{%- endmacro %}

{% macro redshift__text_to_double(trimmed) -%}
    {{ default__text_to_double(trimmed) }}
{%- endmacro %}

{% macro bigquery__text_to_double(trimmed) -%}
    safe_cast({{ trimmed }} as float64)
{%- endmacro %}

{% macro clickhouse__text_to_double(trimmed) -%}
    toFloat64OrNull({{ trimmed }})
{%- endmacro %}


{#- A moment written as text, in UTC and without zone, or null; without an offset it is UTC already. -#}
{% macro text_to_timestamp(text_expression) %}
    {{- return(adapter.dispatch('text_to_timestamp', 'agent_analytics')('trim(' ~ text_expression ~ ')')) -}}
{% endmacro %}

{% macro default__text_to_timestamp(trimmed) -%}
    try_cast({{ trimmed }} as timestamp)
{%- endmacro %}

{% macro duckdb__text_to_timestamp(trimmed) -%}
    cast(try_cast({{ trimmed }} as timestamp with time zone) at time zone 'UTC' as timestamp)
{%- endmacro %}

{% macro postgres__text_to_timestamp(trimmed) -%}
    ({{ helper_function('try_timestamp') }}({{ trimmed }}) at time zone 'UTC')
{%- endmacro %}

{% macro redshift__text_to_timestamp(trimmed) -%}
    cast(try_cast({{ trimmed }} as timestamptz) at time zone 'UTC' as timestamp)
{%- endmacro %}

{% macro snowflake__text_to_timestamp(trimmed) -%}
    cast(convert_timezone('UTC', try_to_timestamp_tz({{ trimmed }})) as timestamp_ntz)
{%- endmacro %}

{% macro bigquery__text_to_timestamp(trimmed) -%}
    safe_cast({{ trimmed }} as timestamp)
{%- endmacro %}

{% macro clickhouse__text_to_timestamp(trimmed) -%}
    parseDateTime64BestEffortOrNull({{ trimmed }}, 6, 'UTC')
{%- endmacro %}


{#- A timestamp with time zone as UTC without zone. -#}
{% macro zoned_to_utc(column) %}
    {{- return(adapter.dispatch('zoned_to_utc', 'agent_analytics')(column)) -}}
{% endmacro %}

{% macro default__zoned_to_utc(column) -%}
    cast({{ column }} at time zone 'UTC' as {{ type_utc_timestamp() }})
{%- endmacro %}

{#- Same instant without the detour through time zone rules, twenty times faster. -#}
{% macro duckdb__zoned_to_utc(column) -%}
    make_timestamp(epoch_us({{ column }}))
{%- endmacro %}

{% macro snowflake__zoned_to_utc(column) -%}
    cast(convert_timezone('UTC', {{ column }}) as timestamp_ntz)
{%- endmacro %}


{#- Text at a path of a JSON text or JSON column; null when the column holds no valid JSON.
    `path` is a list of keys; an empty list gives the value itself, strings without quotes. -#}
{% macro json_text(json_expression, path) %}
    {{- return(adapter.dispatch('json_text', 'agent_analytics')(json_expression, path)) -}}
{% endmacro %}

{% macro default__json_text(json_expression, path) -%}
    json_value({{ json_expression }}, {{ text_literal((['$'] + path) | join('.')) }})
{%- endmacro %}

{% macro duckdb__json_text(json_expression, path) -%}
    case
        when json_valid(cast({{ json_expression }} as varchar))
            then json_extract_string(cast({{ json_expression }} as varchar), {{ text_literal((['$'] + path) | join('.')) }})
    end
{%- endmacro %}

{% macro postgres__json_text(json_expression, path) -%}
    ({{ helper_function('try_jsonb') }}(cast({{ json_expression }} as text)) #>> {{ text_literal('{' ~ path | join(',') ~ '}') }})
{%- endmacro %}

{% macro redshift__json_text(json_expression, path) -%}
    json_extract_path_text(
        case
            when can_json_parse(json_serialize({{ json_expression }})) then json_serialize({{ json_expression }})
        end
        {%- for key in path %}, {{ text_literal(key) }}{% endfor %}, true
    )
{%- endmacro %}

{% macro spark__json_text(json_expression, path) -%}
    get_json_object({{ json_expression }}, {{ text_literal((['$'] + path) | join('.')) }})
{%- endmacro %}

{% macro snowflake__json_text(json_expression, path) -%}
    cast(
        {%- if path %} get_path(try_parse_json(to_varchar({{ json_expression }})), {{ text_literal(path | join('.')) }})
        {%- else %} try_parse_json(to_varchar({{ json_expression }}))
        {%- endif %} as varchar
    )
{%- endmacro %}

{% macro bigquery__json_text(json_expression, path) -%}
    json_value(safe.parse_json({{ json_expression }}), {{ text_literal((['$'] + path) | join('.')) }})
{%- endmacro %}

{% macro clickhouse__json_text(json_expression, path) -%}
    case
        when isValidJSON({{ json_expression }})
            then nullif(JSONExtractString({{ json_expression }}
                {%- for key in path %}, {{ text_literal(key) }}{% endfor %}), '')
    end
{%- endmacro %}
