{{ config(materialized=incremental_where_possible(), incremental_strategy='append') }}

with known as (

    select
        sent_agent_session_id as agent_session_id,
        sent_conversation_id as conversation_id,
        sent_interaction_id as interaction_id,
        -- unknown for all as soon as it is for one: those rows are read in every build
        case when count(*) = count(loaded_at) then max(loaded_at) end as loaded_at
    from {{ ref('int_events_loaded') }}
    where
        event_id is not null
        and sent_conversation_id is not null
        and sent_interaction_id is not null
        and sent_agent_session_id is not null
    group by
        sent_agent_session_id,
        sent_conversation_id,
        sent_interaction_id

)

select
    known.agent_session_id as agent_session_id,
    known.conversation_id as conversation_id,
    known.interaction_id as interaction_id,
    known.loaded_at as loaded_at,
    {{ build_number() }} as build_number
from known
{% if is_incremental() -%}
left join {{ recently_loaded(this) }} as stored
    on
        known.agent_session_id = stored.agent_session_id
        and known.conversation_id = stored.conversation_id
        and known.interaction_id = stored.interaction_id
where stored.agent_session_id is null
{%- endif %}
