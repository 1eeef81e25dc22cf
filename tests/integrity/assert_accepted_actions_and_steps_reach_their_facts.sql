-- One row per accepted event: sessions and runs gather several events, steps and actions do not.
with counts as (

    select
        'fct_agent_steps' as fact_name,
        (
            select count(*)
            from {{ ref('int_agent_steps_completed_identified') }}
            where
                event_disposition = 'accepted'
                and {{ of_tested_runs('event_at') }}
        ) as accepted_count,
        (
            select count(*)
            from {{ ref('fct_agent_steps') }}
            where {{ of_tested_runs('ended_at') }}
        ) as fact_count

    union all

    select
        'fct_user_actions' as fact_name,
        (
            select count(*)
            from {{ ref('int_user_actions_identified') }}
            where
                event_disposition = 'accepted'
                and {{ of_tested_runs('event_at') }}
        ) as accepted_count,
        (
            select count(*)
            from {{ ref('fct_user_actions') }}
            where {{ of_tested_runs('acted_at') }}
        ) as fact_count

)

select *
from counts
where accepted_count != fact_count
