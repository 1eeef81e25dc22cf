{{ config(materialized=incremental_where_possible(), unique_key='event_key', incremental_strategy='delete+insert') }}
{%- set staged_events = events_to_identify('ai_agent_step_completed', ref('stg_rudderstack__agent_steps_completed')) -%}

with events as (

    select staged.* from {{ staged_events }} as staged

),

interactions_repaired as (

    select * from {{ ref('int_interactions_repaired') }}

),

agent_sessions_repaired as (

    select * from {{ ref('int_agent_sessions_repaired') }}

),

-- read again: one common table expression for all uses would be kept in memory with all columns
repeated_ids as (

    select staged.event_id
    from {{ staged_events }} as staged
    group by staged.event_id
    having count(*) > 1

),

-- duplicates are rare: only ids that repeat are ranked
deliveries as (

    select
        events.*,
        1 as delivery_number
    from events
    left join repeated_ids on events.event_id = repeated_ids.event_id
    where repeated_ids.event_id is null

    union all

    select
        events.*,
        row_number() over (
            partition by events.event_id order by {{ delivery_order() }}
        ) as delivery_number
    from {{ staged_events }} as events
    inner join repeated_ids on events.event_id = repeated_ids.event_id

),

identified as (

    select
        deliveries.*,
        deliveries.sent_agent_session_id as agent_session_id,
        coalesce(
            deliveries.sent_conversation_id,
            interactions_repaired.repaired_conversation_id,
            agent_sessions_repaired.repaired_conversation_id
        ) as conversation_id,
        coalesce(
            deliveries.sent_interaction_id,
            agent_sessions_repaired.repaired_interaction_id
        ) as interaction_id,
        interactions_repaired.interaction_match_count,
        agent_sessions_repaired.agent_session_match_count
    from deliveries
    -- a condition on the left side alone would make these nested-loop joins on DuckDB
    left join interactions_repaired
        on
            case when deliveries.sent_conversation_id is null then deliveries.sent_interaction_id end
            = interactions_repaired.interaction_id
    left join agent_sessions_repaired
        on
            case when deliveries.sent_interaction_id is null then deliveries.sent_agent_session_id end
            = agent_sessions_repaired.agent_session_id
            and coalesce(deliveries.sent_conversation_id, '')
            = agent_sessions_repaired.matched_conversation_id

),

judged as (

    select
        *,
        {{ quarantine_reason(has_agent_session=true) }} as quarantine_reason
    from identified

),

keyed as (

    select
        *,
        {{ event_disposition() }} as event_disposition,
        {{ run_key('conversation_id', 'interaction_id') }} as run_key
    from judged

)

select
    -- ids
    event_id,
    event_key,
    conversation_id,
    interaction_id,
    agent_session_id,
    -- what was sent of them; the same text twice would cost more than a flag
    sent_conversation_id is not null as has_sent_conversation_id,
    sent_interaction_id is not null as has_sent_interaction_id,
    run_key,
    {{ agent_session_key('run_key', 'agent_session_id') }} as agent_session_key,

    -- as staged
    parent_interaction_id,
    user_id,
    anonymous_id,
    source_id,
    raw_schema,
    sent_parent_agent_session_id,
    sent_agent_name,
    sent_model_name,
    tool_name,
    step_type,
    step_status,
    duration_ms,
    step_index,
    sent_attempt_number,
    response_length,
    tool_input_hash,
    tool_input_length,
    tool_output_length,
    has_error_like_tool_output,
    sent_prompt_tokens,
    sent_completion_tokens,
    sent_cache_read_tokens,
    sent_cache_write_tokens,
    reported_cost_usd,
    service_tier,
    error_type,
    http_status,
    finish_reason,
    error_message_class,
    failure_signal_key,
    workflow_name,
    environment,
    trigger_type,
    execution_mode,
    event_at,
    received_at,
    loaded_at,
    has_clock_skew,
    unconverted_columns,

    -- where the row ends
    event_disposition,
    quarantine_reason,
    {{ build_number() }} as build_number
from keyed
