{% macro percentile(expression, fraction) %}
    {{- return(adapter.dispatch('percentile', 'agent_analytics')(expression, fraction)) -}}
{% endmacro %}

{% macro default__percentile(expression, fraction) -%}
    percentile_cont({{ fraction }}) within group (order by {{ expression }})
{%- endmacro %}

{% macro duckdb__percentile(expression, fraction) -%}
    quantile_cont({{ expression }}, {{ fraction }})
{%- endmacro %}


{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as {{ type_double() }}) / nullif({{ denominator }}, 0)
{%- endmacro %}


{% macro bigint_sum(expression) -%}
    cast(sum({{ expression }}) as {{ dbt.type_bigint() }})
{%- endmacro %}


{% macro count_where(condition) -%}
    cast(sum(case when {{ condition }} then 1 else 0 end) as {{ dbt.type_bigint() }})
{%- endmacro %}


{#- Sums that keep the money type: some engines widen the sum of a numeric. -#}
{% macro usd_sum(expression) -%}
    cast(sum({{ expression }}) as {{ type_usd() }})
{%- endmacro %}
