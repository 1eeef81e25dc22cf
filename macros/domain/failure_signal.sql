{% macro failure_signal_key(step_type, status) -%}
    case
        when {{ has_failure_signal(status) }}
            then {{ salted_key_of(
                "coalesce(" ~ word(step_type) ~ ", '')"
                ~ " || '|' || coalesce(" ~ word(status) ~ ", '')"
                ~ " || '|' || coalesce(lower(error_type), '')"
                ~ " || '|' || coalesce(http_status, '')"
                ~ " || '|' || coalesce(" ~ word('finish_reason') ~ ", '')"
                ~ " || '|' || coalesce(" ~ comparable_message('error_message') ~ ", '')"
            ) }}
    end
{%- endmacro %}


{% macro has_failure_signal(status) -%}
    (
        coalesce({{ status }} != 'success' and {{ word(status) }} != 'success', false)
        or error_type is not null
        or error_message is not null
        or http_status is not null
        or finish_reason is not null
    )
{%- endmacro %}


{% macro comparable_message(message) -%}
    {{ first_characters(
        replace_pattern(
            replace_pattern(
                lower_case(first_characters(message, 2000)),
                '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}',
                '<id>'
            ),
            '[0-9]{6,}',
            '<number>'
        ),
        1000
    ) }}
{%- endmacro %}


{% macro message_class(message) -%}
    left({{ salted_hash(replace_pattern(
        replace_pattern(
            replace_pattern(
                replace_pattern(lower_case(first_characters(message, 2000)), '[a-z]+://[^ ]+|[^ ]+@[^ ]+', '<address>'),
                '["\'`][^"\'`]*["\'`]',
                '<quoted>'
            ),
            '[0-9a-f]*[0-9][0-9a-f.:-]*',
            '<number>'
        ),
        '[ \\t\\n\\r\\f]+',
        ' '
    )) }}, 12)
{%- endmacro %}
