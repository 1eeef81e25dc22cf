{#- A quoted literal: vars reach SQL only through this macro. -#}
{% macro string_literal(text) -%}
    '{{ text | string | replace("'", "''") }}'
{%- endmacro %}


{% macro text_matches(text_expression, pattern_expression) %}
    {{- return(adapter.dispatch('text_matches', 'agent_analytics')(text_expression, pattern_expression)) -}}
{% endmacro %}

{% macro default__text_matches(text_expression, pattern_expression) -%}
    regexp_like({{ text_expression }}, {{ pattern_expression }})
{%- endmacro %}

{% macro duckdb__text_matches(text_expression, pattern_expression) -%}
    regexp_matches({{ text_expression }}, {{ pattern_expression }})
{%- endmacro %}


{% macro replace_pattern(text_expression, pattern, replacement) %}
    {{- return(adapter.dispatch('replace_pattern', 'agent_analytics')(text_expression, pattern, replacement)) -}}
{% endmacro %}

{% macro default__replace_pattern(text_expression, pattern, replacement) -%}
    regexp_replace({{ text_expression }}, {{ string_literal(pattern) }}, {{ string_literal(replacement) }}, 'g')
{%- endmacro %}


{% macro starts_with(text_expression, prefix_expression) -%}
    left({{ text_expression }}, length({{ prefix_expression }})) = {{ prefix_expression }}
{%- endmacro %}


{#- SHA-256 of salt and text. The salt is a secret of the deployment, so equal hashes cannot be
    reproduced from guessed texts without it. -#}
{% macro salted_hash(text_expression) %}
    {{- return(adapter.dispatch('salted_hash', 'agent_analytics')(text_expression)) -}}
{% endmacro %}

{% macro hash_salt() %}
    {{- return(env_var('AGENT_ANALYTICS_HASH_SALT', 'development-salt-change-me')) -}}
{% endmacro %}

{% macro default__salted_hash(text_expression) -%}
    encode(sha256(convert_to({{ string_literal(hash_salt()) }} || {{ text_expression }}, 'UTF8')), 'hex')
{%- endmacro %}

{% macro duckdb__salted_hash(text_expression) -%}
    sha256({{ string_literal(hash_salt()) }} || {{ text_expression }})
{%- endmacro %}


{#- Text at a path of a JSON text or JSON column; null when the column holds no valid JSON.
    `path` is a list of keys; an empty list gives the value itself, strings without quotes. -#}
{% macro json_text(json_expression, path) %}
    {{- return(adapter.dispatch('json_text', 'agent_analytics')(json_expression, path)) -}}
{% endmacro %}

{% macro default__json_text(json_expression, path) -%}
    json_value({{ json_expression }}, {{ string_literal((['$'] + path) | join('.')) }})
{%- endmacro %}

{% macro duckdb__json_text(json_expression, path) -%}
    case
        when json_valid(cast({{ json_expression }} as varchar))
            then json_extract_string(cast({{ json_expression }} as varchar), {{ string_literal((['$'] + path) | join('.')) }})
    end
{%- endmacro %}
