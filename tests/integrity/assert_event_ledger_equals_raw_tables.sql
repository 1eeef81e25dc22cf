-- Counted in the raw tables themselves, so that a row lost on the way into staging shows, too. Only where
-- it is asked for, days of loading stay that were purged.
{%- set comparison = '>' if var('keep_purged_load_days') else '!=' %}

with raw_counts as (

    {% for event_table in event_tables() -%}
    {% set declared = source('rudderstack', event_table) -%}
    {% for raw in (raw_relations(declared, event_table) if execute else []) -%}
    select
        '{{ event_table }}' as source_table,
        count(*) as row_count
    from {{ raw.sql }}

    union all

    {% endfor -%}
    select
        '{{ event_table }}' as source_table,
        0 as row_count
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

raw_tables as (

    select
        source_table,
        sum(row_count) as raw_rows
    from raw_counts
    group by source_table

),

ledger as (

    select
        source_table,
        sum(raw_rows) as ledger_rows
    from {{ ref('audit_event_ledger') }}
    group by source_table

)

select
    raw_tables.source_table,
    raw_tables.raw_rows,
    ledger.ledger_rows
from raw_tables
left join ledger on raw_tables.source_table = ledger.source_table
where raw_tables.raw_rows {{ comparison }} coalesce(ledger.ledger_rows, 0)
