{% macro believed_time(moment) -%}
    case
        when
            {{ moment }} >= {{ utc_timestamp_literal('2015-01-01 00:00:00') }}
            and coalesce({{ moment }} <= {{ add_minutes('uuid_ts', 24 * 60) }}, true)
            then {{ moment }}
    end
{%- endmacro %}


{% macro is_clock_skewed() -%}
    (
        {{ believed_time('event_timestamp') }} is null
        or coalesce(event_timestamp > {{ add_minutes(believed_time('received_at'), 24 * 60) }}, false)
    )
{%- endmacro %}


{% macro event_time() -%}
    case
        when {{ is_clock_skewed() }}
            then coalesce(
                {{ believed_time('received_at') }},
                {{ believed_time('original_timestamp') }},
                {{ believed_time('sent_at') }},
                uuid_ts
            )
        else event_timestamp
    end
{%- endmacro %}
