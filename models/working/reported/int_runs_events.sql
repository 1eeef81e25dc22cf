{{ config(materialized='view') }}

{#- What every run is known by: one narrow row per event, steps already summed per agent session. Who is
    believed first stands first. -#}
{%- set ranks = {
    'ai_user_prompt_created': 1,
    'ai_interaction_completed': 2,
    'ai_response_received': 2,
    'ai_agent_session_started': 3,
    'ai_agent_session_completed': 4,
    'ai_agent_response_received': 5,
    'ai_user_action': 6
} -%}
{%- set columns = [
    'run_key', 'conversation_id', 'interaction_id', 'parent_interaction_id', 'user_id', 'anonymous_id',
    'source_id', 'workflow_name', 'environment', 'trigger_type', 'execution_mode', 'plan_name'
] + passthrough_columns() | list -%}

with events as (

    select * from {{ ref('int_events_accepted') }}
    where source_table != 'ai_agent_step_completed'

),

observed_steps as (

    select * from {{ ref('int_agent_sessions_observed_steps') }}

),

run_events as (

    select
        event_key as run_event_key,
        {{ columns | join(',\n        ') }},
        event_at as first_event_at,
        event_at as last_event_at,
        has_clock_skew,
        case source_table
            {%- for source_table, rank in ranks.items() %}
            when '{{ source_table }}' then {{ rank }}
            {%- endfor %}
        end as source_rank
    from events

    union all

    select
        agent_session_key as run_event_key,
        {{ columns | join(',\n        ') }},
        first_event_at,
        last_event_at,
        has_clock_skew,
        7 as source_rank
    from observed_steps

)

select * from run_events
