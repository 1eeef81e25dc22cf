{#- Decided once, before anything is read. A table of which rows came without a newer load time, for
    example a schema copied from elsewhere, is read whole: its older rows are more than are stored. -#}
{%- do refuse_changed_settings() -%}
{%- set last_build = stored('audit_build_log', 'audit') if is_incremental_build() else none -%}
{%- set read_from = {} -%}
{%- if last_build is not none -%}
    {%- for row in run_query(
        'select source_table, ' ~ add_minutes('watermark_at', -1440 * (var('lookback_days') | int)) ~ ' from ' ~ last_build
        ~ ' where build_number = (select max(build_number) from ' ~ last_build ~ ') and watermark_at is not null'
    ).rows -%}
        {%- do read_from.update({row[0]: utc_timestamp_literal(row[1])}) -%}
    {%- endfor -%}
{%- endif -%}

with source_tables as (

    {% for source_table, table in event_tables().items() -%}
    {%- set staged = ref('stg_rudderstack__' ~ table.name) -%}
    {%- set kept = stored('int_' ~ table.name ~ '_identified') if source_table in read_from else none %}
    select
        '{{ source_table }}' as source_table,
        {% if kept is none -%}
        cast(null as {{ type_utc_timestamp() }}) as read_from_at,
        cast(0 as {{ dbt.type_bigint() }}) as staged_before_count,
        cast(0 as {{ dbt.type_bigint() }}) as stored_before_count
        {%- else -%}
        {{ read_from[source_table] }} as read_from_at,
        (select count(*) from {{ staged }})
        - (select count(*) from {{ staged }} where loaded_at >= {{ read_from[source_table] }} or loaded_at is null)
        as staged_before_count,
        (select count(*) from {{ kept }})
        - (select count(*) from {{ kept }} where loaded_at >= {{ read_from[source_table] }} or loaded_at is null)
        as stored_before_count
        {%- endif %}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select
    source_table,
    {{ '1' if stored('audit_build_log', 'audit') is none else '1 + ' ~ last_build_number() }} as build_number,
    {{ 'true' if last_build is none else 'false' }} as is_full_build,
    case when staged_before_count <= stored_before_count then read_from_at end as read_from_at
from source_tables
