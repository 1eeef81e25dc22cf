with tracks as (

    select
        event_id,
        user_id,
        event_name,
        event_at
    from {{ ref('stg_rudderstack__tracks') }}
    where
        event_name in (select outcome_events.event_name from {{ ref('outcome_events') }} as outcome_events)
        and event_id is not null
        and user_id is not null
        and event_at is not null

)

-- deliveries of one event say the same
select
    event_id,
    min(user_id) as user_id,
    min(event_name) as event_name,
    min(event_at) as event_at
from tracks
group by event_id
