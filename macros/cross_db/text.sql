{#- A quoted literal: vars reach SQL only through this macro. -#}
{% macro text_literal(text) %}
    {{- return(adapter.dispatch('text_literal', 'agent_analytics')(text | string)) -}}
{% endmacro %}

{% macro default__text_literal(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}

{% macro _literal_with_escaped_backslashes(text) -%}
    '{{ text | replace("\\", "\\\\") | replace("'", "\\'") }}'
{%- endmacro %}

{% macro spark__text_literal(text) -%}{{ _literal_with_escaped_backslashes(text) }}{%- endmacro %}

{#- No line break may stand in quotes there. -#}
{% macro bigquery__text_literal(text) -%}
    {{ _literal_with_escaped_backslashes(text) | replace("\n", "\\n") }}
{%- endmacro %}

{% macro snowflake__text_literal(text) -%}{{ _literal_with_escaped_backslashes(text) }}{%- endmacro %}

{% macro redshift__text_literal(text) -%}
    '{{ text | replace("\\", "\\\\") | replace("'", "''") }}'
{%- endmacro %}

{% macro clickhouse__text_literal(text) -%}{{ _literal_with_escaped_backslashes(text) }}{%- endmacro %}


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

{% macro clickhouse__text_matches(text_expression, pattern_expression) -%}
    match({{ text_expression }}, {{ pattern_expression }})
{%- endmacro %}


{#- Whether a value fits the pattern of a row of `failure_mode_rules` joined as `rules`. -#}
{% macro matches_rule_pattern(value_expression) %}
    {{- return(adapter.dispatch('matches_rule_pattern', 'agent_analytics')(value_expression)) -}}
{% endmacro %}

{% macro default__matches_rule_pattern(value_expression) -%}
    {{ text_matches(value_expression, 'rules.pattern') }}
{%- endmacro %}

{#- Redshift takes patterns as literals only, so each rule becomes a branch. -#}
{% macro redshift__matches_rule_pattern(value_expression) -%}
    {%- set patterns = [] -%}
    {%- if execute -%}
        {%- set patterns = run_query(
            'select rule_id, pattern from ' ~ ref('failure_mode_rules') ~ " where match_type = 'regex' order by rule_id"
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


{#- The text itself, or null when it is empty or nothing but spaces. -#}
{% macro non_blank(column) %}
    {{- return(adapter.dispatch('non_blank', 'agent_analytics')(column)) -}}
{% endmacro %}

{% macro default__non_blank(column) -%}
    case when trim({{ column }}) != '' then {{ column }} end
{%- endmacro %}

{#- Only what sorts before the first visible character can be blank: the comparison costs a tenth of
    the trim, and ids are the widest columns there are. -#}
{% macro duckdb__non_blank(column) -%}
    case when {{ column }} >= '!' then {{ column }} when trim({{ column }}) != '' then {{ column }} end
{%- endmacro %}


{% macro starts_with(text_expression, prefix_expression) -%}
    left({{ text_expression }}, length({{ prefix_expression }})) = {{ prefix_expression }}
{%- endmacro %}


{% macro character_count(text_expression) %}
    {{- return(adapter.dispatch('character_count', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__character_count(text_expression) -%}
    cast(length({{ text_expression }}) as {{ dbt.type_bigint() }})
{%- endmacro %}

{#- length() counts bytes. -#}
{% macro clickhouse__character_count(text_expression) -%}
    cast(lengthUTF8({{ text_expression }}) as Int64)
{%- endmacro %}


{% macro first_characters(text_expression, number_of_characters) %}
    {{- return(adapter.dispatch('first_characters', 'agent_analytics')(text_expression, number_of_characters)) -}}
{% endmacro %}

{% macro default__first_characters(text_expression, number_of_characters) -%}
    left({{ text_expression }}, {{ number_of_characters }})
{%- endmacro %}

{% macro clickhouse__first_characters(text_expression, number_of_characters) -%}
    leftUTF8({{ text_expression }}, {{ number_of_characters }})
{%- endmacro %}


{#- Lower case of letters of every alphabet. -#}
{% macro lower_case(text_expression) %}
    {{- return(adapter.dispatch('lower_case', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__lower_case(text_expression) -%}
    lower({{ text_expression }})
{%- endmacro %}

{% macro clickhouse__lower_case(text_expression) -%}
    lowerUTF8({{ text_expression }})
{%- endmacro %}


{% macro line_break() %}
    {{- return(adapter.dispatch('line_break', 'agent_analytics')()) -}}
{% endmacro %}

{% macro default__line_break() -%}chr(10){%- endmacro %}

{% macro clickhouse__line_break() -%}char(10){%- endmacro %}


{#- MD5 of a text as 32 hexadecimal digits. -#}
{% macro text_hash(text_expression) %}
    {{- return(adapter.dispatch('text_hash', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro default__text_hash(text_expression) -%}
    md5({{ text_expression }})
{%- endmacro %}

{% macro bigquery__text_hash(text_expression) -%}
    to_hex(md5({{ text_expression }}))
{%- endmacro %}

{% macro clickhouse__text_hash(text_expression) -%}
    lower(hex(MD5({{ text_expression }})))
{%- endmacro %}


{#- SHA-256 of salt and text. The salt is a secret of the deployment, so equal hashes cannot be
    reproduced from guessed texts without it. -#}
{% macro salted_hash(text_expression) %}
    {{- return(adapter.dispatch('salted_hash', 'agent_analytics')(
        text_literal(env_var('AGENT_ANALYTICS_HASH_SALT', 'development-salt-change-me')) ~ ' || ' ~ text_expression
    )) -}}
{% endmacro %}

{% macro default__salted_hash(salted_text) -%}
    sha2({{ salted_text }}, 256)
{%- endmacro %}

{% macro duckdb__salted_hash(salted_text) -%}
    sha256({{ salted_text }})
{%- endmacro %}

{% macro postgres__salted_hash(salted_text) -%}
    encode(sha256(convert_to({{ salted_text }}, 'UTF8')), 'hex')
{%- endmacro %}

{% macro redshift__salted_hash(salted_text) -%}
    {{ default__salted_hash(salted_text) }}
{%- endmacro %}

{% macro bigquery__salted_hash(salted_text) -%}
    to_hex(sha256({{ salted_text }}))
{%- endmacro %}

{% macro clickhouse__salted_hash(salted_text) -%}
    lower(hex(SHA256({{ salted_text }})))
{%- endmacro %}
