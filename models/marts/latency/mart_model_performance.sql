{{ config(daily_rollup('step_date')) }}

with calls as (

    select
        step_date,
        coalesce(canonical_model, model_name, '(not set)') as model_label,
        coalesce(agent_name, '(not set)') as agent_label,
        step_status,
        is_successful,
        is_failed,
        failure_mode,
        price_status,
        cost_usd,
        known_cost_usd,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        total_tokens,
        reasoning_tokens,
        time_to_first_token_ms,
        {{ plausible_duration('duration_ms') }} as plausible_duration_ms
    from {{ ref('fct_agent_steps') }}
    where
        (step_type = 'llm_call' or total_tokens is not null)
        and {{ of_affected_days('step_date') }}

)

select
    {{ rollup_key(['step_date', 'model_label', 'agent_label']) }} as model_performance_key,
    step_date,
    model_label as canonical_model,
    agent_label as agent_name,

    -- what the figures rest on
    {{ disclosed_counts('is_successful is not null', "step_status = 'in_progress'") }},

    -- outcomes
    count(*) as call_count,
    {{ count_where('is_failed') }} as failed_call_count,
    {{ ratio(count_where('is_failed'), count_where('is_successful is not null')) }} as failure_rate,
    {{ count_where("failure_mode = 'output_truncated'") }} as truncated_count,

    -- distribution
    count(plausible_duration_ms) as timed_call_count,
    {{ duration_distribution('plausible_duration_ms') }},

    -- speed, of calls whose tokens and time are both known
    {{ bigint_sum('case when plausible_duration_ms > 0 then output_tokens end') }} as timed_output_tokens,
    {{ bigint_sum('case when output_tokens is not null and plausible_duration_ms > 0 then plausible_duration_ms end') }} as generation_ms,
    {{ ratio(
        '1000 * sum(case when plausible_duration_ms > 0 then output_tokens end)',
        'sum(case when output_tokens is not null and plausible_duration_ms > 0 then plausible_duration_ms end)'
    ) }} as output_tokens_per_second,

    -- how long readers wait for the first word
    count(time_to_first_token_ms) as first_token_count,
    cast({{ percentile('time_to_first_token_ms', 0.5) }} as {{ type_double() }}) as p50_time_to_first_token_ms,
    cast({{ percentile('time_to_first_token_ms', 0.95) }} as {{ type_double() }}) as p95_time_to_first_token_ms,

    -- usage and money
    {{ bigint_sum('input_tokens') }} as input_tokens,
    {{ bigint_sum('output_tokens') }} as output_tokens,
    {{ bigint_sum('cache_read_tokens') }} as cache_read_tokens,
    {{ bigint_sum('cache_write_tokens') }} as cache_write_tokens,
    {{ bigint_sum('total_tokens') }} as total_tokens,
    {{ bigint_sum('reasoning_tokens') }} as reasoning_tokens,
    {{ ratio(
        'sum(cache_read_tokens)',
        '(coalesce(sum(input_tokens), 0) + coalesce(sum(cache_read_tokens), 0) + coalesce(sum(cache_write_tokens), 0))'
    ) }} as cache_hit_share,
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd
from calls
group by
    step_date,
    model_label,
    agent_label
