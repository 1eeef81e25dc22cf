{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='replace_load_days',
    unique_key=['source_table', 'loaded_date'],
    meta={'history': 'by_load'}
) }}
{#- Counted before and apart from what becomes of the rows, by the day of loading. -#}
{%- set staged = ref('int_events_staged') -%}
{%- set windows = windows_of_rows_staged() %}

with staged_events as (

    {% if is_incremental() -%}
    {% for source_table in windows -%}
    select
        source_table,
        loaded_at,
        received_at,
        event_at
    from {{ loaded_in_window(staged, source_table, windows) }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}
    {%- else -%}
    select
        source_table,
        loaded_at,
        received_at,
        event_at
    from {{ staged }}
    {%- endif %}

),

dated as (

    select
        source_table,
        loaded_at,
        received_at,
        -- a row without load time counts under the first day there is, as does an event without time
        {{ date_of_load() }} as loaded_date,
        coalesce({{ reporting_date('event_at') }}, cast('1970-01-01' as date)) as event_date
    from staged_events

)

select
    source_table,
    loaded_date,
    event_date,
    count(*) as raw_rows,
    {{ time_checksum() }} as time_checksum
from dated
group by
    source_table,
    loaded_date,
    event_date
