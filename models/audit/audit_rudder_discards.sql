with discards as (

    select * from {{ ref('stg_rudderstack__discards') }}

),

numbered as (

    select
        *,
        row_number() over (
            partition by source_table, event_id, column_name
            order by
                received_at nulls last, loaded_at nulls last, raw_schema,
                discard_reason nulls last, column_value_hash nulls last
        ) as position_in_key
    from discards

)

select
    {{ text_hash(
        "coalesce(source_table, '') || '|' || coalesce(column_name, '') || '|' || coalesce(event_id, '')"
        ~ " || '|' || cast(position_in_key as " ~ type_text() ~ ')'
    ) }} as discard_key,
    source_table,
    column_name,
    event_id,
    discard_reason,
    column_value_hash,
    column_value_length,
    received_at,
    loaded_at,
    raw_schema
from numbered
