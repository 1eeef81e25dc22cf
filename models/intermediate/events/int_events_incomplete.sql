{{ config(materialized=incremental_where_possible(), incremental_strategy='append') }}

with incomplete as (

    select distinct
        source_table,
        event_key,
        -- '' stands for an id that was not sent
        coalesce(sent_conversation_id, '') as sent_conversation_id,
        coalesce(sent_interaction_id, '') as sent_interaction_id,
        coalesce(sent_agent_session_id, '') as sent_agent_session_id
    from {{ ref('int_events_loaded') }}
    where
        event_id is not null
        and (sent_conversation_id is null or sent_interaction_id is null)

)

select
    incomplete.source_table as source_table,
    incomplete.event_key as event_key,
    incomplete.sent_conversation_id as sent_conversation_id,
    incomplete.sent_interaction_id as sent_interaction_id,
    incomplete.sent_agent_session_id as sent_agent_session_id
from incomplete
{% if is_incremental() -%}
left join {{ this }} as stored
    on
        incomplete.source_table = stored.source_table
        and incomplete.event_key = stored.event_key
        and incomplete.sent_conversation_id = stored.sent_conversation_id
        and incomplete.sent_interaction_id = stored.sent_interaction_id
        and incomplete.sent_agent_session_id = stored.sent_agent_session_id
where stored.event_key is null
{%- endif %}
