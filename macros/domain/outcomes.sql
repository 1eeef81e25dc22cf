{#- Technical success by usefulness is a matrix of nine: macros, so that its tables agree on both sides. -#}
{% macro technical_outcome() -%}
    case
        when is_successful then 'success'
        when run_status in ('error', 'timeout') then 'failed'
        else 'other'
    end
{%- endmacro %}


{% macro product_outcome() -%}
    case
        when is_product_success then 'useful'
        when not is_product_success then 'useless'
        else 'unknown'
    end
{%- endmacro %}
