-- Models, tools and infrastructure make the full cost; what tools and infrastructure cost in a run is the sum of its steps and sessions.
with runs as (

    select * from {{ ref('fct_agent_runs') }}
    where {{ of_tested_runs('last_event_at') }}

),

sessions as (

    select
        run_key,
        {{ usd_sum('infrastructure_cost_usd') }} as infrastructure_cost_usd,
        {{ count_where(
            'case when cost_usd is null then full_cost_usd is not null'
            ~ ' else full_cost_usd != cost_usd + coalesce(tool_cost_usd, 0) + coalesce(infrastructure_cost_usd, 0) end'
        ) }} as wrong_session_count
    from {{ ref('fct_agent_sessions') }}
    where {{ of_tested_runs('ended_at') }}
    group by run_key

),

steps as (

    select
        run_key,
        {{ usd_sum('tool_cost_usd') }} as tool_cost_usd
    from {{ ref('fct_agent_steps') }}
    where {{ of_tested_runs('ended_at') }}
    group by run_key

)

select runs.run_key
from runs
left join sessions on runs.run_key = sessions.run_key
left join steps on runs.run_key = steps.run_key
where
    sessions.wrong_session_count > 0
    or {{ differs('runs.infrastructure_cost_usd', 'sessions.infrastructure_cost_usd') }}
    or {{ differs('runs.tool_cost_usd', 'steps.tool_cost_usd') }}
    or {{ differs(
        'runs.full_cost_usd', 'runs.cost_usd + coalesce(steps.tool_cost_usd, 0) + coalesce(sessions.infrastructure_cost_usd, 0)'
    ) }}
