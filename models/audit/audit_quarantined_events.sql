{%- set event_tables = {
    'ai_user_prompt_created': ('user_prompts', false),
    'ai_agent_response_received': ('agent_responses', false),
    'ai_interaction_completed': ('interactions_completed', false),
    'ai_user_action': ('user_actions', false),
    'ai_agent_session_started': ('agent_sessions_started', true),
    'ai_agent_session_completed': ('agent_sessions_completed', true),
    'ai_agent_step_completed': ('agent_steps_completed', true)
} -%}

with quarantined as (

    {% for source_table, (name, has_agent_session) in event_tables.items() -%}
    select
        '{{ source_table }}' as source_table,
        event_id,
        raw_schema,
        sent_conversation_id,
        sent_interaction_id,
        {{ 'sent_agent_session_id' if has_agent_session else 'cast(null as ' ~ type_text() ~ ')' }} as sent_agent_session_id,
        user_id,
        anonymous_id,
        quarantine_reason,
        event_at,
        received_at,
        loaded_at
    from {{ ref('int_' ~ name ~ '_identified') }}
    where event_disposition = 'quarantined'
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

-- events without an id are told apart by their position
numbered as (

    select
        *,
        row_number() over (
            partition by source_table, event_id
            order by received_at nulls last, loaded_at nulls last, event_at nulls last, raw_schema
        ) as position_in_id
    from quarantined

)

select
    {{ text_hash(
        "source_table || '|' || coalesce(event_id, '') || '|' || cast(position_in_id as " ~ type_text() ~ ')'
    ) }} as quarantined_event_key,
    source_table,
    event_id,
    raw_schema,
    sent_conversation_id,
    sent_interaction_id,
    sent_agent_session_id,
    user_id,
    anonymous_id,
    quarantine_reason,
    event_at,
    received_at,
    loaded_at
from numbered
