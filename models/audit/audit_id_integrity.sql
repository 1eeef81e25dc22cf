with events as (

    select
        coalesce({{ bigint_sum('event_rows') }}, 0) as row_count,
        {{ bigint_sum('no_conversation_id_rows') }} as no_conversation_id_rows,
        {{ bigint_sum('no_interaction_id_rows') }} as no_interaction_id_rows,
        {{ bigint_sum('quarantined_rows') }} as quarantined_rows
    from {{ ref('int_events_daily') }}

),

-- the whole history is looked at, so all that is counted of a fact is counted in one reading
runs as (

    select
        {{ count_where('not has_prompt') }} as no_prompt_runs,
        {{ count_where("run_status in ('in_progress', 'abandoned')") }} as no_completion_runs,
        {{ count_where('has_conflicting_completions') }} as conflicting_runs,
        {{ count_where('has_unknown_parent') }} as unknown_parent_runs,
        {{ count_where('agent_session_count = 0') }} as no_session_runs,
        cast(count(*) as {{ dbt.type_bigint() }}) as row_count
    from {{ ref('fct_agent_runs') }}

),

sessions as (

    select
        {{ count_where("session_source = 'session_events' and not (has_started_event and has_completed_event)") }} as incomplete_sessions,
        {{ count_where("session_source = 'inferred'") }} as inferred_sessions,
        {{ count_where('has_unknown_parent') }} as unknown_parent_sessions,
        {{ count_where('has_parent_cycle') }} as cyclic_sessions,
        {{ bigint_sum("case when session_source != 'session_events' then step_count end") }} as steps_without_events,
        coalesce({{ bigint_sum('step_count') }}, 0) as step_count,
        cast(count(*) as {{ dbt.type_bigint() }}) as row_count
    from {{ ref('fct_agent_sessions') }}

),

-- a run is a conversation and an interaction, so an interaction has as many conversations as runs
conversations_of_interaction as (

    select
        interaction_id,
        count(*) as conversation_count
    from {{ ref('fct_agent_runs') }}
    group by interaction_id

),

interactions as (

    select
        {{ count_where('conversation_count > 1') }} as ambiguous_interactions,
        cast(count(*) as {{ dbt.type_bigint() }}) as row_count
    from conversations_of_interaction

),

checks as (

    select
        'event_without_conversation_id' as check_name,
        'event' as grain,
        no_conversation_id_rows as violation_count,
        row_count
    from events

    union all

    select
        'event_without_interaction_id' as check_name,
        'event' as grain,
        no_interaction_id_rows as violation_count,
        row_count
    from events

    union all

    select
        'event_quarantined' as check_name,
        'event' as grain,
        quarantined_rows as violation_count,
        row_count
    from events

    union all

    select
        'interaction_id_in_several_conversations' as check_name,
        'interaction_id' as grain,
        ambiguous_interactions as violation_count,
        row_count
    from interactions

    union all

    select
        'run_without_prompt' as check_name,
        'run' as grain,
        no_prompt_runs as violation_count,
        row_count
    from runs

    union all

    select
        'run_without_completion' as check_name,
        'run' as grain,
        no_completion_runs as violation_count,
        row_count
    from runs

    union all

    select
        'run_with_conflicting_completions' as check_name,
        'run' as grain,
        conflicting_runs as violation_count,
        row_count
    from runs

    union all

    select
        'run_with_unknown_parent' as check_name,
        'run' as grain,
        unknown_parent_runs as violation_count,
        row_count
    from runs

    union all

    select
        'run_without_agent_session' as check_name,
        'run' as grain,
        no_session_runs as violation_count,
        row_count
    from runs

    union all

    select
        'agent_session_without_start_or_completion' as check_name,
        'session' as grain,
        incomplete_sessions as violation_count,
        row_count
    from sessions

    union all

    select
        'agent_session_known_by_steps_only' as check_name,
        'session' as grain,
        inferred_sessions as violation_count,
        row_count
    from sessions

    union all

    select
        'agent_session_with_unknown_parent' as check_name,
        'session' as grain,
        unknown_parent_sessions as violation_count,
        row_count
    from sessions

    union all

    select
        'agent_session_in_parent_cycle' as check_name,
        'session' as grain,
        cyclic_sessions as violation_count,
        row_count
    from sessions

    union all

    select
        'step_of_session_without_events' as check_name,
        'step' as grain,
        steps_without_events as violation_count,
        step_count as row_count
    from sessions

)

select
    check_name,
    grain,
    coalesce(violation_count, 0) as violation_count,
    row_count,
    {{ ratio('violation_count', 'row_count') }} as violation_share
from checks
