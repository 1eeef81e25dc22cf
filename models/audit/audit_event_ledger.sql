with staged as (

    select * from {{ ref('int_rows_staged_daily') }}

),

identified as (

    select * from {{ ref('int_events_daily') }}

),

entries as (

    select
        source_table,
        event_date,
        raw_rows,
        0 as accepted_rows,
        0 as duplicate_rows,
        0 as quarantined_rows
    from staged

    union all

    select
        source_table,
        event_date,
        0 as raw_rows,
        accepted_rows,
        duplicate_rows,
        quarantined_rows
    from identified

),

ledger as (

    select
        source_table,
        event_date,
        {{ bigint_sum('raw_rows') }} as raw_rows,
        {{ bigint_sum('accepted_rows') }} as accepted_rows,
        {{ bigint_sum('duplicate_rows') }} as duplicate_rows,
        {{ bigint_sum('quarantined_rows') }} as quarantined_rows
    from entries
    group by
        source_table,
        event_date

)

select
    {{ text_hash("source_table || '|' || cast(event_date as " ~ type_text() ~ ')') }} as event_ledger_key,
    source_table,
    event_date,
    raw_rows,
    accepted_rows,
    duplicate_rows,
    quarantined_rows,
    raw_rows = accepted_rows + duplicate_rows + quarantined_rows as is_balanced
from ledger
