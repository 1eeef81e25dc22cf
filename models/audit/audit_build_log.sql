{#- Nothing is built from this log; it survives a full refresh. -#}
{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    meta={'history': 'by_event'}
) }}
{%- set build = table_builds(['int_events']).get('int_events') if execute else none %}

with events as (

    select * from {{ ref('int_events') }}
    where build_number > {{ applied_events_build_number() }}

),

affected_runs as (

    select count(*) as affected_run_count
    from {{ ref('int_runs_affected') }}

)

select
    events.build_number as build_number,
    events.source_table as source_table,
    {{ 'false' if build and not build.is_whole else 'true' }} as is_full_build,
    count(*) as written_row_count,
    min(events.loaded_at) as earliest_loaded_at,
    max(events.loaded_at) as newest_loaded_at,
    max(affected_runs.affected_run_count) as affected_run_count,
    {{ utc_timestamp_literal(run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f")) }} as started_at,
    {{ current_utc_timestamp() }} as finished_at
from events
cross join affected_runs
group by
    events.build_number,
    events.source_table
