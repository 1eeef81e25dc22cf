{{ config(materialized='view') }}

with events as (

    select * from {{ ref('int_events') }}

)

select *
from events
where
    event_disposition = 'accepted'
    and {{ of_affected_runs('event_at') }}
