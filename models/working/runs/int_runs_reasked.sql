{#- Runs whose prompt was repeated word for word shortly after in the same conversation. -#}
with runs as (

    select
        run_key,
        conversation_id
    from {{ ref('int_runs_assembled') }}
    where prompt_hash is not null

),

-- the repetition may belong to a run that this build does not replace
prompts as (

    select
        run_key,
        conversation_id,
        prompt_hash,
        event_at,
        row_number() over (partition by run_key order by event_at, received_at nulls last, event_id) as prompt_rank
    from {{ ref('int_events') }}
    where
        source_table = 'ai_user_prompt_created'
        and event_disposition = 'accepted'
        and conversation_id in (select runs.conversation_id from runs)

),

next_prompts as (

    select
        run_key,
        prompt_hash,
        event_at as asked_at,
        lead({{ nullable('prompt_hash') }}) over (
            partition by conversation_id order by event_at, {{ key_order('run_key') }}
        ) as next_prompt_hash,
        lead({{ nullable('event_at') }}) over (partition by conversation_id order by event_at, {{ key_order('run_key') }}) as next_asked_at
    from prompts
    where
        prompt_rank = 1
        and prompt_hash is not null

)

select next_prompts.run_key as run_key
from next_prompts
inner join runs on next_prompts.run_key = runs.run_key
where
    next_prompts.prompt_hash = next_prompts.next_prompt_hash
    and next_prompts.next_asked_at <= {{ add_minutes('next_prompts.asked_at', whole_number_setting('reask_window_minutes')) }}
