-- A cycle of parents has no root to add up at.
with sessions as (

    select * from {{ ref('fct_agent_sessions') }}
    where {{ of_tested_runs('ended_at') }}

),

roots as (

    select
        agent_session_key,
        inclusive_cost_usd,
        has_parent_cycle
    from {{ ref('fct_agent_sessions') }}

),

totals as (

    select
        root_agent_session_key,
        coalesce(sum(cost_usd), 0) as cost_usd
    from sessions
    group by root_agent_session_key

)

select totals.*
from totals
left join roots on totals.root_agent_session_key = roots.agent_session_key
where
    roots.agent_session_key is null
    or (not roots.has_parent_cycle and totals.cost_usd != coalesce(roots.inclusive_cost_usd, 0))
