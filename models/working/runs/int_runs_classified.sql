{{ config(materialized='view') }}

with runs as (

    select
        run_key,
        run_status,
        completion_event_id,
        failure_signal_key
    from {{ ref('int_runs_assembled') }}

),

signals as (

    select * from {{ ref('int_failure_signals_classified') }}

),

response_texts as (

    select * from {{ ref('int_response_texts_classified') }}

),

session_totals as (

    select * from {{ ref('int_runs_session_totals') }}

),

failing_steps as (

    select * from {{ ref('int_runs_failing_steps') }}

),

user_actions as (

    select * from {{ ref('int_runs_user_actions') }}

),

reasked as (

    select * from {{ ref('int_runs_reasked') }}

),

ending_conversations as (

    select run_key as ending_run_key
    from {{ ref('int_runs_ending_conversations') }}

),

evidence as (

    select
        runs.run_key as run_key,
        runs.run_status,
        {{ first_matching('failure_mode') }} as own_mode,
        {{ first_matching('failure_category') }} as own_category,
        {{ first_matching('is_billed') }} as failure_is_billed,
        failing_steps.step_failure_mode,
        failing_steps.step_failure_category,
        session_totals.session_failure_mode,
        session_totals.session_failure_category,
        coalesce(session_totals.failed_step_count, 0) > 0 as has_failed_steps,
        coalesce(session_totals.silent_failure_count, 0) > 0 as has_silent_failures,
        coalesce(user_actions.regenerated_count, 0) > 0 as is_regenerated,
        coalesce(user_actions.rating < 0.5, false) as has_low_rating,
        reasked.run_key is not null as is_reasked,
        ending_conversations.ending_run_key is not null as has_ended_conversation
    from runs
    left join signals on runs.failure_signal_key = signals.failure_signal_key
    left join response_texts on runs.completion_event_id = response_texts.event_id
    left join session_totals on runs.run_key = session_totals.run_key
    left join failing_steps on runs.run_key = failing_steps.run_key
    left join user_actions on runs.run_key = user_actions.run_key
    left join reasked on runs.run_key = reasked.run_key
    left join ending_conversations on runs.run_key = ending_conversations.ending_run_key

),

judged as (

    select
        *,
        case
            when run_status in ('error', 'timeout') then 'hard'
            when run_status = 'cancelled' then 'cancelled'
            when run_status not in ('success', 'partial_success') then 'none'
            when run_status = 'partial_success' or own_mode is not null then 'soft'
            when is_regenerated or has_low_rating or is_reasked then 'soft'
            when has_silent_failures then 'silent'
            when has_failed_steps then 'recovered'
            else 'none'
        end as failure_severity,
        -- a run that says no more than "error" is explained by the step or session that failed in it
        case
            when own_category != 'unclassified' then 'run'
            when step_failure_category != 'unclassified' then 'step'
            when session_failure_category != 'unclassified' then 'session'
            else 'run'
        end as explained_by
    from evidence

)

select
    run_key,
    failure_severity,
    case
        when failure_severity = 'hard'
            then case explained_by
                when 'step' then step_failure_mode
                when 'session' then session_failure_mode
                else coalesce(own_mode, 'unclassified_error')
            end
        when failure_severity = 'cancelled' then coalesce(own_mode, 'user_cancelled')
        when failure_severity = 'soft'
            then case
                when own_mode is not null then own_mode
                when run_status = 'partial_success' then 'partial_success'
                when is_regenerated then 'regenerated'
                when has_low_rating then 'negative_feedback'
                else 'reasked'
            end
        when failure_severity = 'silent' then 'silent_tool_failure'
    end as failure_mode,
    case
        when failure_severity = 'hard'
            then case explained_by
                when 'step' then step_failure_category
                when 'session' then session_failure_category
                else coalesce(own_category, 'unclassified')
            end
        when failure_severity = 'cancelled' then coalesce(own_category, 'cancelled')
        when failure_severity = 'soft' then coalesce(own_category, case when run_status = 'partial_success' then 'model_error' end)
        when failure_severity = 'silent' then 'tool_error'
    end as failure_category,
    case when failure_severity = 'hard' then explained_by end as failure_explained_by,
    failure_is_billed,
    is_reasked,
    has_ended_conversation
from judged
