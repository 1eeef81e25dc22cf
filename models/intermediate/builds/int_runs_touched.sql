{#- The runs whose rows this build replaces. On a full build all are built anew and this table stays
    empty. -#}
{%- set is_continued = is_incremental_build() -%}
{%- set this_build = build_number() -%}
{%- set changed = ref('int_events_changed') -%}
{%- set are_rules_changed = is_seed_changed('failure_mode_rules') -%}
{%- set signals = ref('int_failure_signals_classified') -%}
{%- set texts = ref('int_response_texts_classified') -%}
{%- set last_signals = stored('int_failure_signals_applied') if is_continued else none -%}
{%- set last_texts = stored('int_response_texts_applied') if is_continued else none -%}
{%- set are_scales_changed = is_seed_changed('feedback_scales') -%}
{%- set models_repriced = ref('int_models_repriced') -%}
{%- set stored_runs = stored('fct_agent_runs', 'marts') if is_continued else none -%}
{%- for table in event_tables().values() -%}{%- do ref('int_' ~ table.name ~ '_identified') -%}{%- endfor -%}

{% if not is_continued -%}
select
    cast(null as {{ type_text() }}) as run_key,
    cast(null as {{ type_text() }}) as touched_because,
    cast(null as {{ type_utc_timestamp() }}) as earliest_at,
    cast(null as {{ type_utc_timestamp() }}) as latest_at,
    {{ this_build }} as build_number
from {{ changed }}
where 1 = 0
{%- else -%}
with written_events as (

    {% for table in event_tables().values() -%}
    select
        run_key,
        conversation_id,
        event_at
    from {{ ref('int_' ~ table.name ~ '_identified') }}
    where
        build_number > {{ last_build_number() }}
        and event_disposition = 'accepted'

    {% if not loop.last %}union all
    {% endif %}
    {% endfor %}

),

left_runs as (

    select distinct previous_run_key as run_key
    from {{ changed }}
    where previous_run_key is not null

),

with_events as (

    select run_key from written_events
    union distinct
    select run_key from left_runs

),

-- as they are stored so far; read for every use with the columns it needs, since there may be millions
stored_with_events as (

    select
        stored_runs.run_key as run_key,
        stored_runs.conversation_id,
        least(stored_runs.started_at, stored_runs.last_event_at) as earliest_at,
        stored_runs.last_event_at
    from {{ stored_runs }} as stored_runs
    inner join with_events on stored_runs.run_key = with_events.run_key

),

moments as (

    select
        run_key,
        conversation_id,
        event_at as moment_at
    from written_events

    union all

    select
        run_key,
        conversation_id,
        earliest_at as moment_at
    from stored_with_events

    union all

    select
        run_key,
        conversation_id,
        last_event_at as moment_at
    from stored_with_events

),

spans as (

    select
        run_key,
        conversation_id,
        min(moment_at) as earliest_at,
        max(moment_at) as latest_at
    from moments
    group by
        run_key,
        conversation_id

),

-- the clock by which runs are given up
data_end as (

    select {{ newest_event_at() }} as newest_event_at

),

-- runs of the same conversation that may have found or lost their parent, or been asked again
neighbours as (

    select distinct stored_runs.run_key as run_key
    from {{ stored_runs }} as stored_runs
    inner join spans on stored_runs.conversation_id = spans.conversation_id
    where
        stored_runs.parent_run_key is not null
        or stored_runs.has_unknown_parent
        or case when stored_runs.has_prompt then coalesce(stored_runs.prompted_at, stored_runs.started_at) end between
        {{ add_minutes('spans.earliest_at', -1 * var('reask_window_minutes')) }} and spans.latest_at

),

outlived as (

    select stored_runs.run_key as run_key
    from {{ stored_runs }} as stored_runs
    cross join data_end
    where
        stored_runs.run_status in ('in_progress', 'abandoned')
        and (stored_runs.run_status = 'in_progress')
        != (stored_runs.last_event_at > {{ add_minutes('data_end.newest_event_at', -1 * var('run_abandoned_after_minutes')) }})

),

repriced as (

    select distinct run_key
    from {{ stored('fct_agent_steps', 'marts') }}
    where model_name in (select model_name from {{ models_repriced }})
    union distinct
    select distinct run_key
    from {{ stored('fct_agent_sessions', 'marts') }}
    where model_name in (select model_name from {{ models_repriced }})

),

{% if are_rules_changed -%}
signals_reclassified as (

    select failure_signal_key
    from (
        (select * from {{ signals }} except select * from {{ last_signals }})
        union all
        (select * from {{ last_signals }} except select * from {{ signals }})
    ) as differing_signals

),

texts_reclassified as (

    select event_id
    from (
        (select * from {{ texts }} except select * from {{ last_texts }})
        union all
        (select * from {{ last_texts }} except select * from {{ texts }})
    ) as differing_texts

),

{% endif -%}
reclassified as (

    {% if are_rules_changed -%}
    {% for name in ['agent_steps_completed', 'agent_sessions_completed', 'agent_responses', 'interactions_completed'] -%}
    select run_key
    from {{ ref('int_' ~ name ~ '_identified') }}
    where
        event_disposition = 'accepted'
        and (
            failure_signal_key in (select failure_signal_key from signals_reclassified)
            or event_id in (select event_id from texts_reclassified)
        )
    {% if not loop.last %}union distinct
    {% endif %}
    {% endfor %}
    {%- else -%}
    select run_key from with_events
    where 1 = 0
    {%- endif %}

),

rerated as (

    select distinct run_key
    from {{ stored('fct_user_actions', 'marts') }}
    where {{ 'feedback_type is not null' if are_scales_changed else '1 = 0' }}

),

reasons as (

    select run_key, 'event' as touched_because, 1 as reason_rank from with_events
    union all
    select run_key, 'conversation' as touched_because, 2 as reason_rank from neighbours
    union all
    select run_key, 'status' as touched_because, 3 as reason_rank from outlived
    union all
    select run_key, 'price' as touched_because, 4 as reason_rank from repriced
    union all
    select run_key, 'failure rule' as touched_because, 5 as reason_rank from reclassified
    union all
    select run_key, 'feedback scale' as touched_because, 6 as reason_rank from rerated
    {% if load_relation(this) is not none -%}
    union all
    -- of a build that did not end
    select run_key, 'unfinished' as touched_because, 7 as reason_rank from {{ this }}
    where build_number > {{ last_build_number() }}
    {%- endif %}

),

first_reasons as (

    select
        run_key,
        touched_because,
        row_number() over (partition by run_key order by reason_rank) as reason_number
    from reasons

)

select
    first_reasons.run_key as run_key,
    first_reasons.touched_because,
    coalesce(spans.earliest_at, least(stored_runs.started_at, stored_runs.last_event_at)) as earliest_at,
    coalesce(spans.latest_at, stored_runs.last_event_at) as latest_at,
    {{ this_build }} as build_number
from first_reasons
left join spans on first_reasons.run_key = spans.run_key
left join {{ stored_runs }} as stored_runs on first_reasons.run_key = stored_runs.run_key
where first_reasons.reason_number = 1
{%- endif %}
