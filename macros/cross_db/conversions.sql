{#- A number written as text, or null when it is none; dbt.safe_cast raises on most engines. Infinity and
    NaN are no numbers: they compare and add up differently on every engine. -#}
{% macro text_to_double(text_expression) %}
    {{- return(adapter.dispatch('text_to_double', 'agent_analytics')("nullif(trim(" ~ text_expression ~ "), '')")) -}}
{% endmacro %}

{% macro _finite(number) -%}
    case when abs({{ number }}) <= 1.7e308 then {{ number }} end
{%- endmacro %}

{% macro default__text_to_double(trimmed) -%}
    {{ _finite('try_cast(' ~ trimmed ~ ' as ' ~ type_double() ~ ')') }}
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
    {{ _finite('safe_cast(' ~ trimmed ~ ' as float64)') }}
{%- endmacro %}

{% macro clickhouse__text_to_double(trimmed) -%}
    {{ _finite('toFloat64OrNull(' ~ trimmed ~ ')') }}
{%- endmacro %}


{#- A moment written as text, in UTC and without zone, or null; without an offset it is UTC already. Casts
    also know words such as `epoch`, bare numbers, or a time of today: only text that begins with a year is asked. -#}
{% macro text_to_timestamp(text_expression) %}
    {%- set trimmed = "nullif(trim(" ~ text_expression ~ "), '')" -%}
    {{- return(
        'case when ' ~ trimmed ~ " like '____-%' then "
        ~ adapter.dispatch('text_to_timestamp', 'agent_analytics')(trimmed) ~ ' end'
    ) -}}
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

{#- A time without offset would be read in the session's zone, a bare number as an epoch. -#}
{% macro snowflake__text_to_timestamp(trimmed) -%}
    case
        when {{ trimmed }} not like '____-__-__%' then null
        when {{ text_matches(trimmed, text_literal('.{10}.*([zZ]|[+-][0-9]{2}:?[0-9]{2})$')) }}
            then cast(convert_timezone('UTC', try_to_timestamp_tz({{ trimmed }})) as timestamp_ntz)
        else try_to_timestamp_ntz({{ trimmed }})
    end
{%- endmacro %}

{% macro bigquery__text_to_timestamp(trimmed) -%}
    safe_cast({{ trimmed }} as timestamp)
{%- endmacro %}

{#- The parser takes hours beyond the day, dates without separators and much more. -#}
{% macro clickhouse__text_to_timestamp(trimmed) -%}
    if(
        match(
            {{ trimmed }},
            {{ text_literal(
                '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}'
                ~ '([T ](([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]*)?)?|24:00(:00)?)'
                ~ ' ?(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)?)?$'
            ) }}
        ),
        parseDateTime64BestEffortOrNull({{ trimmed }}, 6, 'UTC'),
        null
    )
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


{#- Text at a path of JSON, strings without quotes; null when the column holds no valid JSON.

    Arguments
      json_expression: text, or a value of the engine's own JSON type
      path: list of keys; empty for the value itself
      is_text: whether the expression is text -#}
{% macro json_text(json_expression, path, is_text) %}
    {{- return(adapter.dispatch('json_text', 'agent_analytics')(json_expression, path, is_text)) -}}
{% endmacro %}

{% macro _json_path(path) -%}
    {{ text_literal((['$'] + path) | join('.')) }}
{%- endmacro %}

{% macro default__json_text(json_expression, path, is_text) -%}
    json_value({{ json_expression }}, {{ _json_path(path) }})
{%- endmacro %}

{% macro duckdb__json_text(json_expression, path, is_text) -%}
    case
        when json_valid(cast({{ json_expression }} as varchar))
            then json_extract_string(cast({{ json_expression }} as varchar), {{ _json_path(path) }})
    end
{%- endmacro %}

{% macro postgres__json_text(json_expression, path, is_text) -%}
    {%- set document = helper_function('try_jsonb') ~ '(' ~ json_expression ~ ')' if is_text else json_expression -%}
    ({{ document }} #>> {{ text_literal('{' ~ path | join(',') ~ '}') }})
{%- endmacro %}

{#- A missing key gives an empty text, and there is no path to the value itself. -#}
{% macro redshift__json_text(json_expression, path, is_text) -%}
    {%- set document = json_expression if is_text else 'json_serialize(' ~ json_expression ~ ')' -%}
    {%- if path -%}
        nullif(json_extract_path_text({{ document }}{% for key in path %}, {{ text_literal(key) }}{% endfor %}, true), '')
    {%- elif is_text -%}
        case when is_valid_json({{ document }}) then {{ document }} end
    {%- else -%}
        case
            when json_typeof({{ json_expression }}) = 'string' then cast({{ json_expression }} as varchar(65535))
            else {{ document }}
        end
    {%- endif -%}
{%- endmacro %}

{% macro spark__json_text(json_expression, path, is_text) -%}
    get_json_object({{ json_expression }}, {{ _json_path(path) }})
{%- endmacro %}

{#- A plain string in a variant is no JSON text of its own. -#}
{% macro snowflake__json_text(json_expression, path, is_text) -%}
    {%- set document = 'try_parse_json(' ~ json_expression ~ ')' if is_text else json_expression -%}
    {%- if path -%}
        to_varchar(get_path({{ document }}, {{ text_literal(path | join('.')) }}))
    {%- else -%}
        to_varchar({{ document }})
    {%- endif -%}
{%- endmacro %}

{#- json_value gives scalars only, json_query the rest. A number beyond the float range must not lose the document. -#}
{% macro bigquery__json_text(json_expression, path, is_text) -%}
    {%- set document = json_expression if is_text else 'to_json_string(' ~ json_expression ~ ')' -%}
    case
        when safe.parse_json({{ document }}, wide_number_mode => 'round') is not null
            then coalesce(json_value({{ document }}, {{ _json_path(path) }}), json_query({{ document }}, {{ _json_path(path) }}))
    end
{%- endmacro %}

{% macro clickhouse__json_text(json_expression, path, is_text) -%}
    {%- set keys = [json_expression] -%}
    {%- for key in path -%}{%- do keys.append(text_literal(key)) -%}{%- endfor -%}
    case
        when not isValidJSON({{ json_expression }}) then null
        when JSONType({{ keys | join(', ') }}) = 'String' then JSONExtractString({{ keys | join(', ') }})
        when JSONType({{ keys | join(', ') }}) = 'Null' then null
        else JSONExtractRaw({{ keys | join(', ') }})
    end
{%- endmacro %}
