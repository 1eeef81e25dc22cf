with marked as (

    -- staging marks names of columns that nothing reads
    select
        source_table,
        right(column_name, length(column_name) - 1) as column_name,
        row_count
    from {{ ref('int_unconverted_values_daily') }}
    where {{ starts_with('column_name', "'?'") }}

)

select
    {{ text_hash("source_table || '|' || column_name") }} as unread_column_key,
    source_table,
    column_name,
    {{ bigint_sum('row_count') }} as row_count
from marked
group by
    source_table,
    column_name
