{% macro can_replace_rows() %}
    {{- return(adapter.dispatch('can_replace_rows', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__can_replace_rows() %}{{- return(false) -}}{% endmacro %}
{% macro duckdb__can_replace_rows() %}{{- return(true) -}}{% endmacro %}
{#- Redshift has what Postgres has. -#}
{% macro postgres__can_replace_rows() %}{{- return(true) -}}{% endmacro %}
{% macro snowflake__can_replace_rows() %}{{- return(true) -}}{% endmacro %}


{% macro in_one_transaction(statements) %}
    {{- return(adapter.dispatch('in_one_transaction', 'agent_analytics')(statements)) -}}
{% endmacro %}

{% macro default__in_one_transaction(statements) %}{{- return(statements) -}}{% endmacro %}

{% macro snowflake__in_one_transaction(statements) %}
    {{- return('begin;\n' ~ statements ~ '\ncommit;') -}}
{% endmacro %}


{% macro incremental_where_possible() %}
    {{- return('incremental' if can_replace_rows() else 'table') -}}
{% endmacro %}


{% macro event_key(event_id) %}
    {{- return(adapter.dispatch('event_key', 'agent_analytics')(event_id)) -}}
{% endmacro %}

{% macro default__event_key(event_id) -%}
    coalesce({{ event_id }}, '')
{%- endmacro %}

{#- All of MD5 as a number; hash() may change with DuckDB's version, and these are stored. -#}
{% macro duckdb__event_key(event_id) -%}
    md5_number(coalesce({{ event_id }}, ''))
{%- endmacro %}


{% macro filter_fence() %}
    {{- return(adapter.dispatch('filter_fence', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__filter_fence() %}{{- return('') -}}{% endmacro %}
{% macro duckdb__filter_fence() %}{{- return('offset 0') -}}{% endmacro %}
