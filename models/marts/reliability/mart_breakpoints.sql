with analysis_window as (

    select
        window_start_date,
        window_end_date,
        cast({{ dbt.dateadd('day', -6, 'window_end_date') }} as date) as week_start_date,
        cast({{ dbt.dateadd('day', -13, 'window_end_date') }} as date) as previous_week_start_date
    from {{ ref('int_analysis_window') }}

),

failed_runs as (

    select * from {{ ref('int_failed_runs_daily') }}

),

advice as (

    select * from {{ ref('failure_mode_advice') }}

),

in_window as (

    select
        failed_runs.workflow_name,
        failed_runs.agent_name,
        failed_runs.step_type,
        failed_runs.tool_name,
        failed_runs.failure_mode,
        failed_runs.person_id,
        failed_runs.n_all,
        failed_runs.n_used,
        failed_runs.n_unfinished,
        failed_runs.n_unpriced,
        failed_runs.n_partial,
        failed_runs.wasted_cost_usd,
        failed_runs.known_cost_usd,
        failed_runs.lost_ms,
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        case when failed_runs.run_date >= analysis_window.week_start_date then failed_runs.n_all else 0 end as week_count,
        case
            when
                failed_runs.run_date >= analysis_window.previous_week_start_date
                and failed_runs.run_date < analysis_window.week_start_date
                then failed_runs.n_all
            else 0
        end as previous_week_count
    from failed_runs
    cross join analysis_window
    where
        failed_runs.run_date >= analysis_window.window_start_date
        and failed_runs.run_date <= analysis_window.window_end_date

),

breakpoints as (

    select
        workflow_name,
        agent_name,
        step_type,
        tool_name,
        failure_mode,
        window_start_date,
        window_end_date,
        {{ bigint_sum('n_all') }} as n_all,
        {{ bigint_sum('n_used') }} as n_used,
        {{ bigint_sum('n_unfinished') }} as n_unfinished,
        {{ bigint_sum('n_unpriced') }} as n_unpriced,
        {{ bigint_sum('n_partial') }} as n_partial,
        count(distinct person_id) as user_count,
        {{ usd_sum('wasted_cost_usd') }} as wasted_cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_wasted_cost_usd,
        cast(sum(lost_ms) as {{ type_double() }}) / 60000 as lost_minutes,
        {{ bigint_sum('week_count') }} as week_failed_run_count,
        {{ bigint_sum('previous_week_count') }} as previous_week_failed_run_count
    from in_window
    group by
        workflow_name,
        agent_name,
        step_type,
        tool_name,
        failure_mode,
        window_start_date,
        window_end_date

)

select
    {{ rollup_key([
        'breakpoints.workflow_name', 'breakpoints.agent_name', 'breakpoints.step_type', 'breakpoints.tool_name', 'breakpoints.failure_mode'
    ]) }} as breakpoints_key,
    breakpoints.workflow_name,
    breakpoints.agent_name,
    breakpoints.step_type,
    breakpoints.tool_name,
    breakpoints.failure_mode as failure_mode,
    breakpoints.window_start_date,
    breakpoints.window_end_date,

    -- what the figures rest on
    breakpoints.n_all,
    breakpoints.n_used,
    breakpoints.n_unfinished,
    breakpoints.n_unpriced,
    breakpoints.n_partial,

    -- how much breaks here
    cast(row_number() over (
        order by
            breakpoints.n_all desc,
            breakpoints.user_count desc,
            breakpoints.known_wasted_cost_usd desc nulls last,
            breakpoints.lost_minutes desc nulls last,
            breakpoints.workflow_name asc,
            breakpoints.agent_name asc,
            breakpoints.step_type asc,
            breakpoints.tool_name asc,
            breakpoints.failure_mode asc
    ) as {{ dbt.type_bigint() }}) as impact_rank,
    breakpoints.n_all as failed_run_count,
    breakpoints.user_count,
    breakpoints.wasted_cost_usd,
    breakpoints.known_wasted_cost_usd,
    breakpoints.lost_minutes,
    breakpoints.week_failed_run_count,
    breakpoints.previous_week_failed_run_count,

    -- who can do something about it
    advice.likely_owner,
    advice.suggested_fix
from breakpoints
left join advice on breakpoints.failure_mode = advice.failure_mode
