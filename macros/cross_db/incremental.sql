{#- Whether rows of a table can be replaced in one step by the adapter. Where they cannot, every
    build is a full one. -#}
{% macro can_replace_rows() %}
    {{- return(adapter.dispatch('can_replace_rows', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__can_replace_rows() %}{{- return(false) -}}{% endmacro %}
{% macro duckdb__can_replace_rows() %}{{- return(true) -}}{% endmacro %}
{#- Redshift has what Postgres has. -#}
{% macro postgres__can_replace_rows() %}{{- return(true) -}}{% endmacro %}
{% macro snowflake__can_replace_rows() %}{{- return(true) -}}{% endmacro %}


{#- Statements that take effect together or not at all. dbt runs a model in a transaction, on Snowflake
    only by words in the statements.

    Arguments
      statements: SQL, each statement with its semicolon -#}
{% macro in_one_transaction(statements) %}
    {{- return(adapter.dispatch('in_one_transaction', 'agent_analytics')(statements)) -}}
{% endmacro %}

{% macro default__in_one_transaction(statements) %}{{- return(statements) -}}{% endmacro %}

{% macro snowflake__in_one_transaction(statements) %}
    {{- return('begin;\n' ~ statements ~ '\ncommit;') -}}
{% endmacro %}


{#- Materialization of models that keep what earlier builds made. -#}
{% macro incremental_where_possible() %}
    {{- return('incremental' if can_replace_rows() else 'table') -}}
{% endmacro %}


{#- Ends a subquery whose condition on a column lets the engine skip files and row groups. DuckDB moves
    conditions on other columns into the same scan and then reads all of them: 0.3 instead of 0.03
    seconds for a day of five million steps in Parquet. -#}
{% macro optimizer_barrier() %}
    {{- return(adapter.dispatch('optimizer_barrier', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__optimizer_barrier() %}{{- return('') -}}{% endmacro %}
{% macro duckdb__optimizer_barrier() %}{{- return('offset 0') -}}{% endmacro %}
