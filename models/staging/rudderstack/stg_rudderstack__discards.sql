{%- set expected_columns = [
    {'name': 'row_id', 'type': 'id'},
    {'name': 'table_name', 'type': 'text'},
    {'name': 'column_name', 'type': 'text'},
    {'name': 'column_value', 'type': 'text'},
    {'name': 'reason', 'type': 'text'},
    {'name': 'received_at', 'type': 'timestamp'},
    load_time_column()
] -%}

with raw_discards as (

    {{ typed_source('rudderstack', 'rudder_discards', expected_columns) }}

),

renamed as (

    select
        row_id as event_id,
        lower(table_name) as source_table,
        lower(column_name) as column_name,
        reason as discard_reason,
        -- the lost value may be text of a prompt or an answer
        {{ salted_hash('column_value') }} as column_value_hash,
        {{ character_count('column_value') }} as column_value_length,
        received_at,
        loaded_at,
        raw_schema
    from raw_discards

)

select * from renamed
