{% macro first_matching(column) -%}
    case
        when response_texts.priority < coalesce(signals.priority, 100000) then response_texts.{{ column }}
        else signals.{{ column }}
    end
{%- endmacro %}
