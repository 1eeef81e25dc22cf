{#- Only for the events that this build identifies. -#}
{%- set changed = state_ref('int_events_changed') -%}

with incomplete as (

    select * from {{ ref('int_events_incomplete') }}
    {% if is_incremental_build() -%}
    where event_key in (select event_key from {{ changed }})
    {%- endif %}

),

-- an id that came again long after it was first seen is there twice
known as (

    select distinct
        known_ids.agent_session_id,
        known_ids.conversation_id,
        known_ids.interaction_id
    from {{ ref('int_agent_sessions_known') }} as known_ids
    where known_ids.agent_session_id in (select incomplete.sent_agent_session_id from incomplete)

),

without_interaction as (

    select distinct
        sent_agent_session_id,
        sent_conversation_id
    from incomplete
    where
        sent_interaction_id = ''
        and sent_agent_session_id != ''

),

repaired as (

    select
        without_interaction.sent_agent_session_id as agent_session_id,
        without_interaction.sent_conversation_id as matched_conversation_id,
        count(*) as agent_session_match_count,
        case when count(*) = 1 then min(known.conversation_id) end as repaired_conversation_id,
        case when count(*) = 1 then min(known.interaction_id) end as repaired_interaction_id
    from known
    inner join without_interaction on known.agent_session_id = without_interaction.sent_agent_session_id
    where without_interaction.sent_conversation_id in ('', known.conversation_id)
    group by
        without_interaction.sent_agent_session_id,
        without_interaction.sent_conversation_id

)

select * from repaired
