{#- Written last: a build is finished when it stands here, and the next one starts from what it says.
    Survives a full refresh. -#}
{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns'
) }}

{%- set finished = [
    ref('int_runs_touched'), ref('fct_agent_runs'), ref('fct_agent_sessions'), ref('fct_agent_steps'), ref('fct_user_actions'),
    ref('mart_agent_latency'), ref('mart_cost_per_interaction'), ref('mart_failure_modes'),
    ref('audit_cost_reconciliation'), ref('audit_event_ledger'), ref('audit_id_integrity'),
    ref('audit_quarantined_events'), ref('audit_rudder_discards'), ref('audit_suspect_columns'),
    ref('audit_unpriced_models'), ref('int_models_applied'), ref('int_prices_applied'),
    ref('int_failure_signals_applied'), ref('int_response_texts_applied')
] %}
{%- set seeds = seed_contents([ref('agent_catalog'), ref('failure_mode_rules'), ref('feedback_scales')]) %}
{%- set is_continued = is_incremental_build() %}
{%- set started_at = utc_timestamp_literal(run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f")) %}

with source_reads as (

    select * from {{ ref('int_source_reads') }}

),

written as (

    {% for source_table, table in event_tables().items() -%}
    select
        '{{ source_table }}' as source_table,
        max(loaded_at) as newest_loaded_at,
        count(*) as written_row_count
    from {{ ref('int_' ~ table.name ~ '_identified') }}
    {% if is_continued -%}
    where build_number > {{ last_build_number() }}
    {%- endif %}

    {% if not loop.last %}union all
    {% endif %}
    {% endfor %}

),

touched_runs as (

    select count(*) as touched_run_count
    from {{ ref('int_runs_touched') if is_continued else ref('fct_agent_runs') }}

),

touched_days as (

    select count(*) as touched_day_count
    from {{ ref('int_days_touched') }}

)

select
    source_reads.build_number,
    source_reads.source_table as source_table,
    {{ 'false' if is_continued else 'true' }} as is_full_build,
    source_reads.read_from_at,
    -- a load time in the future would keep later loads from being read
    least(
        {% if is_incremental() -%}
        greatest(written.newest_loaded_at, coalesce(last_reads.watermark_at, written.newest_loaded_at)),
        {%- else -%}
        written.newest_loaded_at,
        {%- endif %}
        {{ started_at }}
    ) as watermark_at,
    written.written_row_count,
    touched_runs.touched_run_count,
    touched_days.touched_day_count,
    {{ text_literal(build_settings()) }} as build_settings,
    {{ text_literal(seeds) }} as seed_contents,
    {{ started_at }} as started_at,
    {{ dbt.current_timestamp() }} as finished_at
from source_reads
inner join written on source_reads.source_table = written.source_table
cross join touched_runs
cross join touched_days
{% if is_incremental() -%}
left join {{ this }} as last_reads
    on
        source_reads.source_table = last_reads.source_table
        and last_reads.build_number = (select max(build_number) from {{ this }})
{%- endif %}
