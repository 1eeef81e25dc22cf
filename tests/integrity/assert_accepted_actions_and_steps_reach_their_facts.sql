-- Steps and actions keep every accepted event: as a row, or merged into the row of the same step.
with accepted as (

    select
        case source_table when 'ai_agent_step_completed' then 'fct_agent_steps' else 'fct_user_actions' end as fact_name,
        count(*) as accepted_count
    from {{ ref('int_events') }}
    where
        source_table in ('ai_agent_step_completed', 'ai_user_action')
        and event_disposition = 'accepted'
        and {{ of_tested_runs('event_at') }}
    group by source_table

),

facts as (

    select
        'fct_agent_steps' as fact_name,
        count(*) + coalesce(sum(merged_event_count), 0) as fact_count
    from {{ ref('fct_agent_steps') }}
    where {{ of_tested_runs('ended_at') }}

    union all

    select
        'fct_user_actions' as fact_name,
        count(*) as fact_count
    from {{ ref('fct_user_actions') }}
    where {{ of_tested_runs('acted_at') }}

)

select
    facts.fact_name,
    facts.fact_count,
    accepted.accepted_count
from facts
left join accepted on facts.fact_name = accepted.fact_name
where facts.fact_count != coalesce(accepted.accepted_count, 0)
