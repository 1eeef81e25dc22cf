{#- Events are read for every use: a table expression with two readers would be kept in memory with
    all columns. Most sessions start once and complete once; only those that do not are ranked. -#}
with started_events as (

    select * from {{ ref('int_agent_sessions_started_identified') }}
    where
        event_disposition = 'accepted'
        and {{ of_touched_runs('event_at') }}

),

completed_events as (

    select * from {{ ref('int_agent_sessions_completed_identified') }}
    where
        event_disposition = 'accepted'
        and {{ of_touched_runs('event_at') }}

),

observed_steps as (

    select * from {{ ref('int_agent_sessions_observed_steps') }}

),

repeated_starts as (

    select agent_session_key
    from {{ ref('int_agent_sessions_started_identified') }}
    where
        event_disposition = 'accepted'
        and {{ of_touched_runs('event_at') }}
    group by agent_session_key
    having count(*) > 1

),

starts_ranked as (

    select
        repeated.event_key as event_key,
        row_number() over (
            partition by repeated.agent_session_key
            order by repeated.event_at, repeated.received_at nulls last, repeated.event_id
        ) as start_rank
    from {{ ref('int_agent_sessions_started_identified') }} as repeated
    inner join repeated_starts on repeated.agent_session_key = repeated_starts.agent_session_key
    where
        repeated.event_disposition = 'accepted'
        and {{ of_touched_runs('event_at') }}

),

started as (

    select started_events.*
    from started_events
    left join starts_ranked on started_events.event_key = starts_ranked.event_key
    where coalesce(starts_ranked.start_rank, 1) = 1

),

-- different completions of one session are not duplicates: the latest one counts
conflicting_completions as (

    select agent_session_key
    from {{ ref('int_agent_sessions_completed_identified') }}
    where
        event_disposition = 'accepted'
        and {{ of_touched_runs('event_at') }}
    group by agent_session_key
    having count(*) > 1

),

completions_ranked as (

    select
        conflicting.event_key as event_key,
        row_number() over (
            partition by conflicting.agent_session_key
            order by conflicting.event_at desc, conflicting.received_at desc nulls last, conflicting.event_id desc
        ) as completion_rank
    from {{ ref('int_agent_sessions_completed_identified') }} as conflicting
    inner join conflicting_completions
        on conflicting.agent_session_key = conflicting_completions.agent_session_key
    where
        conflicting.event_disposition = 'accepted'
        and {{ of_touched_runs('event_at') }}

),

completed as (

    select
        completed_events.*,
        completions_ranked.event_key is not null as has_conflicting_completions
    from completed_events
    left join completions_ranked on completed_events.event_key = completions_ranked.event_key
    where coalesce(completions_ranked.completion_rank, 1) = 1

),

reported as (

    select
        coalesce(completed.agent_session_key, started.agent_session_key, observed_steps.agent_session_key) as agent_session_key,
        coalesce(completed.run_key, started.run_key, observed_steps.run_key) as run_key,
        coalesce(completed.conversation_id, started.conversation_id, observed_steps.conversation_id) as conversation_id,
        coalesce(completed.interaction_id, started.interaction_id, observed_steps.interaction_id) as interaction_id,
        coalesce(completed.agent_session_id, started.agent_session_id, observed_steps.agent_session_id) as agent_session_id,
        coalesce(
            completed.sent_parent_agent_session_id,
            started.sent_parent_agent_session_id,
            observed_steps.sent_parent_agent_session_id
        ) as sent_parent_agent_session_id,
        coalesce(completed.agent_name, started.agent_name, observed_steps.agent_name) as agent_name,
        lower(trim(coalesce(completed.model_name, started.model_name, observed_steps.model_name))) as model_name,

        started.event_id is not null as has_started_event,
        completed.event_id is not null as has_completed_event,
        coalesce(observed_steps.has_step_index, false) as has_step_index,
        coalesce(completed.has_conflicting_completions, false) as has_conflicting_completions,

        completed.event_id as completed_event_id,
        completed.session_status as session_status,
        completed.duration_ms as duration_ms,
        completed.reported_steps_count as reported_steps_count,
        completed.response_length as response_length,
        completed.sent_prompt_tokens as sent_prompt_tokens,
        completed.sent_completion_tokens as sent_completion_tokens,
        completed.sent_cache_read_tokens as sent_cache_read_tokens,
        completed.sent_cache_write_tokens as sent_cache_write_tokens,
        completed.reported_cost_usd as reported_cost_usd,
        completed.service_tier as service_tier,
        completed.error_type as error_type,
        completed.finish_reason as finish_reason,
        completed.error_message_class as error_message_class,
        completed.failure_signal_key as failure_signal_key,

        started.event_at as started_event_at,
        completed.event_at as completed_event_at,
        observed_steps.first_step_started_at as first_step_started_at,
        greatest(
            coalesce(completed.event_at, started.event_at, observed_steps.last_event_at),
            coalesce(started.event_at, completed.event_at, observed_steps.last_event_at),
            coalesce(observed_steps.last_event_at, completed.event_at, started.event_at)
        ) as last_event_at
    from completed
    full outer join started on completed.agent_session_key = started.agent_session_key
    full outer join observed_steps
        on coalesce(completed.agent_session_key, started.agent_session_key) = observed_steps.agent_session_key

)

select * from reported
