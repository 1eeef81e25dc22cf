{#- Beside the newest day nobody knows whether something has gone: as many days as a change may lie from what it is to explain. -#}
{%- set days_of_coincidence = 2 -%}

with models as (

    select * from {{ ref('dim_models') }}

),

tools as (

    select * from {{ ref('dim_tools') }}

),

agents as (

    select * from {{ ref('dim_agents') }}

),

versions as (

    select * from {{ ref('mart_agent_versions') }}

),

newest_day as (

    select max(run_date) as newest_date
    from {{ ref('int_run_volume_daily') }}

),

seen as (

    select
        'model' as seen_kind,
        canonical_model as seen_name,
        first_seen_at,
        last_seen_at
    from models

    union all

    select
        'tool' as seen_kind,
        tool_name as seen_name,
        first_seen_at,
        last_seen_at
    from tools

    union all

    select
        'agent' as seen_kind,
        agent_name as seen_name,
        first_seen_at,
        last_seen_at
    from agents

    union all

    select
        'version' as seen_kind,
        agent_name || ' ' || agent_version as seen_name,
        first_seen_at,
        last_seen_at
    from versions

),

with_days as (

    select
        seen_kind,
        seen_name,
        {{ reporting_date('first_seen_at') }} as first_seen_date,
        {{ reporting_date('last_seen_at') }} as last_seen_date
    from seen
    -- the catalogue knows agents that never ran
    where first_seen_at is not null

),

sightings as (

    select
        seen_kind,
        seen_name,
        'first seen' as sighting,
        first_seen_date as sighting_date
    from with_days

    union all

    select
        with_days.seen_kind,
        with_days.seen_name,
        'last seen' as sighting,
        with_days.last_seen_date as sighting_date
    from with_days
    cross join newest_day
    where with_days.last_seen_date < cast({{ dbt.dateadd('day', -days_of_coincidence, 'newest_day.newest_date') }} as date)

)

select
    {{ rollup_key(['seen_kind', 'seen_name', 'sighting']) }} as first_and_last_sightings_key,
    seen_kind,
    seen_name,
    sighting,
    sighting_date
from sightings
