{% macro quarantine_reason() -%}
    case
        when event_id is null then 'missing_event_id'
        when delivery_number > 1 then null
        when event_at is null then 'missing_event_time'
        when source_table in ('{{ agent_session_tables() | join("', '") }}') and sent_agent_session_id is null
            then 'missing_agent_session_id'
        when interaction_id is null and agent_session_match_count > 1 then 'ambiguous_interaction_id'
        when interaction_id is null then 'missing_interaction_id'
        when conversation_id is null and interaction_match_count > 1 then 'ambiguous_conversation_id'
        when conversation_id is null then 'missing_conversation_id'
    end
{%- endmacro %}


{% macro event_disposition() -%}
    case
        when quarantine_reason is not null then 'quarantined'
        when delivery_number > 1 then 'duplicate'
        else 'accepted'
    end
{%- endmacro %}


{% macro delivery_order() -%}
    loaded_at desc nulls last, received_at desc nulls last, event_at desc nulls last,
            reported_cost_usd desc nulls last, {{ content_of_delivery() }}, sent_conversation_id nulls last,
            sent_interaction_id nulls last, sent_agent_session_id nulls last, raw_schema
{%- endmacro %}


{% macro content_of_delivery() %}
    {%- set parts = [] -%}
    {%- for column, definition in event_columns().items()
        if not column.startswith('sent_conversation') and not column.endswith('_key') and column not in [
            'event_id', 'sent_interaction_id', 'sent_agent_session_id', 'raw_schema', 'unconverted_columns'
        ] -%}
        {%- if definition.type == type_text() -%}
            {%- do parts.append("coalesce(" ~ column ~ ", '')") -%}
        {%- elif definition.type == dbt.type_bigint() -%}
            {%- do parts.append("coalesce(cast(" ~ column ~ " as " ~ type_text() ~ "), '')") -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(text_hash(parts | join(" || '|' || "))) -}}
{% endmacro %}
