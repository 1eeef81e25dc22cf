{% macro comparable_word(word) -%}
    replace(replace(lower(trim({{ word }})), ' ', '_'), '-', '_')
{%- endmacro %}
