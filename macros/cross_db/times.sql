{% macro milliseconds_between(earlier, later) %}
    {{- return(adapter.dispatch('milliseconds_between', 'agent_analytics')(earlier, later)) -}}
{% endmacro %}

{% macro default__milliseconds_between(earlier, later) -%}
    {{ dbt.datediff(earlier, later, 'millisecond') }}
{%- endmacro %}

{% macro duckdb__milliseconds_between(earlier, later) -%}
    (epoch_ms({{ later }}) - epoch_ms({{ earlier }}))
{%- endmacro %}


{% macro add_milliseconds(timestamp_expression, milliseconds) %}
    {{- return(adapter.dispatch('add_milliseconds', 'agent_analytics')(timestamp_expression, milliseconds)) -}}
{% endmacro %}

{% macro default__add_milliseconds(timestamp_expression, milliseconds) -%}
    {{ dbt.dateadd('millisecond', milliseconds, timestamp_expression) }}
{%- endmacro %}

{% macro duckdb__add_milliseconds(timestamp_expression, milliseconds) -%}
    ({{ timestamp_expression }} + to_milliseconds({{ milliseconds }}))
{%- endmacro %}


{% macro add_minutes(timestamp_expression, minutes) %}
    {{- return(add_milliseconds(timestamp_expression, (minutes | int) * 60000)) -}}
{% endmacro %}


{% macro reporting_date(timestamp_expression) %}
    {{- return(adapter.dispatch('reporting_date', 'agent_analytics')(timestamp_expression)) -}}
{% endmacro %}

{% macro default__reporting_date(timestamp_expression) -%}
    cast(
        {{ timestamp_expression }} at time zone 'UTC'
        at time zone {{ string_literal(var('reporting_timezone')) }} as date
    )
{%- endmacro %}

{#- In UTC the day is the date part: the detour through time zones costs seconds per million rows. -#}
{% macro duckdb__reporting_date(timestamp_expression) -%}
    {%- if var('reporting_timezone') | upper == 'UTC' -%}
        cast({{ timestamp_expression }} as date)
    {%- else -%}
        {{- default__reporting_date(timestamp_expression) -}}
    {%- endif -%}
{%- endmacro %}
