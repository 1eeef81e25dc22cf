{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        *,
        coalesce(workflow_name, '(not set)') as workflow_label,
        is_final and topology is not null as is_used,
        is_final and topology is not null and orchestrator_cost_usd is not null and worker_cost_usd is not null as is_split
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

)

select
    {{ rollup_key(['run_date', 'workflow_label']) }} as orchestration_key,
    run_date,
    workflow_label as workflow_name,

    -- what the figures rest on
    {{ disclosed_counts('is_used', 'not is_final') }},
    count(*) as run_count,

    -- how agents worked together
    {{ count_where('is_used and is_multi_agent') }} as multi_agent_run_count,
    {% for topology in ['single', 'linear', 'fan_out', 'nested', 'loop'] -%}
    {{ count_where("is_used and topology = '" ~ topology ~ "'") }} as {{ topology }}_run_count,
    {% endfor -%}
    {{ bigint_sum('case when is_used then agent_session_count else 0 end') }} as agent_session_count,
    {{ bigint_sum('case when is_used then handoff_count else 0 end') }} as handoff_count,

    -- time
    {{ bigint_sum('case when is_used then busy_ms end') }} as busy_ms,
    {{ bigint_sum('case when is_used then covered_ms end') }} as covered_ms,
    {{ ratio('sum(case when is_used then busy_ms end)', 'sum(case when is_used then covered_ms end)') }} as mean_parallelism,
    {{ bigint_sum('case when is_used then gap_ms end') }} as gap_ms,
    {{ bigint_sum('case when is_used then critical_path_ms end') }} as critical_path_ms,
    {{ bigint_sum('case when is_used then sequential_sibling_ms end') }} as sequential_sibling_ms,
    {{ bigint_sum('case when is_used then synthesis_ms end') }} as synthesis_ms,
    {{ count_where('is_used and synthesis_ms is not null') }} as n_with_synthesis,

    -- money
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd,
    {{ count_where('is_split') }} as n_with_split_cost,
    {{ usd_sum('case when is_split then orchestrator_cost_usd end') }} as orchestrator_cost_usd,
    {{ usd_sum('case when is_split then worker_cost_usd end') }} as worker_cost_usd,
    {{ ratio(
        'sum(case when is_split then orchestrator_cost_usd end)',
        'sum(case when is_split then orchestrator_cost_usd + worker_cost_usd end)'
    ) }} as orchestrator_cost_share
from runs
group by
    run_date,
    workflow_label
