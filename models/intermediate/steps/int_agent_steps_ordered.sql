{{ config(materialized='view') }}

{#- Steps and sessions are read twice, first what decides the order and then the rest: one common
    table expression for both would be kept in memory with all its columns. -#}
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

sortable_steps as (

    select * from {{ ref('int_agent_steps_accepted') }}

),

sortable_sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

-- only what decides the order and the attempts is sorted; the other columns are joined afterwards
sortable as (

    select
        sortable_steps.event_key,
        sortable_steps.agent_session_key as agent_session_key,
        sortable_steps.ended_at as ended_at,
        sortable_steps.received_at,
        sortable_steps.step_id,
        sortable_steps.step_type,
        sortable_steps.sent_attempt_number,
        sortable_steps.step_status in ('error', 'timeout') as is_failed,
        coalesce(sortable_steps.tool_name, sortable_steps.sent_model_name, sortable_sessions.model_name, '') as step_target,
        case when sortable_sessions.has_step_index then sortable_steps.step_index end as explicit_step_number
    from sortable_steps
    left join sortable_sessions on sortable_steps.agent_session_key = sortable_sessions.agent_session_key

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
        -- a session that begins with a retry lost the attempt before it
        case
            when attempts.is_retry then coalesce(operations.operation_position, 1)
            else attempts.step_position
        end as operation_position
    from attempts
    left join operations on attempts.event_key = operations.event_key

)

select
    steps.step_key as step_key,
    steps.step_id,
    steps.agent_session_key as agent_session_key,
    steps.run_key as run_key,
    steps.conversation_id as conversation_id,
    steps.interaction_id as interaction_id,
    steps.agent_session_id as agent_session_id,
    coalesce(steps.sent_agent_name, sessions.agent_name) as agent_name,
    coalesce(steps.sent_model_name, sessions.model_name) as model_name,
    steps.tool_name,
    steps.service_tier as service_tier,
    numbered.step_number,
    steps.step_type,
    steps.step_status,
    steps.step_status in ('error', 'timeout') as is_failed,
    case when steps.step_status != 'unknown' then steps.step_status = 'success' end as is_successful,
    coalesce(steps.sent_attempt_number, numbered.step_position - numbered.operation_position + 1) as attempt_number,
    {{ text_hash('steps.agent_session_key || cast(numbered.operation_position as ' ~ type_text() ~ ')') }} as operation_key,
    numbered.is_retry,
    numbered.is_fallback,
    numbered.is_retried,
    steps.response_length as response_length,
    steps.tool_input_hash,
    steps.tool_input_length,
    steps.tool_output_length,
    coalesce(
        steps.step_status = 'success' and steps.step_type = 'tool_call' and steps.has_error_like_tool_output, false
    ) as is_silent_failure,
    steps.sent_prompt_tokens as sent_prompt_tokens,
    steps.output_tokens,
    steps.cache_read_tokens,
    steps.cache_write_tokens,
    steps.reported_cost_usd as reported_cost_usd,
    steps.error_type as error_type,
    steps.http_status,
    steps.finish_reason as finish_reason,
    steps.error_message_class as error_message_class,
    steps.started_at as started_at,
    steps.ended_at as ended_at,
    steps.duration_ms as duration_ms,
    steps.plausible_duration_ms,
    steps.has_suspect_duration as has_suspect_duration,
    steps.has_clock_skew
from steps
inner join numbered on steps.event_key = numbered.event_key
left join sessions on steps.agent_session_key = sessions.agent_session_key
