-- Runs with a cycle of parents have no root to add up at.
with totals as (

    select
        run_key,
        coalesce(sum(cost_usd), 0) as own_cost_usd,
        coalesce(sum(case when depth = 0 then inclusive_cost_usd end), 0) as inclusive_cost_usd,
        {{ count_where('has_parent_cycle') }} as cycle_count
    from {{ ref('fct_agent_sessions') }}
    where {{ of_tested_runs('ended_at') }}
    group by run_key

)

select *
from totals
where
    cycle_count = 0
    and own_cost_usd != inclusive_cost_usd
