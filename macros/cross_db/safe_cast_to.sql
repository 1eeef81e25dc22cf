{#- Cast that gives null for what does not convert; dbt.safe_cast raises on most engines. -#}
{% macro safe_cast_to(expression, data_type) %}
    {{- return(adapter.dispatch('safe_cast_to', 'agent_analytics')(expression, data_type)) -}}
{% endmacro %}

{% macro default__safe_cast_to(expression, data_type) -%}
    try_cast({{ expression }} as {{ data_type }})
{%- endmacro %}
