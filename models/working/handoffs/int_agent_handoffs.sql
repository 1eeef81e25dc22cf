{#- Who handed work to whom. A session that names its parent has it from there. In a run that names no parents the next session in order of
    start, when it does not overlap, has it from the one before. The first session of a run below another run has it from the session of
    that run that was open then, when exactly one was. So no session is the target of two handoffs. -#}
{%- set of_these_runs = of_affected_runs('ended_at') -%}

with sessions as (

    select
        agent_session_key,
        run_key,
        conversation_id,
        parent_agent_session_key,
        agent_name,
        session_number,
        session_status,
        started_at,
        ended_at
    from {{ ref('fct_agent_sessions') }}
    where {{ of_these_runs }}

),

-- a parent may be in a run that this build does not replace
parents as (

    select
        agent_session_key as parent_key,
        run_key as run_of_parent,
        agent_name as parent_name,
        started_at as parent_started_at
    from {{ ref('fct_agent_sessions') }}
    where
        agent_session_key in (
            select children.parent_agent_session_key
            from {{ ref('fct_agent_sessions') }} as children
            where
                children.parent_agent_session_key is not null
                and {{ of_these_runs }}
        )

),

ordered as (

    select
        sessions.*,
        parents.run_of_parent,
        parents.parent_name,
        parents.parent_started_at,
        max(case when parents.run_of_parent = sessions.run_key then 1 else 0 end) over (
            partition by sessions.run_key
        ) as has_parents_in_run,
        max(case when parents.run_of_parent != sessions.run_key then 1 else 0 end) over (
            partition by sessions.run_key
        ) as has_parents_in_other_run,
        min(case when parents.parent_key is null then sessions.session_number end) over (
            partition by sessions.run_key
        ) as first_number_without_parent,
        lag({{ nullable('sessions.agent_session_key') }}) over (
            partition by sessions.run_key order by sessions.session_number
        ) as previous_key,
        lag({{ nullable('sessions.agent_name') }}) over (partition by sessions.run_key order by sessions.session_number) as previous_name,
        lag({{ nullable('sessions.started_at') }}) over (
            partition by sessions.run_key order by sessions.session_number
        ) as previous_started_at,
        lag({{ nullable('sessions.ended_at') }}) over (partition by sessions.run_key order by sessions.session_number) as previous_ended_at
    from sessions
    left join parents on sessions.parent_agent_session_key = parents.parent_key

),

runs as (

    select
        run_key as key_of_run,
        parent_run_key
    from {{ ref('int_runs_assembled') }}
    where parent_run_key is not null

),

-- sessions that nothing in their run called, and whose run another one started
entries as (

    select
        ordered.agent_session_key as entry_key,
        ordered.started_at as entered_at,
        runs.parent_run_key
    from ordered
    inner join runs on ordered.run_key = runs.key_of_run
    where
        ordered.session_number = ordered.first_number_without_parent
        and ordered.has_parents_in_other_run = 0

),

open_sessions as (

    select
        entries.entry_key,
        count(*) as open_count,
        min(callers.agent_session_key) as caller_key,
        min(callers.agent_name) as caller_name,
        min(callers.run_key) as run_of_caller,
        min(callers.started_at) as caller_started_at
    from entries
    inner join {{ ref('fct_agent_sessions') }} as callers on entries.parent_run_key = callers.run_key
    where
        callers.started_at <= entries.entered_at
        and callers.ended_at > entries.entered_at
    group by entries.entry_key

),

sources as (

    select
        ordered.*,
        open_sessions.caller_key,
        open_sessions.caller_name,
        open_sessions.run_of_caller,
        open_sessions.caller_started_at,
        case
            when ordered.run_of_parent is not null then 'parent'
            when
                ordered.has_parents_in_run = 0
                and ordered.previous_key is not null
                -- what has no length overlaps nothing
                and (ordered.previous_ended_at <= ordered.started_at or ordered.ended_at <= ordered.started_at)
                then 'order'
            when open_sessions.open_count = 1 then 'open session'
        end as known_by
    from ordered
    left join open_sessions on ordered.agent_session_key = open_sessions.entry_key

),

handoffs as (

    select
        run_key,
        conversation_id,
        agent_session_key as to_agent_session_key,
        agent_name as to_agent,
        session_status as target_status,
        session_number,
        started_at as handed_at,
        known_by,
        case known_by
            when 'parent' then parent_agent_session_key when 'order' then previous_key else caller_key
        end as from_agent_session_key,
        case known_by when 'parent' then parent_name when 'order' then previous_name else caller_name end as from_agent,
        case known_by
            when 'parent' then parent_started_at when 'order' then previous_started_at else caller_started_at
        end as from_started_at,
        known_by != 'order' and coalesce(run_of_parent, run_of_caller) != run_key as is_cross_run
    from sources
    where known_by is not null

),

-- what had ended when the work was handed over: steps of the session it comes from, or all sessions before it
steps as (

    select
        agent_session_key,
        ended_at
    from {{ ref('fct_agent_steps') }}
    where {{ of_these_runs }}

    union all

    select
        agent_session_key,
        ended_at
    from {{ ref('fct_agent_steps') }}
    where
        not {{ of_these_runs }}
        and agent_session_key in (
            select handoffs.from_agent_session_key from handoffs
            where handoffs.is_cross_run
        )

),

latest_ends as (

    select
        handoffs.to_agent_session_key as ended_before_key,
        max(steps.ended_at) as latest_ended_at
    from handoffs
    inner join steps on handoffs.from_agent_session_key = steps.agent_session_key
    where
        handoffs.known_by != 'order'
        and steps.ended_at <= handoffs.handed_at
    group by handoffs.to_agent_session_key

    union all

    select
        handoffs.to_agent_session_key as ended_before_key,
        max(earlier.ended_at) as latest_ended_at
    from handoffs
    inner join sessions as earlier on handoffs.run_key = earlier.run_key
    where
        handoffs.known_by = 'order'
        and earlier.session_number < handoffs.session_number
        and earlier.ended_at <= handoffs.handed_at
    group by handoffs.to_agent_session_key

)

select
    {{ key_of(key_text('handoffs.from_agent_session_key') ~ ' || ' ~ key_text('handoffs.to_agent_session_key')) }} as handoff_key,
    handoffs.run_key,
    handoffs.conversation_id,
    handoffs.from_agent_session_key,
    handoffs.to_agent_session_key,
    handoffs.from_agent,
    handoffs.to_agent,
    handoffs.handed_at,
    {{ milliseconds_between('coalesce(latest_ends.latest_ended_at, handoffs.from_started_at)', 'handoffs.handed_at') }} as gap_ms,
    handoffs.target_status,
    handoffs.known_by != 'parent' as is_inferred,
    handoffs.is_cross_run
from handoffs
left join latest_ends on handoffs.to_agent_session_key = latest_ends.ended_before_key
