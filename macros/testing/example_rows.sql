{% macro example_rows(rows, columns) -%}
    {%- for row in rows -%}
    select
        {{ loop.index }} as example,
        {%- for name, type in columns.items() %}
        cast({{ literal(row[loop.index0]) }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor -%}
{%- endmacro %}


{% macro literal(value) %}
    {%- if value is none -%}
        {{- return('null') -}}
    {%- elif value is boolean -%}
        {{- return('true' if value else 'false') -}}
    {%- elif value is string -%}
        {{- return(text_literal(value)) -}}
    {%- endif -%}
    {{- return(value) -}}
{% endmacro %}


{% macro wrong_examples(checks) -%}
    {%- for macro_name, relation, is_wrong in checks -%}
    select
        {{ text_literal(macro_name) }} as macro_name,
        example
    from {{ relation }}
    where {{ is_wrong }}
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor -%}
{%- endmacro %}
