-- where the cost of a run is not known there is a floor of it at most, so only days and workflows without such runs are compared
with runs as (

    select
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_name,
        {{ usd_sum('full_cost_usd') }} as full_cost_usd,
        sum(case when full_cost_usd is null and price_status != 'no_usage' then 1 else 0 end) as unknown_run_count
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by
        run_date,
        coalesce(workflow_name, '(not set)')

),

tree as (

    select
        run_date,
        workflow_name,
        {{ usd_sum('cost_usd') }} as cost_usd
    from {{ ref('mart_cost_tree') }}
    where
        {{ of_tested_days('run_date', ['fct_agent_runs']) }}
        -- tools and machines of a run whose models cost an unknown amount are no part of a full cost
        and cost_component not in ('tool', 'infrastructure')
    group by
        run_date,
        workflow_name

),

others as (

    select
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_name,
        {{ usd_sum('coalesce(tool_cost_usd, 0) + coalesce(infrastructure_cost_usd, 0)') }} as other_cost_usd
    from {{ ref('fct_agent_runs') }}
    where
        {{ of_tested_days('run_date', ['fct_agent_runs']) }}
        and full_cost_usd is not null
    group by
        run_date,
        coalesce(workflow_name, '(not set)')

)

select
    runs.run_date as run_date,
    runs.workflow_name as workflow_name,
    runs.full_cost_usd,
    tree.cost_usd,
    others.other_cost_usd
from runs
left join tree
    on
        runs.run_date = tree.run_date
        and runs.workflow_name = tree.workflow_name
left join others
    on
        runs.run_date = others.run_date
        and runs.workflow_name = others.workflow_name
where
    runs.unknown_run_count = 0
    and coalesce(tree.cost_usd, 0) + coalesce(others.other_cost_usd, 0) != coalesce(runs.full_cost_usd, 0)
