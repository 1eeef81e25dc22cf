{#- Whether the rule found in an answer's text comes before the rule found in the other fields.
    Expects the relations `signals` and `response_texts` to be joined. -#}
{% macro response_text_rule_wins() -%}
    coalesce(response_texts.priority < coalesce(signals.priority, 100000), false)
{%- endmacro %}
