{%- set event_tables = {
    'ai_user_prompt_created': 'user_prompts',
    'ai_agent_response_received': 'agent_responses',
    'ai_interaction_completed': 'interactions_completed',
    'ai_user_action': 'user_actions',
    'ai_agent_session_started': 'agent_sessions_started',
    'ai_agent_session_completed': 'agent_sessions_completed',
    'ai_agent_step_completed': 'agent_steps_completed'
} -%}

with staged as (

    {% for source_table, name in event_tables.items() -%}
    select
        '{{ source_table }}' as source_table,
        {{ reporting_date('event_at') }} as event_date,
        count(*) as raw_rows
    from {{ ref('stg_rudderstack__' ~ name) }}
    group by {{ reporting_date('event_at') }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

disposed as (

    {% for source_table, name in event_tables.items() -%}
    select
        '{{ source_table }}' as source_table,
        {{ reporting_date('event_at') }} as event_date,
        {{ count_where("event_disposition = 'accepted'") }} as accepted_rows,
        {{ count_where("event_disposition = 'duplicate'") }} as duplicate_rows,
        {{ count_where("event_disposition = 'quarantined'") }} as quarantined_rows
    from {{ ref('int_' ~ name ~ '_identified') }}
    group by {{ reporting_date('event_at') }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

-- an event without any time has no day; it is counted under the first day there is
entries as (

    select
        source_table,
        coalesce(event_date, cast('1970-01-01' as date)) as event_date,
        raw_rows,
        0 as accepted_rows,
        0 as duplicate_rows,
        0 as quarantined_rows
    from staged

    union all

    select
        source_table,
        coalesce(event_date, cast('1970-01-01' as date)) as event_date,
        0 as raw_rows,
        accepted_rows,
        duplicate_rows,
        quarantined_rows
    from disposed

),

ledger as (

    select
        source_table,
        event_date,
        {{ bigint_sum('raw_rows') }} as raw_rows,
        {{ bigint_sum('accepted_rows') }} as accepted_rows,
        {{ bigint_sum('duplicate_rows') }} as duplicate_rows,
        {{ bigint_sum('quarantined_rows') }} as quarantined_rows
    from entries
    group by
        source_table,
        event_date

)

select
    {{ text_hash("source_table || '|' || cast(event_date as " ~ type_text() ~ ')') }} as event_ledger_key,
    source_table,
    event_date,
    raw_rows,
    accepted_rows,
    duplicate_rows,
    quarantined_rows,
    raw_rows = accepted_rows + duplicate_rows + quarantined_rows as is_balanced
from ledger
