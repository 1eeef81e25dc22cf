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
    received_at nulls last, loaded_at nulls last, event_at nulls last, raw_schema
{%- endmacro %}
