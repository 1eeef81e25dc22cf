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

{#- A time without offset would be read in the session's zone. -#}
{% macro duckdb__text_to_timestamp(trimmed) -%}
    case
        when regexp_matches({{ trimmed }}, '[ T].*[A-Za-z+-]')
            then cast(try_cast({{ trimmed }} as timestamp with time zone) at time zone 'UTC' as timestamp)
        else try_cast({{ trimmed }} as timestamp)
    end
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
