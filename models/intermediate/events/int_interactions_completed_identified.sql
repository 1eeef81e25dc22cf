{{ config(materialized=incremental_where_possible(), unique_key='event_key', incremental_strategy='delete+insert') }}
{%- set staged_events = events_to_identify('ai_interaction_completed', ref('stg_rudderstack__interactions_completed')) -%}

with events as (

    select staged.* from {{ staged_events }} as staged

),

interactions_repaired as (

    select * from {{ ref('int_interactions_repaired') }}

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
        coalesce(
            deliveries.sent_conversation_id,
            interactions_repaired.repaired_conversation_id
        ) as conversation_id,
        deliveries.sent_interaction_id as interaction_id,
        interactions_repaired.interaction_match_count
    from deliveries
    -- a condition on the left side alone would make this a nested-loop join on DuckDB
    left join interactions_repaired
        on
            case when deliveries.sent_conversation_id is null then deliveries.sent_interaction_id end
            = interactions_repaired.interaction_id

),

judged as (

    select
        *,
        {{ quarantine_reason(has_agent_session=false) }} as quarantine_reason
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
    -- what was sent of them; the same text twice would cost more than a flag
    sent_conversation_id is not null as has_sent_conversation_id,
    run_key,

    -- as staged
    parent_interaction_id,
    user_id,
    anonymous_id,
    source_id,
    raw_schema,
    interaction_status,
    duration_ms,
    reported_agents_count,
    reported_steps_count,
    response_length,
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
