{% macro physical_design(date_column, key_column, join_column=none) %}
    {{- return(adapter.dispatch('physical_design', 'agent_analytics')(date_column, key_column, join_column or key_column)) -}}
{% endmacro %}

{#- DuckDB keeps the least and greatest value of every column per row group, which is enough. -#}
{% macro default__physical_design(date_column, key_column, join_column) %}
    {{- return({}) -}}
{% endmacro %}

{% macro postgres__physical_design(date_column, key_column, join_column) %}
    {%- set indexes = [{'columns': [key_column], 'unique': true}, {'columns': [date_column]}] -%}
    {%- if join_column != key_column -%}{%- do indexes.append({'columns': [join_column]}) -%}{%- endif -%}
    {{- return({'indexes': indexes}) -}}
{% endmacro %}

{#- Facts of one run on one node, so that their joins move nothing. -#}
{% macro redshift__physical_design(date_column, key_column, join_column) %}
    {{- return({'dist': join_column, 'sort': date_column}) -}}
{% endmacro %}

{% macro snowflake__physical_design(date_column, key_column, join_column) %}
    {{- return({'cluster_by': [date_column]}) -}}
{% endmacro %}

{#- A filter on the day scans, and is billed for, the partitions of these days only. -#}
{% macro bigquery__physical_design(date_column, key_column, join_column) %}
    {{- return({'partition_by': {'field': date_column, 'data_type': 'date'}, 'cluster_by': [join_column]}) -}}
{% endmacro %}

{#- Whole days can be overwritten, which is all that Parquet allows. -#}
{% macro spark__physical_design(date_column, key_column, join_column) %}
    {{- return({'partition_by': [date_column]}) -}}
{% endmacro %}

{% macro databricks__physical_design(date_column, key_column, join_column) %}
    {{- return({'liquid_clustered_by': [date_column, join_column]}) -}}
{% endmacro %}

{% macro clickhouse__physical_design(date_column, key_column, join_column) %}
    {{- return({
        'partition_by': 'toYYYYMM(' ~ date_column ~ ')',
        'order_by': '(' ~ date_column ~ ', ' ~ join_column ~ ')',
        'settings': {'allow_nullable_key': 1}
    }) -}}
{% endmacro %}


{% macro analyze_table() %}
    {{- return(adapter.dispatch('analyze_table', 'agent_analytics')()) -}}
{% endmacro %}

{#- Most engines count while they write. -#}
{% macro default__analyze_table() %}{% endmacro %}

{#- Postgres counts in the background, minutes later: the next model would be planned as if this one
    were empty, and joins of a million events by nested loops do not end. -#}
{% macro postgres__analyze_table() %}
    {%- if model.config.materialized != 'view' -%}
analyze {{ this }}
    {%- endif -%}
{% endmacro %}

{% macro redshift__analyze_table() %}{% endmacro %}
