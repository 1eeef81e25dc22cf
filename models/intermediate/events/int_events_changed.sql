{#- On a full build every event is identified anew and this table stays empty. -#}
{%- set is_continued = is_incremental_build() -%}

with loaded as (

    select
        source_table,
        event_key,
        count(*) as delivery_count,
        min(loaded_at) as earliest_loaded_at
    from {{ ref('int_events_loaded') }}
    {% if not is_continued %}where 1 = 0{% endif %}
    group by
        source_table,
        event_key

),

stored as (

    {% if is_continued -%}
    {% for source_table, table in event_tables().items() -%}
    select
        '{{ source_table }}' as source_table,
        event_key,
        count(*) as delivery_count
    from {{ stored('int_' ~ table.name ~ '_identified') }}
    where {{ is_loaded_since(source_table) }}
    group by event_key
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}
    {%- else -%}
    select
        source_table,
        event_key,
        delivery_count
    from loaded
    {%- endif %}

),

-- of an event that is stored with all its deliveries nothing is new
delivered as (

    select
        loaded.source_table as source_table,
        loaded.event_key as event_key
    from loaded
    left join stored
        on
            loaded.source_table = stored.source_table
            and loaded.event_key = stored.event_key
    where
        stored.delivery_count is null
        or stored.delivery_count < loaded.delivery_count

),

-- ids that have not been seen before may complete an event, or make it ambiguous
interactions_found as (

    select distinct interaction_id
    from {{ ref('int_interactions_known') }}
    where {{ 'build_number > ' ~ last_build_number() if is_continued else '1 = 0' }}

),

sessions_found as (

    select distinct agent_session_id
    from {{ ref('int_agent_sessions_known') }}
    where {{ 'build_number > ' ~ last_build_number() if is_continued else '1 = 0' }}

),

rematched as (

    select
        incomplete.source_table as source_table,
        incomplete.event_key as event_key
    from {{ ref('int_events_incomplete') }} as incomplete
    inner join interactions_found on incomplete.sent_interaction_id = interactions_found.interaction_id
    where incomplete.sent_conversation_id = ''

    union all

    select
        incomplete.source_table as source_table,
        incomplete.event_key as event_key
    from {{ ref('int_events_incomplete') }} as incomplete
    inner join sessions_found on incomplete.sent_agent_session_id = sessions_found.agent_session_id
    where incomplete.sent_interaction_id = ''

),

found as (

    select
        source_table,
        event_key
    from delivered
    union distinct
    select
        source_table,
        event_key
    from rematched

),

-- the runs these events belonged to so far, and which of them have deliveries that are not read again
placed as (

    {% if is_continued -%}
    {% for source_table, table in event_tables().items() -%}
    select distinct
        '{{ source_table }}' as source_table,
        event_key,
        case when event_disposition = 'accepted' then run_key end as previous_run_key,
        not {{ is_loaded_since(source_table) }} as is_stored_before
    from {{ stored('int_' ~ table.name ~ '_identified') }}
    where event_key in (select event_key from found where source_table = '{{ source_table }}')
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}
    {%- else -%}
    select
        source_table,
        event_key,
        cast(null as {{ type_text() }}) as previous_run_key,
        false as is_stored_before
    from found
    {%- endif %}

),

-- of a build that did not end: what it has already moved is known from here only
unfinished as (

    {% if load_relation(this) is not none and stored('audit_build_log', 'audit') is not none and execute -%}
    select
        source_table,
        event_key,
        previous_run_key,
        is_stored_before,
        earliest_loaded_at
    from {{ this }}
    where build_number > {{ last_build_number() }}
    {%- else -%}
    select
        source_table,
        event_key,
        previous_run_key,
        is_stored_before,
        cast(null as {{ type_utc_timestamp() }}) as earliest_loaded_at
    from placed
    where 1 = 0
    {%- endif %}

),

changed as (

    select
        found.source_table as source_table,
        found.event_key as event_key,
        placed.previous_run_key,
        coalesce(placed.is_stored_before, false) as is_stored_before,
        loaded.earliest_loaded_at
    from found
    left join placed
        on
            found.source_table = placed.source_table
            and found.event_key = placed.event_key
    left join loaded
        on
            found.source_table = loaded.source_table
            and found.event_key = loaded.event_key
    union distinct
    select
        source_table,
        event_key,
        previous_run_key,
        is_stored_before,
        earliest_loaded_at
    from unfinished

)

select
    source_table,
    event_key,
    previous_run_key,
    is_stored_before,
    earliest_loaded_at,
    {{ build_number() }} as build_number
from changed
