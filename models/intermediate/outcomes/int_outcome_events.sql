with tracks as (

    select
        event_id,
        user_id,
        event_name,
        event_at
    from {{ ref('stg_rudderstack__tracks') }}
    where
        event_id is not null
        and user_id is not null
        and event_at is not null

),

outcomes as (

    select
        event_name as outcome,
        window_days,
        value_usd
    from {{ ref('outcome_events') }}

)

-- deliveries of one event say the same
select
    tracks.event_id,
    min(tracks.user_id) as user_id,
    min(outcomes.outcome) as outcome,
    min(outcomes.window_days) as window_days,
    min(outcomes.value_usd) as value_usd,
    min(tracks.event_at) as event_at
from tracks
inner join outcomes on tracks.event_name = outcomes.outcome
group by tracks.event_id
