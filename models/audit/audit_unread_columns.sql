with unconverted_values as (

    select * from {{ ref('int_unconverted_values_daily') }}

),

-- staging marks names of columns that nothing reads
unread as (

    select
        source_table,
        right(column_name, length(column_name) - 1) as unread_name,
        row_count
    from unconverted_values
    where {{ starts_with('column_name', "'?'") }}

)

select
    {{ text_hash("source_table || '|' || unread_name") }} as unread_column_key,
    source_table,
    unread_name as column_name,
    {{ bigint_sum('row_count') }} as row_count
from unread
group by
    source_table,
    unread_name
