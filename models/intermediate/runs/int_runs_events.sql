{{ config(materialized='view') }}

{#- What every run is known by: one narrow row per event, steps already summed per agent session. -#}
{%- set accepted_events = {
    'int_user_prompts_identified': 1,
    'int_interactions_completed_identified': 2,
    'int_agent_sessions_started_identified': 3,
    'int_agent_sessions_completed_identified': 4,
    'int_agent_responses_identified': 5,
    'int_user_actions_identified': 6
} -%}

with run_events as (

    {% for model, source_rank in accepted_events.items() -%}
    select
        run_key,
        conversation_id,
        interaction_id,
        parent_interaction_id,
        user_id,
        anonymous_id,
        source_id,
        workflow_name,
        environment,
        trigger_type,
        execution_mode,
        event_at as first_event_at,
        event_at as last_event_at,
        has_clock_skew,
        {{ source_rank }} as source_rank
    from {{ ref(model) }}
    where
        event_disposition = 'accepted'
        and {{ of_touched_runs('event_at') }}

    union all

    {% endfor -%}
    select
        run_key,
        conversation_id,
        interaction_id,
        parent_interaction_id,
        user_id,
        anonymous_id,
        source_id,
        workflow_name,
        environment,
        trigger_type,
        execution_mode,
        first_event_at,
        last_event_at,
        has_clock_skew,
        7 as source_rank
    from {{ ref('int_agent_sessions_observed_steps') }}

)

select * from run_events
