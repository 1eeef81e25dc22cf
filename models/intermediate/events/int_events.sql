{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='replace_events',
    unique_key='event_key',
    on_schema_change='fail',
    meta={'history': 'events'}
) }}
{%- set staged = ref('int_events_staged') -%}
{%- set windows = load_windows(this, date_of_load(), 'count(*)', time_checksum()) -%}
{%- set is_continued = is_incremental() -%}
{#- What this build writes: on a full build all that is staged. Read once for every use: a table expression
    with several readers would be kept in memory with all columns. -#}
{%- set events = 'changed_events' if is_continued else staged -%}
{%- set columns = event_columns().keys() | list -%}
{%- set stored = {} -%}
{%- for column in columns -%}{%- do stored.update({column: column}) -%}{%- endfor -%}
{%- do stored.update({
    'sent_conversation_id': 'case when has_sent_conversation_id then conversation_id end',
    'sent_interaction_id': 'case when has_sent_interaction_id then interaction_id end',
    'sent_agent_session_id': 'agent_session_id'
}) %}

with
{%- if is_continued %}

-- deliveries loaded on days that are read again, as they were staged before
known as (

    select
        {% for column, expression in stored.items() -%}
        {{ expression }} as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ this }}
    where {{ is_in_load_window(windows) }}

),

deliveries_compared as (

    {% for source_table in windows -%}
    select
        event_key,
        event_id,
        sent_conversation_id,
        sent_interaction_id,
        sent_agent_session_id,
        {{ row_hash(columns) }} as content_hash,
        1 as delivery_count
    from {{ loaded_in_window(staged, source_table, windows) }}

    union all

    {% endfor -%}
    select
        event_key,
        event_id,
        sent_conversation_id,
        sent_interaction_id,
        sent_agent_session_id,
        {{ row_hash(columns) }} as content_hash,
        -1 as delivery_count
    from known

),

-- events with a delivery that came, went or holds something else
differing_events as (

    select
        event_key,
        content_hash
    from deliveries_compared
    group by
        event_key,
        content_hash
    having sum(delivery_count) != 0

),

differing_ids as (

    select distinct
        sent_conversation_id,
        sent_interaction_id,
        sent_agent_session_id
    from deliveries_compared
    where
        event_id is not null
        and sent_conversation_id is not null
        and sent_interaction_id is not null
        and event_key in (select event_key from differing_events)

),

-- ids that came or went complete an event that was sent without them, or make it ambiguous, or no more
rematched_events as (

    select event_key
    from {{ this }}
    where
        not has_sent_conversation_id
        and has_sent_interaction_id
        and interaction_id in (select sent_interaction_id from differing_ids)

    union distinct

    select event_key
    from {{ this }}
    where
        not has_sent_interaction_id
        and agent_session_id in (select sent_agent_session_id from differing_ids)

),

changed_keys as (

    select event_key from differing_events
    union distinct
    select event_key from rematched_events

),

changed_events as (

    {% for source_table in windows -%}
    select
        source_table,
        {{ columns | join(',\n        ') }}
    from {{ loaded_in_window(staged, source_table, windows) }}
    where event_key in (select event_key from changed_keys)

    union all

    {% endfor -%}
    -- deliveries that are not read again
    select
        source_table,
        {% for column, expression in stored.items() -%}
        {{ expression }} as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ this }}
    where
        event_key in (select event_key from changed_keys)
        and not {{ is_in_load_window(windows) }}

),
{%- endif %}

-- '' stands for an id that was not sent
incomplete as (

    select distinct
        coalesce(sent_conversation_id, '') as conversation_id,
        coalesce(sent_interaction_id, '') as interaction_id,
        coalesce(sent_agent_session_id, '') as agent_session_id
    from {{ events }}
    where
        event_id is not null
        and (sent_conversation_id is null or sent_interaction_id is null)

),

without_conversation as (

    select distinct interaction_id
    from incomplete
    where
        conversation_id = ''
        and interaction_id != ''

),

without_interaction as (

    select distinct
        agent_session_id,
        conversation_id
    from incomplete
    where
        interaction_id = ''
        and agent_session_id != ''

),

-- ids that were sent together
conversations_of_interactions as (

    select distinct
        sent_interaction_id as interaction_id,
        sent_conversation_id as conversation_id
    from {{ events }}
    where
        event_id is not null
        and sent_conversation_id is not null
        and sent_interaction_id in (select without_conversation.interaction_id from without_conversation)
    {%- if is_continued %}

    union distinct

    select
        interaction_id,
        conversation_id
    from {{ this }}
    where
        event_id is not null
        and has_sent_conversation_id
        and has_sent_interaction_id
        and interaction_id in (select without_conversation.interaction_id from without_conversation)
        and event_key not in (select changed_keys.event_key from changed_keys)
    {%- endif %}

),

interactions_of_agent_sessions as (

    select distinct
        sent_agent_session_id as agent_session_id,
        sent_conversation_id as conversation_id,
        sent_interaction_id as interaction_id
    from {{ events }}
    where
        event_id is not null
        and sent_conversation_id is not null
        and sent_interaction_id is not null
        and sent_agent_session_id in (select without_interaction.agent_session_id from without_interaction)
    {%- if is_continued %}

    union distinct

    select
        agent_session_id,
        conversation_id,
        interaction_id
    from {{ this }}
    where
        event_id is not null
        and has_sent_conversation_id
        and has_sent_interaction_id
        and agent_session_id in (select without_interaction.agent_session_id from without_interaction)
        and event_key not in (select changed_keys.event_key from changed_keys)
    {%- endif %}

),

interactions_repaired as (

    select
        interaction_id,
        count(*) as interaction_match_count,
        case when count(*) = 1 then min(conversation_id) end as repaired_conversation_id
    from conversations_of_interactions
    group by interaction_id

),

agent_sessions_repaired as (

    select
        without_interaction.agent_session_id as agent_session_id,
        without_interaction.conversation_id as matched_conversation_id,
        count(*) as agent_session_match_count,
        case when count(*) = 1 then min(known.conversation_id) end as repaired_conversation_id,
        case when count(*) = 1 then min(known.interaction_id) end as repaired_interaction_id
    from without_interaction
    inner join interactions_of_agent_sessions as known
        on without_interaction.agent_session_id = known.agent_session_id
    where without_interaction.conversation_id in ('', known.conversation_id)
    group by
        without_interaction.agent_session_id,
        without_interaction.conversation_id

),

repeated_events as (

    select event_key
    from {{ events }}
    group by event_key
    having count(*) > 1

),

-- duplicates are rare: only events that repeat are ranked
deliveries as (

    select
        staged_events.*,
        1 as delivery_number
    from {{ events }} as staged_events
    left join repeated_events on staged_events.event_key = repeated_events.event_key
    where repeated_events.event_key is null

    union all

    select
        staged_events.*,
        row_number() over (
            partition by staged_events.event_key order by {{ delivery_order() }}
        ) as delivery_number
    from {{ events }} as staged_events
    inner join repeated_events on staged_events.event_key = repeated_events.event_key

),

identified as (

    select
        deliveries.*,
        coalesce(
            deliveries.sent_conversation_id,
            interactions_repaired.repaired_conversation_id,
            agent_sessions_repaired.repaired_conversation_id
        ) as conversation_id,
        coalesce(deliveries.sent_interaction_id, agent_sessions_repaired.repaired_interaction_id) as interaction_id,
        interactions_repaired.interaction_match_count,
        agent_sessions_repaired.agent_session_match_count
    from deliveries
    -- a condition on the left side alone would make these nested-loop joins on DuckDB
    left join interactions_repaired
        on
            case when deliveries.sent_conversation_id is null then deliveries.sent_interaction_id end
            = interactions_repaired.interaction_id
    left join agent_sessions_repaired
        on
            case when deliveries.sent_interaction_id is null then deliveries.sent_agent_session_id end
            = agent_sessions_repaired.agent_session_id
            and coalesce(deliveries.sent_conversation_id, '') = agent_sessions_repaired.matched_conversation_id

),

judged as (

    select
        *,
        {{ quarantine_reason() }} as quarantine_reason
    from identified

)
{%- if is_continued %},

removed_events as (

    select event_key
    from changed_keys
    where event_key not in (select changed_events.event_key from changed_events)

)
{%- endif %}

select
    source_table,
    {%- for column in columns %}
    {%- if column == 'sent_conversation_id' %}
    conversation_id,
    -- what was sent of the ids; the same text twice would cost more than a flag
    sent_conversation_id is not null as has_sent_conversation_id,
    {%- elif column == 'sent_interaction_id' %}
    interaction_id,
    sent_interaction_id is not null as has_sent_interaction_id,
    {%- elif column == 'sent_agent_session_id' %}
    sent_agent_session_id as agent_session_id,
    {{ run_key('conversation_id', 'interaction_id') }} as run_key,
    {{ agent_session_key('conversation_id', 'interaction_id', 'sent_agent_session_id') }} as agent_session_key,
    {%- else %}
    {{ column }},
    {%- endif %}
    {%- endfor %}
    {{ event_disposition() }} as event_disposition,
    quarantine_reason,
    cast({{ build_number_of_events() }} as {{ dbt.type_bigint() }}) as build_number
from judged
{%- if is_continued %}

union all

-- one row for an event of which no delivery is left: what is stored of it goes
select
    cast(null as {{ type_text() }}) as source_table,
    {%- for column, definition in event_columns().items() %}
    {%- if column == 'event_key' %}
    event_key,
    {%- elif column == 'sent_conversation_id' %}
    cast(null as {{ type_text() }}) as conversation_id,
    false as has_sent_conversation_id,
    {%- elif column == 'sent_interaction_id' %}
    cast(null as {{ type_text() }}) as interaction_id,
    false as has_sent_interaction_id,
    {%- elif column == 'sent_agent_session_id' %}
    cast(null as {{ type_text() }}) as agent_session_id,
    cast(null as {{ type_key() }}) as run_key,
    cast(null as {{ type_key() }}) as agent_session_key,
    {%- else %}
    cast(null as {{ definition.type }}) as {{ column }},
    {%- endif %}
    {%- endfor %}
    'removed' as event_disposition,
    cast(null as {{ type_text() }}) as quarantine_reason,
    cast({{ build_number_of_events() }} as {{ dbt.type_bigint() }}) as build_number
from removed_events
{%- endif %}
