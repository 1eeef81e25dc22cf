{{ config(materialized='view') }}

with steps as (

    select * from {{ ref('int_agent_steps_accepted') }}

),

sessions as (

    select
        agent_session_key,
        agent_name,
        model_name
    from {{ ref('int_agent_sessions_assembled') }}

),

indexed as (

    select
        steps.*,
        -- an explicit index orders a session only when every step of it carries one
        count(steps.step_index) over (partition by steps.agent_session_key)
        = count(*) over (partition by steps.agent_session_key) as has_step_index
    from steps

),

enriched as (

    select
        indexed.*,
        case when indexed.has_step_index then indexed.step_index end as explicit_step_number,
        coalesce(indexed.sent_agent_name, sessions.agent_name) as agent_name,
        coalesce(indexed.sent_model_name, sessions.model_name) as model_name,
        indexed.step_status in ('error', 'timeout') as is_failed
    from indexed
    left join sessions on indexed.agent_session_key = sessions.agent_session_key

),

neighbours as (

    select
        *,
        coalesce(tool_name, model_name, '') as step_target,
        row_number() over (session_order) as step_position,
        lag(is_failed) over (session_order) as previous_is_failed,
        lag(step_type) over (session_order) as previous_step_type,
        lag(coalesce(tool_name, model_name, '')) over (session_order) as previous_step_target
    from enriched
    window session_order as (
        partition by agent_session_key
        order by explicit_step_number, ended_at, received_at, step_id
    )

),

attempts as (

    select
        *,
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

-- an operation starts at every step that is no retry; its attempts follow without a gap
operations as (

    select
        *,
        max(case when not is_retry then step_position end) over (
            session_position rows between unbounded preceding and current row
        ) as operation_position,
        coalesce(lead(is_retry) over (session_position), false) as is_retried
    from attempts
    window session_position as (partition by agent_session_key order by step_position)

)

select
    step_key,
    step_id,
    agent_session_key,
    run_key,
    conversation_id,
    interaction_id,
    agent_session_id,
    agent_name,
    model_name,
    tool_name,
    service_tier,
    step_number,
    step_type,
    step_status,
    is_failed,
    case when step_status != 'unknown' then step_status = 'success' end as is_successful,
    coalesce(sent_attempt_number, step_position - coalesce(operation_position, 1) + 1) as attempt_number,
    md5(agent_session_key || cast(coalesce(operation_position, 1) as {{ dbt.type_string() }})) as operation_key,
    is_retry,
    is_fallback,
    is_retried,
    response_length,
    tool_input_hash,
    tool_input_length,
    tool_output_length,
    coalesce(step_status = 'success' and step_type = 'tool_call' and has_error_like_tool_output, false) as is_silent_failure,
    sent_prompt_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    reported_cost_usd,
    error_type,
    http_status,
    finish_reason,
    error_message_class,
    failure_signal_key,
    started_at,
    ended_at,
    duration_ms,
    plausible_duration_ms,
    has_suspect_duration,
    has_clock_skew
from operations
