{{ config(materialized='view') }}

{%- set staged = {
    'ai_user_prompt_created': ('stg_rudderstack__user_prompts', false),
    'ai_agent_response_received': ('stg_rudderstack__agent_responses', false),
    'ai_interaction_completed': ('stg_rudderstack__interactions_completed', false),
    'ai_user_action': ('stg_rudderstack__user_actions', false),
    'ai_agent_session_started': ('stg_rudderstack__agent_sessions_started', true),
    'ai_agent_session_completed': ('stg_rudderstack__agent_sessions_completed', true),
    'ai_agent_step_completed': ('stg_rudderstack__agent_steps_completed', true)
} -%}

with sent_ids as (

    {% for source_table, (model, has_agent_session) in staged.items() -%}
    select
        '{{ source_table }}' as source_table,
        event_id,
        sent_conversation_id,
        sent_interaction_id,
        {{ 'sent_agent_session_id' if has_agent_session else 'cast(null as ' ~ type_text() ~ ')' }} as sent_agent_session_id
    from {{ ref(model) }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select * from sent_ids
