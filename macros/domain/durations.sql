{% macro plausible_duration(duration_ms) -%}
    case when {{ duration_ms }} between 0 and 2592000000 then {{ duration_ms }} end
{%- endmacro %}


{% macro is_suspect_duration(duration_ms) -%}
    coalesce({{ duration_ms }} not between 0 and 2592000000, false)
{%- endmacro %}
