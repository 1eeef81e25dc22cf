{% macro milliseconds_between(earlier, later) -%}
    ({{ epoch_milliseconds(later) }} - {{ epoch_milliseconds(earlier) }})
{%- endmacro %}


{% macro epoch_milliseconds(timestamp_expression) %}
    {{- return(adapter.dispatch('epoch_milliseconds', 'agent_analytics')(timestamp_expression)) -}}
{% endmacro %}

{% macro default__epoch_milliseconds(timestamp_expression) -%}
    {{ dbt.datediff("cast('1970-01-01' as timestamp)", timestamp_expression, 'millisecond') }}
{%- endmacro %}

{#- epoch_ms() cuts off towards 1970. -#}
{% macro duckdb__epoch_milliseconds(timestamp_expression) -%}
    cast(floor(epoch_us({{ timestamp_expression }}) / 1000) as bigint)
{%- endmacro %}

{% macro postgres__epoch_milliseconds(timestamp_expression) -%}
    cast(floor(extract(epoch from {{ timestamp_expression }}) * 1000) as bigint)
{%- endmacro %}

{% macro redshift__epoch_milliseconds(timestamp_expression) -%}
    {{ default__epoch_milliseconds(timestamp_expression) }}
{%- endmacro %}

{% macro spark__epoch_milliseconds(timestamp_expression) -%}
    unix_millis({{ timestamp_expression }})
{%- endmacro %}

{% macro snowflake__epoch_milliseconds(timestamp_expression) -%}
    date_part(epoch_millisecond, {{ timestamp_expression }})
{%- endmacro %}

{% macro bigquery__epoch_milliseconds(timestamp_expression) -%}
    unix_millis({{ timestamp_expression }})
{%- endmacro %}

{#- toUnixTimestamp64Milli cuts off towards 1970. -#}
{% macro clickhouse__epoch_milliseconds(timestamp_expression) -%}
    intDiv(
        toUnixTimestamp64Micro({{ timestamp_expression }})
        - positiveModulo(toUnixTimestamp64Micro({{ timestamp_expression }}), 1000),
        1000
    )
{%- endmacro %}


{% macro utc_timestamp_literal(timestamp_text) -%}
    cast('{{ timestamp_text }}' as {{ type_utc_timestamp() }})
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

{% macro postgres__add_milliseconds(timestamp_expression, milliseconds) -%}
    ({{ timestamp_expression }} + ({{ milliseconds }}) * interval '1 millisecond')
{%- endmacro %}

{% macro redshift__add_milliseconds(timestamp_expression, milliseconds) -%}
    dateadd(millisecond, {{ milliseconds }}, {{ timestamp_expression }})
{%- endmacro %}

{% macro spark__add_milliseconds(timestamp_expression, milliseconds) -%}
    timestamp_micros(unix_micros({{ timestamp_expression }}) + cast({{ milliseconds }} as bigint) * 1000)
{%- endmacro %}

{% macro bigquery__add_milliseconds(timestamp_expression, milliseconds) -%}
    timestamp_add({{ timestamp_expression }}, interval ({{ milliseconds }}) millisecond)
{%- endmacro %}

{% macro clickhouse__add_milliseconds(timestamp_expression, milliseconds) -%}
    addMilliseconds({{ timestamp_expression }}, {{ milliseconds }})
{%- endmacro %}


{% macro add_minutes(timestamp_expression, minutes) %}
    {{- return(add_milliseconds(timestamp_expression, (minutes | int) * 60000)) -}}
{% endmacro %}


{% macro reporting_date(timestamp_expression) -%}
    {#- In UTC the day is the date part: the detour through time zones costs seconds per million rows. -#}
    {%- if var('reporting_timezone') | upper == 'UTC' -%}
        cast({{ timestamp_expression }} as date)
    {%- else -%}
        {{ date_in_time_zone(timestamp_expression, var('reporting_timezone')) }}
    {%- endif -%}
{%- endmacro %}


{% macro date_in_time_zone(timestamp_expression, time_zone) %}
    {{- return(adapter.dispatch('date_in_time_zone', 'agent_analytics')(timestamp_expression, time_zone)) -}}
{% endmacro %}

{% macro default__date_in_time_zone(timestamp_expression, time_zone) -%}
    cast({{ timestamp_expression }} at time zone 'UTC' at time zone {{ text_literal(time_zone) }} as date)
{%- endmacro %}

{% macro spark__date_in_time_zone(timestamp_expression, time_zone) -%}
    to_date(from_utc_timestamp({{ timestamp_expression }}, {{ text_literal(time_zone) }}))
{%- endmacro %}

{% macro snowflake__date_in_time_zone(timestamp_expression, time_zone) -%}
    cast(convert_timezone('UTC', {{ text_literal(time_zone) }}, {{ timestamp_expression }}) as date)
{%- endmacro %}

{% macro bigquery__date_in_time_zone(timestamp_expression, time_zone) -%}
    date({{ timestamp_expression }}, {{ text_literal(time_zone) }})
{%- endmacro %}

{% macro redshift__date_in_time_zone(timestamp_expression, time_zone) -%}
    cast(convert_timezone('UTC', {{ text_literal(time_zone) }}, {{ timestamp_expression }}) as date)
{%- endmacro %}

{% macro clickhouse__date_in_time_zone(timestamp_expression, time_zone) -%}
    toDate({{ timestamp_expression }}, {{ text_literal(time_zone) }})
{%- endmacro %}


{% macro raw_timestamp_text(column, kind) %}
    {{- return(adapter.dispatch('raw_timestamp_text', 'agent_analytics')(column, kind)) -}}
{% endmacro %}

{% macro default__raw_timestamp_text(column, kind) -%}
    cast({{ column }} as {{ type_text() }})
{%- endmacro %}

{% macro _text_in_utc(column, kind) -%}
    {%- if kind == 'zoned' -%}
        cast({{ zoned_to_utc(column) }} as {{ type_text() }}) || '+00'
    {%- else -%}
        {{ default__raw_timestamp_text(column, kind) }}
    {%- endif -%}
{%- endmacro %}

{#- Their own text of a time with an offset is that of the session's zone. -#}
{% macro duckdb__raw_timestamp_text(column, kind) -%}{{ _text_in_utc(column, kind) }}{%- endmacro %}
{% macro postgres__raw_timestamp_text(column, kind) -%}{{ _text_in_utc(column, kind) }}{%- endmacro %}

{#- Its timestamps have a time zone, but their text lacks the offset. -#}
{% macro spark__raw_timestamp_text(column, kind) -%}
    cast({{ column }} as string) || '+00'
{%- endmacro %}

{% macro clickhouse__raw_timestamp_text(column, kind) -%}
    toString({{ column }}) || '+00'
{%- endmacro %}


{% macro current_utc_timestamp() %}
    {{- return(adapter.dispatch('current_utc_timestamp', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__current_utc_timestamp() -%}
    cast({{ dbt.current_timestamp() }} as {{ type_utc_timestamp() }})
{%- endmacro %}

{% macro duckdb__current_utc_timestamp() -%}
    cast({{ zoned_to_utc(dbt.current_timestamp()) }} as {{ type_utc_timestamp() }})
{%- endmacro %}

{% macro postgres__current_utc_timestamp() -%}
    cast({{ zoned_to_utc(dbt.current_timestamp()) }} as {{ type_utc_timestamp() }})
{%- endmacro %}

{% macro redshift__current_utc_timestamp() -%}
    {{ default__current_utc_timestamp() }}
{%- endmacro %}


{% macro session_time_zone() %}
    {{- return(adapter.dispatch('session_time_zone', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__session_time_zone() %}{{- return(none) -}}{% endmacro %}

{% macro spark__session_time_zone() %}
    {{- return({
        'expression': 'current_timezone()',
        'cure': "set:hiveconf:spark.sql.session.timeZone: UTC under server_side_parameters in profiles.yml"
    }) -}}
{% endmacro %}

{% macro databricks__session_time_zone() %}
    {{- return({'expression': 'current_timezone()', 'cure': 'timezone: UTC under session_properties in profiles.yml'}) -}}
{% endmacro %}

{% macro clickhouse__session_time_zone() %}
    {{- return({'expression': 'timezone()', 'cure': 'session_timezone: UTC under custom_settings in profiles.yml'}) -}}
{% endmacro %}

{% macro redshift__session_time_zone() %}
    {{- return({'expression': "current_setting('timezone')", 'cure': "alter user … set timezone to 'UTC'"}) -}}
{% endmacro %}
