{{ config(materialized='view') }}
{#- Runs that failed and after which nothing came in their conversation: nobody asked again, and no run beside them went on. What users do
    with an answer is no run. -#}

with failed_runs as (

    select
        run_key,
        conversation_id
    from {{ ref('int_runs_assembled') }}
    where run_status in ('error', 'timeout')

),

-- what came later may belong to a run that this build does not replace
last_events as (

    select
        conversation_id,
        run_key,
        max(event_at) as last_event_at
    from {{ ref('int_events') }}
    where
        event_disposition = 'accepted'
        and source_table != 'ai_user_action'
        and conversation_id in (select failed_runs.conversation_id from failed_runs)
    group by
        conversation_id,
        run_key

),

ranked as (

    select
        run_key,
        {{ last_of_conversation_rank() }} as conversation_rank
    from last_events

)

select ranked.run_key as run_key
from ranked
inner join failed_runs on ranked.run_key = failed_runs.run_key
where ranked.conversation_rank = 1
