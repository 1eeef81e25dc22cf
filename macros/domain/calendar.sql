{% macro days_since_monday(date_expression) -%}
    mod({{ dbt.datediff("cast('2001-01-01' as date)", date_expression, 'day') }}, 7)
{%- endmacro %}


{% macro week_start(date_expression) -%}
    cast({{ dbt.dateadd('day', '-1 * ' ~ days_since_monday(date_expression), date_expression) }} as date)
{%- endmacro %}
