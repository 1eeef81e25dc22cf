{#- Narrow columns only: every build reads all raw rows here, to see on which days of loading they have changed. -#}
with loaded as (

    select
        source_table,
        {{ date_of_load() }} as loaded_date,
        loaded_at,
        received_at
    from {{ ref('int_events_staged') }}

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
