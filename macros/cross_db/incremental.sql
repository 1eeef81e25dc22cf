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


{% macro optimizer_barrier() %}
    {{- return(adapter.dispatch('optimizer_barrier', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__optimizer_barrier() %}{{- return('') -}}{% endmacro %}
{% macro duckdb__optimizer_barrier() %}{{- return('offset 0') -}}{% endmacro %}


{% macro inlining_barrier() %}
    {{- return(adapter.dispatch('inlining_barrier', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__inlining_barrier() %}{{- return('') -}}{% endmacro %}
{#- It writes an expression out wherever its column is used, and those of a cost are used in each other. -#}
{% macro postgres__inlining_barrier() %}{{- return('offset 0') -}}{% endmacro %}
{% macro redshift__inlining_barrier() %}{{- return('') -}}{% endmacro %}
