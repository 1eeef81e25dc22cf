-- Both tables have every run of the window once.
with runs as (

    select count(*) as run_count
    from {{ ref('fct_agent_runs') }} as facts
    cross join {{ ref('int_analysis_window') }} as analysis_window
    where
        facts.run_date >= analysis_window.window_start_date
        and facts.run_date <= analysis_window.window_end_date

),

paths as (

    select coalesce(sum(run_count), 0) as run_count from {{ ref('mart_paths') }}

),

routes as (

    select coalesce(sum(run_count), 0) as run_count from {{ ref('mart_routes') }}

)

select
    runs.run_count as fact_count,
    paths.run_count as path_count,
    routes.run_count as route_count
from runs
cross join paths
cross join routes
where
    runs.run_count != paths.run_count
    or runs.run_count != routes.run_count
