{#- Runs whose prompt was repeated word for word shortly after in the same conversation. -#}
{%- set other_runs = untouched_runs() -%}

with runs as (

    select
        run_key,
        conversation_id,
        prompt_hash,
        coalesce(prompted_at, started_at) as asked_at
    from {{ ref('int_runs_assembled') }}
    where prompt_hash is not null

),

prompts as (

    select
        *,
        true as is_touched
    from runs
    {% if other_runs is not none -%}
    union all
    select
        run_key,
        conversation_id,
        prompt_hash,
        coalesce(prompted_at, started_at) as asked_at,
        false as is_touched
    from {{ other_runs }} as untouched
    where
        prompt_hash is not null
        and conversation_id in (select conversation_id from runs)
    {%- endif %}

),

next_prompts as (

    select
        run_key,
        prompt_hash,
        asked_at,
        is_touched,
        lead(prompt_hash) over (partition by conversation_id order by asked_at, run_key) as next_prompt_hash,
        lead(asked_at) over (partition by conversation_id order by asked_at, run_key) as next_asked_at
    from prompts

)

select run_key
from next_prompts
where
    is_touched
    and prompt_hash = next_prompt_hash
    and next_asked_at <= {{ add_minutes('asked_at', var('reask_window_minutes')) }}
