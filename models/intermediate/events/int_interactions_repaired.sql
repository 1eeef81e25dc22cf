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
        known_ids.interaction_id,
        known_ids.conversation_id
    from {{ ref('int_interactions_known') }} as known_ids
    where known_ids.interaction_id in (select incomplete.sent_interaction_id from incomplete)

),

without_conversation as (

    select distinct sent_interaction_id
    from incomplete
    where
        sent_conversation_id = ''
        and sent_interaction_id != ''

),

repaired as (

    select
        known.interaction_id as interaction_id,
        count(*) as interaction_match_count,
        case when count(*) = 1 then min(known.conversation_id) end as repaired_conversation_id
    from known
    inner join without_conversation on known.interaction_id = without_conversation.sent_interaction_id
    group by known.interaction_id

)

select * from repaired
