-- No accepted event without its run, and no run without an accepted event.
with accepted as (

    select distinct run_key
    from {{ ref('int_events') }}
    where
        event_disposition = 'accepted'
        and {{ of_tested_runs('event_at') }}

),

runs as (

    select run_key
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_runs('last_event_at') }}

)

select
    accepted.run_key as accepted_run_key,
    runs.run_key
from accepted
full outer join runs on accepted.run_key = runs.run_key
where
    accepted.run_key is null
    or runs.run_key is null
