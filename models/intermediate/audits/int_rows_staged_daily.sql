{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='delete+insert',
    unique_key=['source_table', 'loaded_date'],
    meta={'history': 'by_load'}
) }}
{#- Counted before and apart from what becomes of the rows, by the day of loading: raw tables only grow at
    their end. -#}
{%- set staged = ref('int_events_staged') -%}
{%- set windows = load_day_windows(this, staged) if is_incremental() else {} %}

with staged_events as (

    {% if windows -%}
    {% for source_table, since in windows.items() -%}
    select
        source_table,
        loaded_at,
        event_at
    from {{ loaded_since(staged, source_table, since) }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}
    {%- else -%}
    select
        source_table,
        loaded_at,
        event_at
    from {{ staged }}
    {%- endif %}

),

dated as (

    select
        source_table,
        -- a row without load time counts under the first day there is, as does an event without time
        coalesce(cast(loaded_at as date), cast('1970-01-01' as date)) as loaded_date,
        coalesce({{ reporting_date('event_at') }}, cast('1970-01-01' as date)) as event_date
    from staged_events

)

select
    source_table,
    loaded_date,
    event_date,
    count(*) as raw_rows
from dated
group by
    source_table,
    loaded_date,
    event_date
