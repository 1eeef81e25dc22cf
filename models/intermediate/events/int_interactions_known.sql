{{ config(materialized=incremental_where_possible(), incremental_strategy='append') }}

with known as (

    select distinct
        sent_interaction_id as interaction_id,
        sent_conversation_id as conversation_id
    from {{ ref('int_events_loaded') }}
    where
        event_id is not null
        and sent_conversation_id is not null
        and sent_interaction_id is not null

)

select
    known.interaction_id as interaction_id,
    known.conversation_id as conversation_id,
    {{ build_number() }} as build_number
from known
{% if is_incremental() -%}
left join {{ this }} as stored
    on
        known.interaction_id = stored.interaction_id
        and known.conversation_id = stored.conversation_id
where stored.interaction_id is null
{%- endif %}
