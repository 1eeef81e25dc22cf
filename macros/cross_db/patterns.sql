{% macro text_matches(text_expression, pattern_expression) %}
    {{- return(adapter.dispatch('text_matches', 'agent_analytics')(text_expression, pattern_expression)) -}}
{% endmacro %}

{% macro default__text_matches(text_expression, pattern_expression) -%}
    regexp_like({{ text_expression }}, {{ pattern_expression }})
{%- endmacro %}

{% macro duckdb__text_matches(text_expression, pattern_expression) -%}
    regexp_matches({{ text_expression }}, {{ pattern_expression }})
{%- endmacro %}

{% macro postgres__text_matches(text_expression, pattern_expression) -%}
    ({{ text_expression }} ~ {{ pattern_expression }})
{%- endmacro %}

{#- Snowflake's regexp_like must match the whole text. -#}
{% macro snowflake__text_matches(text_expression, pattern_expression) -%}
    (regexp_instr({{ text_expression }}, {{ pattern_expression }}) > 0)
{%- endmacro %}

{% macro bigquery__text_matches(text_expression, pattern_expression) -%}
    regexp_contains({{ text_expression }}, {{ pattern_expression }})
{%- endmacro %}

{#- In Java's patterns the end of a text is also before a last line break. A space behind that break puts it inside; (?d) leaves only
    the line feed as a break. -#}
{% macro spark__text_matches(text_expression, pattern_expression) -%}
    regexp_like(
        case when right({{ text_expression }}, 1) = {{ line_break() }} then {{ text_expression }} || ' ' else {{ text_expression }} end,
        '(?d)' || {{ pattern_expression }}
    )
{%- endmacro %}

{% macro clickhouse__text_matches(text_expression, pattern_expression) -%}
    match({{ text_expression }}, {{ pattern_expression }})
{%- endmacro %}


{% macro matches_rule_pattern(value_expression, seed='failure_mode_rules') %}
    {{- return(adapter.dispatch('matches_rule_pattern', 'agent_analytics')(value_expression, seed)) -}}
{% endmacro %}

{% macro default__matches_rule_pattern(value_expression, seed) -%}
    {{ text_matches(value_expression, 'rules.pattern') }}
{%- endmacro %}

{#- Redshift takes patterns as literals only, so each rule becomes a branch. -#}
{% macro redshift__matches_rule_pattern(value_expression, seed) -%}
    {%- set patterns = [] -%}
    {%- if execute -%}
        {%- set patterns = run_query(
            'select rule_id, pattern from ' ~ ref(seed) ~ " where match_type = 'regex' order by rule_id"
        ).rows -%}
    {%- endif -%}
    case rules.rule_id
        {%- for row in patterns %}
        when {{ text_literal(row[0]) }} then {{ text_matches(value_expression, text_literal(row[1])) }}
        {%- endfor %}
        else false
    end
{%- endmacro %}


{% macro replace_pattern(text_expression, pattern, replacement) %}
    {{- return(adapter.dispatch('replace_pattern', 'agent_analytics')(text_expression, pattern, replacement)) -}}
{% endmacro %}

{#- Every occurrence; DuckDB and Postgres replace only the first unless told otherwise. -#}
{% macro default__replace_pattern(text_expression, pattern, replacement) -%}
    regexp_replace({{ text_expression }}, {{ text_literal(pattern) }}, {{ text_literal(replacement) }})
{%- endmacro %}

{% macro duckdb__replace_pattern(text_expression, pattern, replacement) -%}
    regexp_replace({{ text_expression }}, {{ text_literal(pattern) }}, {{ text_literal(replacement) }}, 'g')
{%- endmacro %}

{% macro postgres__replace_pattern(text_expression, pattern, replacement) -%}
    regexp_replace({{ text_expression }}, {{ text_literal(pattern) }}, {{ text_literal(replacement) }}, 'g')
{%- endmacro %}

{% macro redshift__replace_pattern(text_expression, pattern, replacement) -%}
    {{ default__replace_pattern(text_expression, pattern, replacement) }}
{%- endmacro %}

{% macro clickhouse__replace_pattern(text_expression, pattern, replacement) -%}
    replaceRegexpAll({{ text_expression }}, {{ text_literal(pattern) }}, {{ text_literal(replacement) }})
{%- endmacro %}
