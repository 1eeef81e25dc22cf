-- A row that is not accepted, duplicate or quarantined got lost.
select *
from {{ ref('audit_event_ledger') }}
where
    not is_balanced
    or raw_rows != accepted_rows + duplicate_rows + quarantined_rows
