{% macro is_error_like_tool_output() -%}
    (
        coalesce(lower(tool_output_error) not in ('', 'null', 'none', 'false', '0', '[]', '{}'), false)
        or coalesce(tool_output_ok = false, false)
        or coalesce(tool_output_is_error, false)
        or coalesce(tool_output_failed > 0, false)
        or coalesce(tool_output_rows_returned = 0, false)
        or coalesce(lower(left(tool_output, 6)) in ('error:', 'error '), false)
        or coalesce(trim(tool_output) in ('[]', '{}', 'null'), false)
    )
{%- endmacro %}


{% macro location_without_secrets(location) -%}
    {{ replace_pattern(replace_pattern(location, '[?#].*$', ''), '//[^/@]*@', '//') }}
{%- endmacro %}
