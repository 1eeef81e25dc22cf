with started_events as (

    select * from {{ ref('int_events_accepted') }}
    where source_table = 'ai_agent_session_started'

),

completed_events as (

    select * from {{ ref('int_events_accepted') }}
    where source_table = 'ai_agent_session_completed'

),

observed_steps as (

    select * from {{ ref('int_agent_sessions_observed_steps') }}

),

-- only what decides the rank is sorted; the other columns are joined afterwards
started_ranked as (

    select
        event_key,
        row_number() over (
            partition by agent_session_key order by event_at, received_at nulls last, event_id
        ) as start_rank
    from {{ ref('int_events_accepted') }}
    where source_table = 'ai_agent_session_started'

),

started as (

    select started_events.*
    from started_events
    inner join started_ranked on started_events.event_key = started_ranked.event_key
    where started_ranked.start_rank = 1

),

-- different completions of one session are not duplicates: the latest one counts
completed_ranked as (

    select
        event_key,
        row_number() over (
            partition by agent_session_key order by event_at desc, received_at desc nulls last, event_id desc
        ) as completion_rank,
        count(*) over (partition by agent_session_key) as completion_count
    from {{ ref('int_events_accepted') }}
    where source_table = 'ai_agent_session_completed'

),

completed as (

    select
        completed_events.*,
        completed_ranked.completion_count
    from completed_events
    inner join completed_ranked on completed_events.event_key = completed_ranked.event_key
    where completed_ranked.completion_rank = 1

),

-- ids are read again: a table expression with two readers would be kept in memory with all columns
sessions as (

    select distinct
        agent_session_key,
        run_key,
        conversation_id,
        interaction_id,
        agent_session_id
    from (
        select
            agent_session_key,
            run_key,
            conversation_id,
            interaction_id,
            agent_session_id
        from {{ ref('int_events_accepted') }}
        where source_table in ('ai_agent_session_started', 'ai_agent_session_completed')
        union all
        select
            agent_session_key,
            run_key,
            conversation_id,
            interaction_id,
            agent_session_id
        from {{ ref('int_agent_sessions_observed_steps') }}
    ) as known

),

reported as (

    select
        sessions.agent_session_key as agent_session_key,
        sessions.run_key as run_key,
        sessions.conversation_id as conversation_id,
        sessions.interaction_id as interaction_id,
        sessions.agent_session_id as agent_session_id,
        coalesce(
            completed.sent_parent_agent_session_id,
            started.sent_parent_agent_session_id,
            observed_steps.sent_parent_agent_session_id
        ) as sent_parent_agent_session_id,
        coalesce(completed.agent_name, started.agent_name, observed_steps.agent_name) as agent_name,
        coalesce(completed.agent_version, started.agent_version, observed_steps.agent_version) as agent_version,
        lower(trim(coalesce(completed.model_name, started.model_name, observed_steps.model_name))) as model_name,

        started.event_id is not null as has_started_event,
        completed.event_id is not null as has_completed_event,
        coalesce(observed_steps.has_step_index, false) as has_step_index,
        coalesce(started.has_clock_skew, false)
        or coalesce(completed.has_clock_skew, false)
        or coalesce(observed_steps.has_clock_skew, false) as has_clock_skew,
        coalesce(completed.completion_count, 0) > 1 as has_conflicting_completions,

        completed.event_id as completed_event_id,
        completed.event_status as session_status,
        completed.sent_status as sent_status,
        completed.duration_ms as duration_ms,
        completed.reported_steps_count as reported_steps_count,
        completed.response_length as response_length,
        completed.sent_prompt_tokens as sent_prompt_tokens,
        completed.sent_completion_tokens as sent_completion_tokens,
        completed.sent_cache_read_tokens as sent_cache_read_tokens,
        completed.sent_cache_write_tokens as sent_cache_write_tokens,
        completed.sent_cache_write_1h_tokens as sent_cache_write_1h_tokens,
        completed.sent_reasoning_tokens as sent_reasoning_tokens,
        completed.sent_total_tokens as sent_total_tokens,
        completed.reported_cost_usd as reported_cost_usd,
        completed.service_tier as service_tier,
        completed.is_cache_hit as is_cache_hit,
        coalesce(completed.source_id, started.source_id) as source_id,
        coalesce(completed.library_name, started.library_name) as library_name,
        completed.error_type as error_type,
        completed.finish_reason as finish_reason,
        completed.error_message_class as error_message_class,
        completed.failure_signal_key as failure_signal_key,

        started.event_at as started_event_at,
        completed.event_at as completed_event_at,
        observed_steps.first_step_started_at,
        greatest(
            coalesce(completed.event_at, started.event_at, observed_steps.last_event_at),
            coalesce(started.event_at, completed.event_at, observed_steps.last_event_at),
            coalesce(observed_steps.last_event_at, completed.event_at, started.event_at)
        ) as last_event_at
    from sessions
    left join started on sessions.agent_session_key = started.agent_session_key
    left join completed on sessions.agent_session_key = completed.agent_session_key
    left join observed_steps on sessions.agent_session_key = observed_steps.agent_session_key

)

select * from reported
