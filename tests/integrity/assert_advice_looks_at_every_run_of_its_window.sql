-- Tables over the analysis window leave out no run of it and count none from outside.
with runs as (

    select
        fct_agent_runs.run_status as run_status,
        int_analysis_window.window_end_date as window_end_date
    from {{ ref('fct_agent_runs') }} as fct_agent_runs
    cross join {{ ref('int_analysis_window') }} as int_analysis_window
    where
        fct_agent_runs.run_date >= int_analysis_window.window_start_date
        and fct_agent_runs.run_date <= int_analysis_window.window_end_date

),

counts as (

    select
        'runs of mart_input_patterns' as counted,
        (select coalesce(sum(run_count), 0) from {{ ref('mart_input_patterns') }}) as found,
        (select count(*) from runs) as expected

    union all

    select
        'failed runs of mart_breakpoints' as counted,
        (select coalesce(sum(failed_run_count), 0) from {{ ref('mart_breakpoints') }}) as found,
        (select count(case when run_status in ('error', 'timeout') then 1 end) from runs) as expected

)

select * from counts
where found != expected
