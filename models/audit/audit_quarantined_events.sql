with quarantined as (

    select
        source_table,
        event_id,
        raw_schema,
        case when has_sent_conversation_id then conversation_id end as sent_conversation_id,
        case when has_sent_interaction_id then interaction_id end as sent_interaction_id,
        agent_session_id as sent_agent_session_id,
        user_id,
        anonymous_id,
        quarantine_reason,
        event_at,
        received_at,
        loaded_at
    from {{ ref('int_events') }}
    where event_disposition = 'quarantined'

),

-- events without an id are told apart by their position
numbered as (

    select
        *,
        row_number() over (
            partition by source_table, event_id
            order by
                received_at nulls last, loaded_at nulls last, event_at nulls last, raw_schema,
                quarantine_reason, user_id nulls last, anonymous_id nulls last,
                sent_conversation_id nulls last, sent_interaction_id nulls last, sent_agent_session_id nulls last
        ) as position_in_id
    from quarantined

)

select
    {{ text_hash(
        "source_table || '|' || coalesce(event_id, '') || '|' || cast(position_in_id as " ~ type_text() ~ ')'
    ) }} as quarantined_event_key,
    source_table,
    event_id,
    raw_schema,
    sent_conversation_id,
    sent_interaction_id,
    sent_agent_session_id,
    user_id,
    anonymous_id,
    quarantine_reason,
    event_at,
    received_at,
    loaded_at
from numbered
