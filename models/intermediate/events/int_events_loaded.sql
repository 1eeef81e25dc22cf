{{ config(materialized='view') }}

with loaded as (

    {% for source_table, table in event_tables().items() -%}
    select
        '{{ source_table }}' as source_table,
        event_id,
        event_key,
        sent_conversation_id,
        sent_interaction_id,
        loaded_at,
        {{ 'sent_agent_session_id' if table.has_agent_session else 'cast(null as ' ~ type_text() ~ ')' }} as sent_agent_session_id
    from {{ loaded_since(ref('stg_rudderstack__' ~ table.name), source_table) }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select * from loaded
