with events as (

    select * from {{ ref('int_events') }}

),

repeated as (

    select distinct event_key
    from events
    where event_disposition = 'duplicate'

),

deliveries as (

    select
        events.source_table,
        events.event_id,
        events.loaded_at,
        coalesce(events.reported_cost_usd, -1) as reported_cost_usd,
        {{ content_of_delivery() }} as content_hash
    from {{ ref('int_events') }} as events
    where events.event_key in (select repeated.event_key from repeated)

)

select
    {{ text_hash("source_table || '|' || event_id") }} as conflicting_delivery_key,
    source_table,
    event_id,
    cast(count(*) as {{ dbt.type_bigint() }}) as delivery_count,
    cast(count(distinct content_hash) as {{ dbt.type_bigint() }}) as content_count,
    cast(count(distinct reported_cost_usd) as {{ dbt.type_bigint() }}) as cost_count,
    min(loaded_at) as first_loaded_at,
    max(loaded_at) as last_loaded_at
from deliveries
group by
    source_table,
    event_id
having
    count(distinct content_hash) > 1
    or count(distinct reported_cost_usd) > 1
