{% macro matches_rule(value_expression, seed) -%}
    case rules.match_type
            when 'in' then {{ dbt.position("('|' || " ~ value_expression ~ " || '|')", "('|' || rules.pattern || '|')") }} > 0
            when 'contains' then {{ dbt.position('rules.pattern', value_expression) }} > 0
            when 'regex' then {{ matches_rule_pattern(value_expression, seed) }}
        end
{%- endmacro %}
