with sent_ids as (

    select * from {{ ref('int_events_sent_ids') }}

),

without_interaction as (

    select distinct
        sent_agent_session_id,
        -- '' stands for an event that names no conversation either
        coalesce(sent_conversation_id, '') as sent_conversation_id
    from sent_ids
    where
        event_id is not null
        and sent_interaction_id is null
        and sent_agent_session_id is not null

),

known_sessions as (

    select distinct
        without_interaction.sent_agent_session_id as sent_agent_session_id,
        without_interaction.sent_conversation_id as sent_conversation_id,
        sent_ids.sent_conversation_id as known_conversation_id,
        sent_ids.sent_interaction_id as known_interaction_id
    from sent_ids
    inner join without_interaction
        on sent_ids.sent_agent_session_id = without_interaction.sent_agent_session_id
    where
        sent_ids.event_id is not null
        and sent_ids.sent_conversation_id is not null
        and sent_ids.sent_interaction_id is not null
        and without_interaction.sent_conversation_id in ('', sent_ids.sent_conversation_id)

),

repaired as (

    select
        sent_agent_session_id as agent_session_id,
        sent_conversation_id as matched_conversation_id,
        count(*) as agent_session_match_count,
        case when count(*) = 1 then min(known_conversation_id) end as repaired_conversation_id,
        case when count(*) = 1 then min(known_interaction_id) end as repaired_interaction_id
    from known_sessions
    group by sent_agent_session_id, sent_conversation_id

)

select * from repaired
