{% macro percentile(expression, fraction) %}
    {{- return(adapter.dispatch('percentile', 'agent_analytics')(expression, fraction)) -}}
{% endmacro %}

{% macro default__percentile(expression, fraction) -%}
    percentile_cont({{ fraction }}) within group (order by cast({{ expression }} as {{ type_double() }}))
{%- endmacro %}

{% macro duckdb__percentile(expression, fraction) -%}
    quantile_cont(cast({{ expression }} as {{ type_double() }}), {{ fraction }})
{%- endmacro %}

{% macro spark__percentile(expression, fraction) -%}
    percentile(cast({{ expression }} as {{ type_double() }}), {{ fraction }})
{%- endmacro %}

{#- BigQuery has no exact percentile that aggregates; a function of ours interpolates in the sorted array. -#}
{% macro bigquery__percentile(expression, fraction) -%}
    {{ helper_function('percentile_of') }}(array_agg(cast({{ expression }} as float64) ignore nulls), {{ fraction }})
{%- endmacro %}

{#- quantileExactInclusive counts from one, and 4.6 - 4 is less exact than 3.6 - 3. The value interpolates as elsewhere. -#}
{% macro clickhouse__percentile(expression, fraction) -%}
    arrayMap(
        sorted, position -> if(
            empty(sorted),
            null,
            sorted[toInt64(floor(position)) + 1] * (1 - (position - floor(position)))
            + sorted[toInt64(ceil(position)) + 1] * (position - floor(position))
        ),
        [arraySort(groupArray(cast({{ expression }} as {{ type_double() }})))],
        [(count({{ expression }}) - 1) * {{ fraction }}]
    )[1]
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


{% macro differs(left_expression, right_expression) -%}
    case
        when ({{ left_expression }}) is null and ({{ right_expression }}) is null then false
        when ({{ left_expression }}) is null or ({{ right_expression }}) is null then true
        else ({{ left_expression }}) != ({{ right_expression }})
    end
{%- endmacro %}


{% macro usd_sum(expression) -%}
    cast(sum({{ expression }}) as {{ type_usd() }})
{%- endmacro %}


{% macro to_usd(expression) %}
    {{- return(adapter.dispatch('to_usd', 'agent_analytics')(expression)) -}}
{% endmacro %}

{% macro default__to_usd(expression) -%}
    cast(round({{ expression }}, 12) as {{ type_usd() }})
{%- endmacro %}

{#- Its cast multiplies the float first, which brings up to a fifth of all halves below the half. -#}
{% macro duckdb__to_usd(expression) -%}
    cast(round({{ expression }}, 12) + sign({{ expression }}) * 0.0000000000001 as {{ type_usd() }})
{%- endmacro %}

{#- There is no round() for floats with decimals. -#}
{% macro postgres__to_usd(expression) -%}
    cast(round(cast({{ expression }} as numeric), 12) as {{ type_usd() }})
{%- endmacro %}

{% macro redshift__to_usd(expression) -%}
    {{ default__to_usd(expression) }}
{%- endmacro %}

{#- The plain cast cuts off instead of rounding, and floats round halves to even; decimals round them away from zero. -#}
{% macro clickhouse__to_usd(expression) -%}
    cast(round(toDecimal128OrNull(toString(round({{ expression }}, 12)), 12), 9) as {{ type_usd() }})
{%- endmacro %}


{% macro to_whole_number(expression) %}
    {{- return(adapter.dispatch('to_whole_number', 'agent_analytics')(expression)) -}}
{% endmacro %}

{% macro default__to_whole_number(expression) -%}
    cast(round({{ expression }}) as {{ dbt.type_bigint() }})
{%- endmacro %}

{#- Postgres rounds halves of binary floats to even, halves of decimals away from zero. Its direct cast
    from one to the other keeps fifteen digits only. -#}
{% macro postgres__to_whole_number(expression) -%}
    cast(round(cast(cast({{ expression }} as text) as numeric)) as {{ dbt.type_bigint() }})
{%- endmacro %}

{% macro redshift__to_whole_number(expression) -%}
    {{ default__to_whole_number(expression) }}
{%- endmacro %}

{#- ClickHouse rounds halves of floats to even; adding 0.5 would round what has no decimals left. -#}
{% macro clickhouse__to_whole_number(expression) -%}
    cast(
        trunc({{ expression }})
        + if(abs({{ expression }} - trunc({{ expression }})) >= 0.5, sign({{ expression }}), 0) as Int64
    )
{%- endmacro %}
