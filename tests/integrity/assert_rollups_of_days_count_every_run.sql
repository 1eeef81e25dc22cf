-- Each run is counted once per rollup, and in mart_workflow_health once per level.
with expected as (

    select
        run_date,
        count(*) as run_count,
        count(case when run_status = 'success' then 1 end) as successful_run_count
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

),

rollup_rows as (

    select
        'mart_run_volume' as rollup_name,
        run_date,
        run_count,
        cast(null as {{ dbt.type_bigint() }}) as successful_run_count
    from {{ ref('mart_run_volume') }}

    union all

    select
        'mart_workflow_health: ' || level as rollup_name,
        run_date,
        run_count,
        successful_run_count
    from {{ ref('mart_workflow_health') }}

    union all

    select
        'mart_quality' as rollup_name,
        run_date,
        run_count,
        success_useful_count + success_useless_count + success_unknown_count as successful_run_count
    from {{ ref('mart_quality') }}

),

rollups as (

    select
        rollup_name,
        run_date,
        sum(run_count) as run_count,
        sum(successful_run_count) as successful_run_count
    from rollup_rows
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by
        rollup_name,
        run_date

),

names as (

    select distinct rollup_name from rollup_rows

),

wanted as (

    select
        names.rollup_name,
        expected.run_date,
        expected.run_count,
        expected.successful_run_count
    from expected
    cross join names

)

select
    wanted.rollup_name as wanted_rollup,
    rollups.rollup_name as found_rollup,
    wanted.run_date as wanted_date,
    rollups.run_date as found_date,
    wanted.run_count as wanted_count,
    rollups.run_count as found_count
from wanted
full outer join rollups
    on
        wanted.rollup_name = rollups.rollup_name
        and wanted.run_date = rollups.run_date
where
    {{ differs('wanted.run_count', 'rollups.run_count') }}
    or wanted.successful_run_count != rollups.successful_run_count
