{% macro passthrough_columns() %}
    {%- set names = var('passthrough_columns') -%}
    {%- set columns = {} -%}
    {%- if is_allowed_setting(names, allowed_settings().passthrough_columns) -%}
        {%- for name in names -%}{%- do columns.update({'passthrough_' ~ name: name}) -%}{%- endfor -%}
    {%- endif -%}
    {{- return(columns) -}}
{% endmacro %}
