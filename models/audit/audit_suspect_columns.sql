with unconverted as (

    select
        source_table,
        column_name,
        'values that do not convert to the type of the column' as problem,
        {{ bigint_sum('row_count') }} as row_count
    from {{ ref('int_unconverted_values_daily') }}
    -- what nothing reads is listed in audit_unread_columns
    where not {{ starts_with('column_name', "'?'") }}
    group by
        source_table,
        column_name

),

counts as (

    select
        source_table,
        {{ bigint_sum('clock_skew_rows') }} as clock_skew_count,
        {{ bigint_sum('cost_rows') }} as cost_count,
        {{ bigint_sum('negative_cost_rows') }} as negative_count,
        {{ bigint_sum('zero_cost_with_tokens_rows') }} as zero_with_tokens_count,
        {{ bigint_sum('fractional_cost_rows') }} as fractional_count
    from {{ ref('int_events_daily') }}
    group by source_table

),

suspects as (

    select
        source_table,
        column_name,
        problem,
        row_count
    from unconverted
    where row_count > 0

    union all

    select
        source_table,
        'timestamp' as column_name,
        'times that are not believed' as problem,
        clock_skew_count as row_count
    from counts
    where clock_skew_count > 0

    union all

    select
        source_table,
        'cost' as column_name,
        'negative costs' as problem,
        negative_count as row_count
    from counts
    where negative_count > 0

    union all

    select
        source_table,
        'cost' as column_name,
        'cost of zero beside tokens' as problem,
        zero_with_tokens_count as row_count
    from counts
    where zero_with_tokens_count > 0

    -- the first value made the column an integer: RudderStack cuts every later fraction silently
    union all

    select
        source_table,
        'cost' as column_name,
        'whole numbers only' as problem,
        cost_count as row_count
    from counts
    where
        cost_count > 0
        and fractional_count = 0

)

select
    {{ text_hash("source_table || '|' || column_name || '|' || problem") }} as suspect_column_key,
    source_table,
    column_name,
    problem,
    row_count
from suspects
