with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

days as (

    select * from {{ ref('int_run_routes_daily') }}

),

-- a role is the agent's, whatever the mode
agent_catalog as (

    select
        agent_name as catalog_agent_name,
        max(role) as agent_role
    from {{ ref('agent_catalog') }}
    group by agent_name

),

summed as (

    select
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        days.workflow_name,
        days.request_category,
        days.first_specialist,
        {{ summed_counts('days') }},
        {{ bigint_sum('days.successful_run_count') }} as successful_run_count,
        {{ bigint_sum('days.judged_run_count') }} as judged_run_count,
        {{ bigint_sum('days.rerouted_run_count') }} as rerouted_run_count,
        {{ bigint_sum('days.regenerated_run_count') }} as regenerated_run_count,
        {{ bigint_sum('days.costed_run_count') }} as costed_run_count,
        {{ usd_sum('days.cost_usd') }} as cost_usd,
        {{ usd_sum('days.known_cost_usd') }} as known_cost_usd,
        {{ usd_sum('days.ended_cost_usd') }} as ended_cost_usd
    from days
    cross join analysis_window
    where {{ in_analysis_window('days.run_date') }}
    group by
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        days.workflow_name,
        days.request_category,
        days.first_specialist

)

select
    {{ rollup_key(['summed.workflow_name', 'summed.request_category', 'summed.first_specialist']) }} as routes_key,
    summed.workflow_name,
    summed.request_category,
    summed.first_specialist,
    summed.window_start_date,
    summed.window_end_date,

    -- what the figures rest on
    summed.n_all,
    summed.n_used,
    summed.n_unfinished,
    summed.n_unpriced,
    summed.n_partial,

    -- where requests go, and with what success
    summed.n_all as run_count,
    cast(
        sum(summed.n_all) over (partition by summed.workflow_name, summed.request_category) as {{ dbt.type_bigint() }}
    ) as category_run_count,
    {{ ratio('summed.n_all', 'sum(summed.n_all) over (partition by summed.workflow_name, summed.request_category)') }} as run_share,
    case
        when summed.first_specialist != '(none)' then coalesce(agent_catalog.agent_role, 'default') in ('default', 'generalist')
    end as is_generic_agent,
    summed.successful_run_count,
    summed.judged_run_count,
    {{ ratio('summed.successful_run_count', 'summed.judged_run_count') }} as success_rate,
    {{ wilson_low('summed.successful_run_count', 'summed.judged_run_count') }} as success_rate_low,
    {{ wilson_high('summed.successful_run_count', 'summed.judged_run_count') }} as success_rate_high,
    {{ is_small_sample('summed.judged_run_count') }} as is_small_sample,
    summed.rerouted_run_count,
    summed.regenerated_run_count,

    -- money
    summed.cost_usd,
    summed.known_cost_usd,
    summed.ended_cost_usd,
    summed.costed_run_count,
    {{ to_usd(ratio('summed.ended_cost_usd', 'summed.costed_run_count')) }} as cost_per_run_usd
from summed
left join agent_catalog on summed.first_specialist = agent_catalog.catalog_agent_name
