{{ config(materialized=incremental_where_possible(), unique_key=['source_table', 'loaded_date'], incremental_strategy='delete+insert') }}

{#- Counted before and apart from what becomes of the rows, by the day of loading: raw tables only grow
    at their end. -#}
with staged as (

    {% for source_table, table in event_tables().items() -%}
    {%- set is_loaded = is_loaded_since(source_table, whole_days=true) %}
    select
        '{{ source_table }}' as source_table,
        -- a row without load time counts under the first day there is, as does an event without time
        coalesce(cast(loaded_at as date), cast('1970-01-01' as date)) as loaded_date,
        coalesce({{ reporting_date('event_at') }}, cast('1970-01-01' as date)) as event_date
    from {{ ref('stg_rudderstack__' ~ table.name) }}
    where {{ is_loaded if is_incremental() else '1 = 1' }}

    {% if not loop.last %}union all
    {% endif %}
    {% endfor %}

)

select
    source_table,
    loaded_date,
    event_date,
    count(*) as raw_rows
from staged
group by
    source_table,
    loaded_date,
    event_date
