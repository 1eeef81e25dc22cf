{{ config(daily_rollup('run_date')) }}

with runs as (

    select * from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

)

select
    run_date,
    count(*) as run_count,
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('reported_cost_usd') }} as reported_cost_usd,
    {{ usd_sum('list_cost_usd') }} as list_cost_usd,
    {{ usd_sum('sessions_cost_usd') }} as sessions_cost_usd,
    {{ usd_sum('steps_cost_usd') }} as steps_cost_usd,
    {{ usd_sum('unexplained_cost_usd') }} as unexplained_cost_usd,
    {{ count_where('unexplained_cost_usd < 0') }} as runs_below_their_sessions,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd,
    {{ count_where("price_status = 'unpriced'") }} as unpriced_run_count,
    {{ count_where("price_status = 'partial'") }} as partial_run_count
from runs
group by run_date
