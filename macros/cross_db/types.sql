{#- Money: nine decimals hold the price of one token of the cheapest model. -#}
{% macro type_usd() %}{{ return(adapter.dispatch('type_usd', 'agent_analytics')()) }}{% endmacro %}

{% macro default__type_usd() %}numeric(28, 9){% endmacro %}


{#- 64-bit float: dbt.type_float() is 32 bits wide on DuckDB. -#}
{% macro type_double() %}{{ return(adapter.dispatch('type_double', 'agent_analytics')()) }}{% endmacro %}

{% macro default__type_double() %}double precision{% endmacro %}

{% macro duckdb__type_double() %}double{% endmacro %}
