{{ config(daily_rollup('run_date')) }}

with runs as (

    select * from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

),

costed as (

    select
        *,
        coalesce(workflow_name, '(not set)') as workflow_label,
        is_final and cost_usd is not null as is_used
    from runs

)

select
    {{ text_hash(
        'cast(run_date as ' ~ type_text() ~ ") || '|' || " ~ text_hash('workflow_label') ~ " || '|' || trigger_type"
    ) }} as cost_per_interaction_key,
    run_date,
    workflow_label as workflow_name,
    trigger_type,

    -- what the figures rest on
    {{ disclosed_counts('is_used', 'not is_final') }},

    -- runs
    count(*) as run_count,
    {{ count_where('is_successful') }} as successful_run_count,
    {{ count_where("run_status in ('error', 'timeout')") }} as failed_run_count,
    {{ count_where("run_status = 'cancelled'") }} as cancelled_run_count,

    -- money
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd,
    {{ usd_sum('case when is_used then cost_usd end') }} as ended_cost_usd,
    {{ usd_sum('case when not is_final then cost_usd end') }} as pending_cost_usd,
    {{ to_usd(ratio('sum(case when is_used then cost_usd end)', count_where('is_used'))) }} as cost_per_run_usd,
    {{ to_usd(
        ratio('sum(case when is_used then cost_usd end)', count_where('is_used and is_successful'))
    ) }} as cost_per_successful_run_usd,
    {{ to_usd(percentile('case when is_used then cost_usd end', 0.5)) }} as p50_cost_usd,
    {{ to_usd(percentile('case when is_used then cost_usd end', 0.9)) }} as p90_cost_usd,
    {{ to_usd(percentile('case when is_used then cost_usd end', 0.95)) }} as p95_cost_usd,
    {{ to_usd(percentile('case when is_used then cost_usd end', 0.99)) }} as p99_cost_usd,
    cast(max(case when is_used then cost_usd end) as {{ type_usd() }}) as max_cost_usd,
    {{ usd_sum('wasted_cost_usd') }} as wasted_cost_usd,
    {{ usd_sum('list_cost_usd') }} as list_cost_usd,
    {{ usd_sum('reported_cost_usd') }} as reported_cost_usd,

    -- usage
    {{ bigint_sum('input_tokens') }} as input_tokens,
    {{ bigint_sum('output_tokens') }} as output_tokens,
    {{ bigint_sum('cache_read_tokens') }} as cache_read_tokens,
    {{ bigint_sum('cache_write_tokens') }} as cache_write_tokens,
    {{ bigint_sum('total_tokens') }} as total_tokens,
    {{ bigint_sum("case when price_status = 'unpriced' then total_tokens end") }} as unpriced_tokens
from costed
group by
    run_date,
    workflow_label,
    trigger_type
