{{ config(materialized='view') }}

with events as (

    select * from {{ ref('int_events') }}
    where
        event_disposition = 'accepted'
        and {{ of_affected_runs('event_at') }}

),

status_words as (

    select
        status_label as known_label,
        word,
        status
    from {{ ref('int_status_words') }}

),

aliases as (

    select
        {{ lower_case('agent_name') }} as folded_agent_name,
        min(canonical_agent_name) as canonical_agent_name
    from {{ ref('agent_aliases') }}
    group by {{ lower_case('agent_name') }}

)

select
    events.*,
    coalesce(aliases.canonical_agent_name, events.sent_agent_name) as agent_name,
    coalesce(status_words.word, events.status_label) as sent_status,
    case when events.status_label is not null then coalesce(status_words.status, 'unknown') end as event_status
from events
left join status_words on events.status_label = status_words.known_label
left join aliases on {{ lower_case('events.sent_agent_name') }} = aliases.folded_agent_name
