with sent_ids as (

    select * from {{ ref('int_events_sent_ids') }}

),

without_conversation as (

    select distinct sent_interaction_id
    from sent_ids
    where
        event_id is not null
        and sent_conversation_id is null
        and sent_interaction_id is not null

),

known_conversations as (

    select distinct
        sent_ids.sent_interaction_id as sent_interaction_id,
        sent_ids.sent_conversation_id
    from sent_ids
    inner join without_conversation
        on sent_ids.sent_interaction_id = without_conversation.sent_interaction_id
    where
        sent_ids.event_id is not null
        and sent_ids.sent_conversation_id is not null

),

repaired as (

    select
        sent_interaction_id as interaction_id,
        count(*) as interaction_match_count,
        case when count(*) = 1 then min(sent_conversation_id) end as repaired_conversation_id
    from known_conversations
    group by sent_interaction_id

)

select * from repaired
