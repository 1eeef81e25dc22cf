{{ config(daily_rollup('run_date')) }}

-- every run counts once for its workflow and once for the system
with levels as (

    select 'workflow' as level_name
    union all
    select 'system' as level_name

),

runs as (

    select
        runs_of_day.run_key,
        runs_of_day.run_date,
        levels.level_name,
        case when levels.level_name = 'workflow' then coalesce(runs_of_day.workflow_name, '(not set)') else '' end as workflow_label
    from {{ ref('fct_agent_runs') }} as runs_of_day
    cross join levels
    where {{ of_affected_days('run_date') }}

),

-- read once more, so that the columns of every run need not be kept for the joins below
measured_runs as (

    select
        runs_of_day.run_date,
        levels.level_name,
        case when levels.level_name = 'workflow' then coalesce(runs_of_day.workflow_name, '(not set)') else '' end as workflow_label,
        runs_of_day.run_status,
        runs_of_day.is_final,
        runs_of_day.is_successful,
        runs_of_day.price_status,
        runs_of_day.cost_usd,
        runs_of_day.known_cost_usd,
        runs_of_day.total_tokens,
        runs_of_day.failure_category,
        {{ plausible_duration('runs_of_day.duration_ms') }} as plausible_duration_ms,
        runs_of_day.gap_ms,
        runs_of_day.slo_ms,
        runs_of_day.is_slo_breached,
        runs_of_day.is_never_finished,
        runs_of_day.step_count
    from {{ ref('fct_agent_runs') }} as runs_of_day
    cross join levels
    where {{ of_affected_days('run_date') }}

),

measured as (

    select
        run_date,
        level_name,
        workflow_label,
        {{ disclosed_counts('is_successful is not null', 'not is_final') }},
        {{ count_where('is_successful') }} as successful_run_count,
        {{ count_where("run_status in ('error', 'timeout')") }} as failed_run_count,
        {{ count_where("run_status = 'cancelled'") }} as cancelled_run_count,
        cast({{ percentile('case when is_final then plausible_duration_ms end', 0.5) }} as {{ type_double() }}) as p50_duration_ms,
        cast({{ percentile('case when is_final then plausible_duration_ms end', 0.95) }} as {{ type_double() }}) as p95_duration_ms,
        {{ count_where('slo_ms is not null') }} as n_with_slo,
        {{ count_where('is_slo_breached') }} as slo_breach_count,
        {{ count_where('is_never_finished') }} as never_finished_count,
        {{ bigint_sum('gap_ms') }} as gap_ms,
        {{ bigint_sum('case when gap_ms is not null then plausible_duration_ms end') }} as gap_base_ms,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ usd_sum('case when is_final then cost_usd end') }} as ended_cost_usd,
        {{ count_where('is_final and cost_usd is not null') }} as costed_run_count,
        {{ count_where('is_final and cost_usd is not null and is_successful') }} as costed_successful_run_count,
        {{ count_where("run_status in ('error', 'timeout') and failure_category = 'unclassified'") }} as unclassified_run_count,
        {{ count_where('total_tokens is not null') }} as counted_run_count,
        {{ bigint_sum('total_tokens') }} as total_tokens,
        {{ bigint_sum('step_count') }} as step_count
    from measured_runs
    group by
        run_date,
        level_name,
        workflow_label

),

-- few steps are attempts before or after another one; every operation has one last attempt
repeated_steps as (

    select
        run_key,
        is_retry,
        is_retried
    from {{ ref('fct_agent_steps') }}
    where
        is_retry
        or is_retried

),

operations as (

    select
        runs.run_date,
        runs.level_name,
        runs.workflow_label,
        {{ count_where('repeated_steps.is_retried') }} as repeated_step_count,
        {{ count_where('repeated_steps.is_retry and not repeated_steps.is_retried') }} as retried_operation_count
    from repeated_steps
    inner join runs on repeated_steps.run_key = runs.run_key
    group by
        runs.run_date,
        runs.level_name,
        runs.workflow_label

),

sessions as (

    select
        run_key,
        coalesce(agent_name, '(not set)') as agent_label,
        known_cost_usd,
        case
            when session_status not in ('in_progress', 'abandoned') then {{ plausible_duration('duration_ms') }}
        end as measured_duration_ms
    from {{ ref('fct_agent_sessions') }}

),

agents as (

    select
        runs.run_date,
        runs.level_name,
        runs.workflow_label,
        sessions.agent_label,
        {{ ratio('sum(sessions.measured_duration_ms)', 'count(sessions.measured_duration_ms)') }} as mean_duration_ms,
        cast({{ usd_sum('sessions.known_cost_usd') }} as {{ type_double() }}) as known_cost_usd
    from sessions
    inner join runs on sessions.run_key = runs.run_key
    group by
        runs.run_date,
        runs.level_name,
        runs.workflow_label,
        sessions.agent_label

),

failed_runs as (

    select
        run_key,
        first_failing_agent,
        first_failing_step_type,
        failure_mode
    from {{ ref('fct_agent_runs') }}
    where
        run_status in ('error', 'timeout')
        and {{ of_affected_days('run_date') }}

),

failures as (

    select
        runs.run_date,
        runs.level_name,
        runs.workflow_label,
        failed_runs.first_failing_agent,
        failed_runs.first_failing_step_type,
        failed_runs.failure_mode
    from failed_runs
    inner join runs on failed_runs.run_key = runs.run_key

),

candidates as (

    select
        run_date,
        level_name,
        workflow_label,
        'slowest_agent' as title,
        agent_label as candidate,
        mean_duration_ms as amount
    from agents

    union all

    select
        run_date,
        level_name,
        workflow_label,
        'costliest_agent' as title,
        agent_label as candidate,
        known_cost_usd as amount
    from agents

    {% for title, column in [
        ('most_failing_agent', 'first_failing_agent'),
        ('most_failing_step_type', 'first_failing_step_type'),
        ('top_failure_mode', 'failure_mode')
    ] -%}
    union all

    select
        run_date,
        level_name,
        workflow_label,
        '{{ title }}' as title,
        {{ column }} as candidate,
        cast(count(*) as {{ type_double() }}) as amount
    from failures
    group by
        run_date,
        level_name,
        workflow_label,
        {{ column }}

    {% endfor -%}

),

ranked as (

    select
        *,
        row_number() over (
            partition by run_date, level_name, workflow_label, title order by amount desc, candidate asc
        ) as position_in_title
    from candidates
    where
        candidate is not null
        and amount > 0

),

holders as (

    select
        run_date,
        level_name,
        workflow_label,
        max(case when title = 'slowest_agent' then candidate end) as slowest_agent,
        max(case when title = 'costliest_agent' then candidate end) as costliest_agent,
        max(case when title = 'most_failing_agent' then candidate end) as most_failing_agent,
        max(case when title = 'most_failing_step_type' then candidate end) as most_failing_step_type,
        max(case when title = 'top_failure_mode' then candidate end) as top_failure_mode
    from ranked
    where position_in_title = 1
    group by
        run_date,
        level_name,
        workflow_label

)

select
    {{ rollup_key(['measured.run_date', 'measured.level_name', 'measured.workflow_label']) }} as workflow_health_key,
    measured.run_date as run_date,
    measured.level_name as level,
    nullif(measured.workflow_label, '') as workflow_name,

    -- what the figures rest on
    measured.n_all,
    measured.n_used,
    measured.n_unfinished,
    measured.n_unpriced,
    measured.n_partial,

    -- outcomes
    measured.n_all as run_count,
    measured.successful_run_count,
    {{ ratio('measured.successful_run_count', 'measured.n_used') }} as success_rate,
    measured.failed_run_count,
    {{ ratio('measured.failed_run_count', 'measured.n_used') }} as failure_rate,
    measured.cancelled_run_count,
    measured.unclassified_run_count,

    -- time
    measured.p50_duration_ms,
    measured.p95_duration_ms,
    measured.n_with_slo,
    measured.slo_breach_count,
    measured.never_finished_count,
    measured.gap_ms,
    measured.gap_base_ms,
    {{ ratio('measured.gap_ms', 'measured.gap_base_ms') }} as gap_share,

    -- money
    measured.cost_usd as cost_usd,
    measured.known_cost_usd as known_cost_usd,
    measured.ended_cost_usd as ended_cost_usd,
    measured.costed_run_count,
    measured.costed_successful_run_count,
    measured.counted_run_count,
    measured.total_tokens,
    {{ to_usd(ratio('measured.ended_cost_usd', 'measured.costed_successful_run_count')) }} as cost_per_successful_run_usd,

    -- attempts
    measured.step_count - coalesce(operations.repeated_step_count, 0) as operation_count,
    coalesce(operations.retried_operation_count, 0) as retried_operation_count,
    {{ ratio(
        'coalesce(operations.retried_operation_count, 0)',
        '(measured.step_count - coalesce(operations.repeated_step_count, 0))'
    ) }} as retry_rate,

    -- where to look first
    holders.slowest_agent,
    holders.costliest_agent,
    holders.most_failing_agent,
    holders.most_failing_step_type,
    holders.top_failure_mode
from measured
left join operations
    on
        measured.run_date = operations.run_date
        and measured.level_name = operations.level_name
        and measured.workflow_label = operations.workflow_label
left join holders
    on
        measured.run_date = holders.run_date
        and measured.level_name = holders.level_name
        and measured.workflow_label = holders.workflow_label
