{{ config(daily_rollup('event_date', 'by_event')) }}
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

positions as (

    {% for position in range(1, most_columns + 1) -%}
    select cast({{ position }} as {{ dbt.type_bigint() }}) as item_position
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}

),

-- every name of the list `first,second,`
names as (

    select
        unconverted.source_table as source_table,
        unconverted.event_date as event_date,
        {{ item_of_list('unconverted.unconverted_columns', 'positions.item_position') }} as column_name,
        unconverted.row_count as row_count
    from unconverted
    cross join positions
    where
        length(unconverted.unconverted_columns) - length(replace(unconverted.unconverted_columns, ',', ''))
        >= positions.item_position

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
