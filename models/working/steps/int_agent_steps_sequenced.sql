{#- A table of its own and narrow: sorted together with the other columns of five million steps, or
    in one statement with joining them, it would not fit into memory and take three times as long. -#}
{%- set session_order -%}
    partition by agent_session_key
            order by explicit_step_number nulls last, ended_at nulls last, received_at nulls last, step_id
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
        steps.ended_at as ended_at,
        steps.received_at,
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
        cast(row_number() over ({{ session_order }}) as {{ dbt.type_bigint() }}) as step_position,
        lag(is_failed) over ({{ session_order }}) as previous_is_failed,
        lag(step_type) over ({{ session_order }}) as previous_step_type,
        lag(step_target) over ({{ session_order }}) as previous_step_target,
        lead(step_type) over ({{ session_order }}) as next_step_type,
        lead(step_target) over ({{ session_order }}) as next_step_target,
        lead(sent_attempt_number) over ({{ session_order }}) as next_sent_attempt_number
    from sortable

),

attempts as (

    select
        event_key,
        agent_session_key,
        step_position,
        sent_attempt_number,
        coalesce(explicit_step_number, step_position) as step_number,
        case
            when sent_attempt_number is not null then sent_attempt_number > 1
            else coalesce(
                previous_is_failed
                and previous_step_type = step_type
                and previous_step_target = step_target,
                false
            )
        end as is_retry,
        -- the same question, asked of the next step
        case
            when next_sent_attempt_number is not null then next_sent_attempt_number > 1
            else coalesce(
                is_failed
                and next_step_type = step_type
                and next_step_target = step_target,
                false
            )
        end as is_retried,
        coalesce(
            previous_is_failed
            and previous_step_type = step_type
            and previous_step_target != step_target
            and previous_step_target != ''
            and step_target != '',
            false
        ) as is_fallback
    from neighbours

),

sessions_with_retries as (

    select distinct agent_session_key
    from attempts
    where is_retry

),

-- an operation starts at every step that is no retry; its attempts follow without a gap
operations as (

    select
        attempts.event_key as event_key,
        max(case when not attempts.is_retry then attempts.step_position end) over (
            partition by attempts.agent_session_key
            order by attempts.step_position
            rows between unbounded preceding and current row
        ) as operation_position
    from attempts
    inner join sessions_with_retries
        on attempts.agent_session_key = sessions_with_retries.agent_session_key

),

numbered as (

    select
        attempts.event_key as event_key,
        attempts.step_number,
        attempts.step_position,
        attempts.is_retry,
        attempts.is_retried,
        attempts.is_fallback,
        attempts.sent_attempt_number,
        -- a session that begins with a retry lost the attempt before it
        case
            when attempts.is_retry then coalesce(operations.operation_position, 1)
            else attempts.step_position
        end as operation_position
    from attempts
    left join operations on attempts.event_key = operations.event_key

)

select
    event_key,
    step_number,
    coalesce(sent_attempt_number, step_position - operation_position + 1) as attempt_number,
    operation_position,
    is_retry,
    is_retried,
    is_fallback
from numbered
