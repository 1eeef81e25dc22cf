{#- Whether the client's time is not believed: absent, unparseable, or more than a day ahead of
    the moment the server received the event. -#}
{% macro is_clock_skewed() -%}
    (event_timestamp is null or coalesce(event_timestamp > {{ add_minutes('received_at', 24 * 60) }}, false))
{%- endmacro %}


{#- Event time in UTC: the client's, or when it is not believed the server's. -#}
{% macro event_time() -%}
    case
        when {{ is_clock_skewed() }}
            then coalesce(received_at, original_timestamp, sent_at, uuid_ts)
        else event_timestamp
    end
{%- endmacro %}
