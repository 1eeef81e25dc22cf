{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='delete+insert',
    unique_key='event_date',
    meta={'history': 'by_event'}
) }}
{%- set where_on_days_of_new_events = where_on_days_of_new_events() %}
{#- No event has more columns. -#}
{%- set most_columns = event_columns() | length %}

with unconverted as (

    select
        source_table,
        coalesce({{ reporting_date('event_at') }}, cast('1970-01-01' as date)) as event_date,
        unconverted_columns,
        count(*) as row_count
    from {{ ref('int_events') }}
    {{ where_on_days_of_new_events ~ ' and' if where_on_days_of_new_events else 'where' }} unconverted_columns != ''
    group by
        source_table,
        coalesce({{ reporting_date('event_at') }}, cast('1970-01-01' as date)),
        unconverted_columns

),

-- every name of the list `first,second,`
names as (

    {% for position in range(1, most_columns + 1) -%}
    select
        source_table,
        event_date,
        {{ dbt.split_part('unconverted_columns', "','", position) }} as column_name,
        row_count
    from unconverted
    where length(unconverted_columns) - length(replace(unconverted_columns, ',', '')) >= {{ position }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select
    source_table,
    event_date,
    column_name,
    {{ bigint_sum('row_count') }} as row_count
from names
group by
    source_table,
    event_date,
    column_name
