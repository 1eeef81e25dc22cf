{{ config(meta={'build_state': true}) }}
{#- Seeds that facts are made of: when one has changed, all runs are affected. -#}
{%- do [
    ref('agent_aliases'), ref('agent_catalog'), ref('cost_conventions'), ref('failure_mode_rules'), ref('feedback_scales'),
    ref('model_aliases'), ref('model_pricing'), ref('provider_token_conventions'), ref('request_rules'),
    ref('service_tiers'), ref('status_words'), ref('tool_rate_card'), ref('workflow_catalog')
] -%}
{%- set since = first_build_to_apply() -%}
{%- set events = ref('int_events') -%}

{% if since == 0 -%}
-- all runs are replaced, and none needs a row
select
    cast(null as {{ type_key() }}) as run_key,
    cast(null as {{ type_text() }}) as affected_because,
    cast(null as {{ type_utc_timestamp() }}) as earliest_at,
    cast(null as {{ type_utc_timestamp() }}) as latest_at
from {{ events }}
where 1 = 0
{%- else -%}
{%- set clock = abandoned_between(since) -%}
with new_events as (

    select
        run_key,
        conversation_id,
        event_at
    from {{ events }}
    where
        event_disposition = 'accepted'
        and build_number > {{ since }}

    union all

    -- what events have left
    select
        run_key,
        conversation_id,
        event_at
    from {{ state_relation('state_runs_left') }}
    where events_build_number > {{ since }}

),

with_events as (

    select distinct run_key from new_events

),

-- the whole time of these runs, not only that of what is new
with_events_timed as (

    select
        run_key,
        conversation_id,
        min(event_at) as earliest_at,
        max(event_at) as latest_at
    from (
        select
            run_key,
            conversation_id,
            event_at
        from {{ events }}
        where
            event_disposition = 'accepted'
            and run_key in (select run_key from with_events)
        union all
        select
            run_key,
            conversation_id,
            event_at
        from new_events
    ) as events_of_runs
    group by
        run_key,
        conversation_id

),

-- runs of the same conversation that may have been asked again, or not any more
asked_before as (

    select distinct prompts.run_key as run_key
    from {{ events }} as prompts
    inner join with_events_timed on prompts.conversation_id = with_events_timed.conversation_id
    where
        prompts.source_table = 'ai_user_prompt_created'
        and prompts.event_disposition = 'accepted'
        and prompts.event_at >= {{ add_minutes('with_events_timed.earliest_at', -1 * whole_number_setting('reask_window_minutes')) }}
        and prompts.event_at <= with_events_timed.latest_at

),

last_events as (

    select
        conversation_id,
        run_key,
        max(event_at) as last_event_at
    from {{ events }}
    where
        event_disposition = 'accepted'
        and source_table != 'ai_user_action'
        and conversation_id in (select conversation_id from new_events)
        and run_key not in (select run_key from with_events)
    group by
        conversation_id,
        run_key

),

-- the last of the other runs: a conversation may have ended there before, or does so now
last_before as (

    select run_key
    from (
        select
            run_key,
            {{ last_of_conversation_rank() }} as conversation_rank
        from last_events
    ) as ranked
    where conversation_rank = 1

),

-- only for runs that failed it matters
failed_before as (

    select distinct run_key
    from {{ events }}
    where
        event_disposition = 'accepted'
        and source_table = 'ai_interaction_completed'
        and coalesce(status_label, '') != 'success'
        and run_key in (select run_key from last_before)

),

-- runs that may have found or lost their parent
children as (

    select distinct run_key
    from {{ events }}
    where
        event_disposition = 'accepted'
        and parent_interaction_id is not null
        and {{ run_key('conversation_id', 'parent_interaction_id') }} in (select run_key from with_events)

),

-- runs whose newest event the clock has passed, or passes no more, since they were judged
passed_by as (

    select distinct run_key
    from {{ events }}
    where
        event_disposition = 'accepted'
        and event_at > {{ clock.after }}
        and event_at <= {{ clock.until }}

),

completed as (

    select distinct run_key
    from {{ events }}
    where
        event_disposition = 'accepted'
        and {{ ends_a_run() }}
        and run_key in (select run_key from passed_by)

),

reasons as (

    select run_key, 'event' as affected_because, 1 as reason_rank from with_events
    union all
    select run_key, 'conversation' as affected_because, 2 as reason_rank from asked_before
    union all
    select run_key, 'conversation' as affected_because, 2 as reason_rank from failed_before
    union all
    select run_key, 'conversation' as affected_because, 2 as reason_rank from children
    union all
    select passed_by.run_key as run_key, 'status' as affected_because, 3 as reason_rank
    from passed_by
    left join completed on passed_by.run_key = completed.run_key
    where completed.run_key is null

),

parents_named as (

    select
        run_key,
        conversation_id,
        sent_parent_agent_session_id as agent_session_id,
        build_number
    from {{ events }}
    where
        event_disposition = 'accepted'
        and sent_parent_agent_session_id is not null

    union all

    -- by events that have gone or named another one, so these ties are old
    select
        run_key,
        conversation_id,
        agent_session_id,
        0 as build_number
    from {{ state_relation('state_parents_left') }}
    where events_build_number > {{ since }}

),

named_parents as (

    select
        run_key,
        conversation_id,
        agent_session_id,
        min(build_number) <= {{ since }} as is_old
    from parents_named
    group by
        run_key,
        conversation_id,
        agent_session_id

),

parents_in_run as (

    select
        run_key,
        agent_session_id,
        min(build_number) <= {{ since }} as is_old
    from {{ events }}
    where
        event_disposition = 'accepted'
        and agent_session_id in (select named_parents.agent_session_id from named_parents)
    group by
        run_key,
        agent_session_id

),

-- parents that are not in the run of the session that names them, or were not
parents_elsewhere as (

    select
        named_parents.run_key as run_key,
        named_parents.conversation_id,
        named_parents.agent_session_id as agent_session_id
    from named_parents
    left join parents_in_run
        on
            named_parents.run_key = parents_in_run.run_key
            and named_parents.agent_session_id = parents_in_run.agent_session_id
    where
        parents_in_run.run_key is null
        or (named_parents.is_old and not parents_in_run.is_old)

),

runs_of_parents as (

    select
        run_key,
        conversation_id,
        agent_session_id,
        min(build_number) <= {{ since }} as is_old
    from {{ events }}
    where
        event_disposition = 'accepted'
        and agent_session_id in (select parents_elsewhere.agent_session_id from parents_elsewhere)
    group by
        run_key,
        conversation_id,
        agent_session_id

),

counted_parents as (

    select
        *,
        count(*) over (partition by agent_session_id) as run_count,
        sum(case when is_old then 1 else 0 end) over (partition by agent_session_id) as old_run_count,
        count(*) over (partition by conversation_id, agent_session_id) as conversation_run_count,
        sum(case when is_old then 1 else 0 end) over (
            partition by conversation_id, agent_session_id
        ) as old_conversation_run_count
    from runs_of_parents

),

-- an id that one run has is somebody's parent, and the one that it was before may still think so
ties as (

    select
        parents_elsewhere.run_key as run_key,
        counted_parents.run_key as other_run_key,
        counted_parents.run_count > 1 as is_broken
    from parents_elsewhere
    inner join counted_parents on parents_elsewhere.agent_session_id = counted_parents.agent_session_id
    where
        counted_parents.run_count = 1
        or (counted_parents.is_old and counted_parents.old_run_count = 1)

    union all

    select
        parents_elsewhere.run_key as run_key,
        counted_parents.run_key as other_run_key,
        counted_parents.conversation_run_count > 1 as is_broken
    from parents_elsewhere
    inner join counted_parents
        on
            parents_elsewhere.agent_session_id = counted_parents.agent_session_id
            and parents_elsewhere.conversation_id = counted_parents.conversation_id
    where
        counted_parents.conversation_run_count = 1
        or (counted_parents.is_old and counted_parents.old_conversation_run_count = 1)

),

tied_runs as (

    select run_key, other_run_key from ties
    union distinct
    select other_run_key as run_key, run_key as other_run_key from ties

),

-- what a session costs with all below it is known in the build of all these runs only
reached_0 as (

    select run_key from reasons
    union distinct
    select run_key from ties
    where is_broken
    union distinct
    -- a session that left its run may have been anybody's parent
    select run_key from parents_elsewhere
    where (
        select count(*) from {{ state_relation('state_runs_left') }}
        where events_build_number > {{ since }}
    ) > 0

),

{% for round in range(1, 9) -%}
reached_{{ round }} as (

    select run_key from reached_{{ round - 1 }}
    union distinct
    select tied_runs.other_run_key as run_key
    from reached_{{ round - 1 }} as reached
    inner join tied_runs on reached.run_key = tied_runs.run_key

),

{% endfor -%}
all_reasons as (

    select * from reasons
    union all
    select run_key, 'parent' as affected_because, 4 as reason_rank from reached_8

),

first_reasons as (

    select
        run_key,
        affected_because,
        row_number() over (partition by run_key order by reason_rank) as reason_number
    from all_reasons

),

timed as (

    select
        run_key,
        min(event_at) as earliest_at,
        max(event_at) as latest_at
    from {{ events }}
    where
        event_disposition = 'accepted'
        and run_key in (select run_key from all_reasons)
    group by run_key

)

select
    first_reasons.run_key as run_key,
    first_reasons.affected_because,
    timed.earliest_at,
    timed.latest_at
from first_reasons
left join timed on first_reasons.run_key = timed.run_key
where first_reasons.reason_number = 1
{%- endif %}
