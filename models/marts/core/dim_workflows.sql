with runs_daily as (

    select * from {{ ref('int_runs_daily') }}

),

workflows as (

    select
        workflow_name,
        min(first_started_at) as first_seen_at,
        max(last_started_at) as last_seen_at,
        {{ bigint_sum('n_all') }} as run_count
    from runs_daily
    group by workflow_name

),

-- a workflow with an entry per mode works in both, and the stricter objectives are those it is known by
listed as (

    select
        workflow_name as listed_workflow,
        case when count(*) = 1 then min(execution_mode) else '*' end as execution_mode,
        cast(min(latency_slo_ms) as {{ dbt.type_bigint() }}) as latency_slo_ms,
        cast(max(success_slo) as {{ type_double() }}) as success_slo
    from {{ ref('workflow_catalog') }}
    where workflow_name != '*'
    group by workflow_name

)

select
    workflows.workflow_name,
    listed.execution_mode,
    listed.latency_slo_ms,
    listed.success_slo,
    workflows.first_seen_at,
    workflows.last_seen_at,
    workflows.run_count
from workflows
left join listed on workflows.workflow_name = listed.listed_workflow
