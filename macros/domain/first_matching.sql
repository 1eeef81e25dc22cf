{#- A column of the rule that comes first: the one found in an answer's text, or the one found in
    the other fields. Expects the relations `signals` and `response_texts` to be joined. -#}
{% macro first_matching(column) -%}
    case
        when response_texts.priority < coalesce(signals.priority, 100000) then response_texts.{{ column }}
        else signals.{{ column }}
    end
{%- endmacro %}
