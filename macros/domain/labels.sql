{% macro label(text) -%}
    case when {{ is_identifier(text) }} then {{ text }} else {{ salted_hash(text) }} end
{%- endmacro %}


{% macro is_identifier(text) -%}
    {{ text_matches(text, text_literal('^[A-Za-z0-9_.:-]{1,80}$')) }}
{%- endmacro %}


{% macro word(text) -%}
    replace(replace(lower({{ one_line(text) }}), ' ', '_'), '-', '_')
{%- endmacro %}


{% macro word_label(text, known=[]) -%}
    case
        {%- if known %}
        when {{ word(text) }} in ('{{ known | join("', '") }}') then {{ word(text) }}
        {%- endif %}
        when {{ is_identifier(one_line(text)) }} then {{ word(text) }}
        else {{ salted_hash(word(text)) }}
    end
{%- endmacro %}


{% macro one_line(text) -%}
    trim({{ replace_pattern(text, '[ \u00a0\\t\\n\\r\\f]+', ' ') }})
{%- endmacro %}


{% macro tidy_name(text) -%}
    case
        when {{ text_matches(text, text_literal('^[!-~]+( [!-~]+)*$')) }} then {{ text }}
        else nullif({{ one_line(composed_characters(text)) }}, '')
    end
{%- endmacro %}


{% macro feedback_label(text) -%}
    case
        when {{ text_matches(
            one_line(text),
            text_literal('^[-+]?[0-9]+([.,][0-9]+)? ?(%|(/|[oO]f|[oO]ut [oO]f) ?[0-9]+([.,][0-9]+)?|[sS]tars?)?$')
        ) }}
            then replace({{ replace_pattern(
                replace_pattern('lower(' ~ one_line(text) ~ ')', ' ?(out of|of|/) ?', '/'), ' |stars?', ''
            ) }}, ',', '.')
        else {{ label(lower_case(one_line(text))) }}
    end
{%- endmacro %}


{% macro folded_name(name) -%}
    coalesce({{ lower_case(name) }}, '')
{%- endmacro %}


{% macro known_actions() %}
    {{- return(['feedback_given', 'copied', 'copied_response', 'shared', 'regenerated'] + retracting_actions()) -}}
{% endmacro %}


{% macro retracting_actions() %}
    {{- return(['feedback_retracted', 'feedback_removed', 'feedback_withdrawn', 'feedback_deleted', 'feedback_cleared']) -}}
{% endmacro %}
