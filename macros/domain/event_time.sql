{% macro is_clock_skewed() -%}
    (event_timestamp is null or coalesce(event_timestamp > {{ add_minutes('received_at', 24 * 60) }}, false))
{%- endmacro %}


{% macro event_time() -%}
    case
        when {{ is_clock_skewed() }}
            then coalesce(received_at, original_timestamp, sent_at, uuid_ts)
        else event_timestamp
    end
{%- endmacro %}
