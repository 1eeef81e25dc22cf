{#- A reported duration that can be used in arithmetic: not negative and at most 30 days, longer
    than any run and short enough that no sum of them overflows. The reported figure itself stays
    in `duration_ms`, and `has_suspect_duration` says when the two differ. -#}
{% macro plausible_duration(duration_ms) -%}
    case when {{ duration_ms }} between 0 and 2592000000 then {{ duration_ms }} end
{%- endmacro %}


{% macro is_suspect_duration(duration_ms) -%}
    coalesce({{ duration_ms }} not between 0 and 2592000000, false)
{%- endmacro %}
