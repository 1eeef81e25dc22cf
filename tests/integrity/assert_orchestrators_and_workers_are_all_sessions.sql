-- Each session is either a worker or not, so where both costs are known they are the cost of the sessions.
select run_key
from {{ ref('fct_agent_runs') }}
where
    {{ of_tested_runs('last_event_at') }}
    and orchestrator_cost_usd + worker_cost_usd != coalesce(sessions_cost_usd, 0)
