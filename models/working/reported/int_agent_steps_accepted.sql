{{ config(materialized='view') }}

-- a stream that is logged several times is one step: the newest-loaded event counts
with with_step_id as (

    select
        event_key as ranked_event_key,
        row_number() over (
            partition by agent_session_key, sent_step_id, sent_attempt_number
            order by loaded_at desc nulls last, received_at desc nulls last, event_at desc, event_id desc
        ) as event_rank,
        count(*) over (partition by agent_session_key, sent_step_id, sent_attempt_number) as event_count
    from {{ ref('int_events_accepted') }}
    where
        source_table = 'ai_agent_step_completed'
        and sent_step_id is not null

),

-- apart, and without a shared table expression: the planner would expect few steps, or keep them all in memory
merged as (

    select
        step_events.*,
        cast(0 as {{ dbt.type_bigint() }}) as merged_event_count
    from {{ ref('int_events_accepted') }} as step_events
    where
        step_events.source_table = 'ai_agent_step_completed'
        and step_events.sent_step_id is null

    union all

    select
        step_events.*,
        with_step_id.event_count - 1 as merged_event_count
    from {{ ref('int_events_accepted') }} as step_events
    inner join with_step_id on step_events.event_key = with_step_id.ranked_event_key
    where
        step_events.source_table = 'ai_agent_step_completed'
        and step_events.sent_step_id is not null
        and with_step_id.event_rank = 1

),

accepted as (

    select
        event_key,
        event_key as step_key,
        event_id as step_id,
        agent_session_key,
        run_key,
        conversation_id,
        interaction_id,
        agent_session_id,
        sent_parent_agent_session_id,
        parent_interaction_id,
        user_id,
        anonymous_id,
        source_id,
        library_name,
        workflow_name,
        environment,
        trigger_type,
        execution_mode,
        plan_name,
        {%- for column in passthrough_columns() %}
        {{ column }},
        {%- endfor %}

        agent_name as sent_agent_name,
        agent_version,
        lower(trim(model_name)) as sent_model_name,
        tool_name,
        step_type,
        coalesce(event_status, 'unknown') as step_status,
        sent_status,
        service_tier,
        coalesce(is_cache_hit, false) as is_cache_hit,
        step_index,
        sent_attempt_number,
        merged_event_count,
        response_length,
        tool_input_hash,
        tool_input_length,
        tool_output_length,
        has_error_like_tool_output,

        -- counts that no sender can mean are left out of all arithmetic
        {{ plausible_token_count('sent_prompt_tokens') }} as sent_prompt_tokens,
        {{ plausible_token_count('sent_completion_tokens') }} as sent_completion_tokens,
        {{ plausible_token_count('sent_cache_read_tokens') }} as sent_cache_read_tokens,
        {{ plausible_token_count('sent_cache_write_tokens') }} as sent_cache_write_tokens,
        {{ plausible_token_count('sent_cache_write_1h_tokens') }} as sent_cache_write_1h_tokens,
        {{ plausible_token_count('sent_reasoning_tokens') }} as sent_reasoning_tokens,
        {{ plausible_token_count('sent_total_tokens') }} as sent_total_tokens,
        reported_cost_usd,

        error_type,
        http_status,
        finish_reason,
        error_message_class,
        failure_signal_key,

        duration_ms,
        {{ plausible_duration('time_to_first_token_ms') }} as time_to_first_token_ms,
        {{ plausible_duration('duration_ms') }} as plausible_duration_ms,
        {{ is_suspect_duration('duration_ms') }} as has_suspect_duration,
        {{ add_milliseconds('event_at', '-' ~ plausible_duration('duration_ms')) }} as started_at,
        event_at as ended_at,
        original_timestamp,
        received_at,
        loaded_at,
        has_clock_skew
    from merged

)

select * from accepted
