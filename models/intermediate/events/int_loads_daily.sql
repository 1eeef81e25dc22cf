{#- Narrow columns only: every build reads all raw rows here, to see on which days of loading they have changed. -#}
with loaded as (

    {% for source_table, name in event_tables().items() -%}
    select
        {{ text_literal(source_table) }} as source_table,
        {{ date_of_load() }} as loaded_date,
        loaded_at,
        received_at
    from {{ ref('stg_rudderstack__' ~ name) }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select
    source_table,
    loaded_date,
    count(*) as raw_rows,
    {{ time_checksum() }} as time_checksum
from loaded
group by
    source_table,
    loaded_date
