{% macro name_disabled_models() %}
    {%- if execute and is_a_build() and target.type != 'duckdb' -%}
        {%- do log('mart_metric_anomalies and mart_change_points are Python models, which are built on DuckDB only', info=true) -%}
    {%- endif -%}
    {{- return('') -}}
{% endmacro %}
