{#- A table of its own and narrow: sorted together with the other columns of five million steps, or
    in one statement with joining them, it would not fit into memory and take three times as long. -#}
{%- set session_order -%}
    partition by agent_session_key
            order by
                explicit_step_number nulls last, ended_at nulls last, original_timestamp nulls last,
                received_at nulls last, loaded_at nulls last, step_id
{%- endset -%}

with steps as (

    select * from {{ ref('int_agent_steps_accepted') }}

),

sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

sortable as (

    select
        steps.event_key,
        steps.agent_session_key as agent_session_key,
        steps.started_at as started_at,
        steps.ended_at as ended_at,
        steps.original_timestamp,
        steps.received_at,
        steps.loaded_at,
        steps.step_id,
        steps.step_type,
        steps.sent_attempt_number,
        steps.step_status in ('error', 'timeout') as is_failed,
        coalesce(steps.tool_name, steps.sent_model_name, sessions.model_name, '') as step_target,
        case when sessions.has_step_index then steps.step_index end as explicit_step_number
    from steps
    left join sessions on steps.agent_session_key = sessions.agent_session_key

),

neighbours as (

    select
        event_key,
        agent_session_key,
        explicit_step_number,
        sent_attempt_number,
        is_failed,
        step_type,
        step_target,
        started_at,
        ended_at,
        cast(row_number() over ({{ session_order }}) as {{ dbt.type_bigint() }}) as step_position,
        lag({{ nullable('is_failed') }}) over ({{ session_order }}) as previous_is_failed,
        lag({{ nullable('step_type') }}) over ({{ session_order }}) as previous_step_type,
        lag({{ nullable('step_target') }}) over ({{ session_order }}) as previous_step_target,
        lag({{ nullable('ended_at') }}) over ({{ session_order }}) as previous_ended_at,
        lead({{ nullable('step_type') }}) over ({{ session_order }}) as next_step_type,
        lead({{ nullable('step_target') }}) over ({{ session_order }}) as next_step_target,
        lead({{ nullable('started_at') }}) over ({{ session_order }}) as next_started_at,
        lead({{ nullable('sent_attempt_number') }}) over ({{ session_order }}) as next_sent_attempt_number,
        min(sent_attempt_number) over (partition by agent_session_key) as least_attempt_number
    from sortable

),

numbered as (

    select
        event_key,
        agent_session_key,
        step_position,
        step_type,
        step_target,
        coalesce(explicit_step_number, step_position) as step_number,
        -- some count from 0
        sent_attempt_number + case when least_attempt_number = 0 then 1 else 0 end as explicit_attempt_number,
        -- a step that started before the failed one had ended ran beside it
        coalesce(
            sent_attempt_number is null
            and previous_is_failed
            and previous_step_type = step_type
            and previous_step_target = step_target
            and coalesce(started_at >= previous_ended_at, true),
            false
        ) as is_repetition,
        -- the same question, asked of the next step
        coalesce(
            next_sent_attempt_number is null
            and is_failed
            and next_step_type = step_type
            and next_step_target = step_target
            and coalesce(next_started_at >= ended_at, true),
            false
        ) as is_repeated,
        coalesce(
            previous_is_failed
            and previous_step_type = step_type
            and previous_step_target != step_target
            and previous_step_target != ''
            and step_target != ''
            and coalesce(started_at >= previous_ended_at, true),
            false
        ) as is_fallback
    from neighbours

)

select * from numbered
