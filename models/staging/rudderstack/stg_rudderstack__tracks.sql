{%- set expected_columns = [
    {'name': 'id', 'type': 'id'},
    {'name': 'user_id', 'type': 'id'},
    {'name': 'event', 'type': 'text'},
    {'name': 'received_at', 'type': 'timestamp'},
    {'name': 'event_timestamp', 'type': 'timestamp', 'raw_names': ['timestamp', '_timestamp']}
] -%}

with raw_tracks as (

    {{ typed_source('rudderstack', 'tracks', expected_columns) }}

),

renamed as (

    select
        id as event_id,
        user_id,
        event as event_name,
        coalesce(event_timestamp, received_at) as event_at,
        raw_schema
    from raw_tracks

)

select * from renamed
