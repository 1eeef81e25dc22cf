with ledger as (

    select
        source_table,
        sum(quarantined_rows) as ledger_rows
    from {{ ref('audit_event_ledger') }}
    group by source_table

),

quarantined as (

    select
        source_table,
        count(*) as quarantined_rows
    from {{ ref('audit_quarantined_events') }}
    group by source_table

)

select
    ledger.source_table,
    ledger.ledger_rows,
    quarantined.quarantined_rows
from ledger
full outer join quarantined on ledger.source_table = quarantined.source_table
where coalesce(ledger.ledger_rows, 0) != coalesce(quarantined.quarantined_rows, 0)
