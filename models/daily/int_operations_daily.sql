{{ config(daily_rollup('step_date')) }}

with steps as (

    select
        step_date,
        coalesce(agent_name, '(not set)') as agent_label,
        coalesce(step_type, '(none)') as step_label,
        coalesce(tool_name, '(none)') as tool_label,
        coalesce(canonical_model, model_name, '(none)') as model_label,
        step_status,
        step_type = 'llm_call' or total_tokens is not null as is_model_call,
        is_successful,
        is_failed,
        is_retry,
        is_retried,
        is_fallback,
        {{ plausible_duration('duration_ms') }} as plausible_duration_ms,
        price_status,
        cost_usd,
        known_cost_usd,
        started_at,
        ended_at
    from {{ ref('fct_agent_steps') }}
    where {{ of_affected_days('step_date') }}

)

select
    {{ rollup_key(['step_date', 'agent_label', 'step_label', 'tool_label', 'model_label']) }} as operations_daily_key,
    step_date,
    agent_label as agent_name,
    step_label as step_type,
    tool_label as tool_name,
    model_label as canonical_model,
    {{ disclosed_counts('is_successful is not null', "step_status = 'in_progress'") }},
    {{ count_where('is_model_call') }} as model_call_count,

    -- an operation lies where its last attempt lies, of which it has exactly one
    {{ count_where('not is_retried') }} as operation_count,
    {{ count_where('is_retry and not is_retried') }} as retried_operation_count,
    {{ count_where('is_retry and not is_retried and not is_failed') }} as recovered_operation_count,
    {{ count_where('is_retry and not is_retried and is_failed') }} as exhausted_operation_count,
    {{ count_where('is_fallback') }} as fallback_count,

    -- what the attempts after the first took
    {{ count_where('is_retry') }} as retry_count,
    {{ usd_sum('case when is_retry then cost_usd end') }} as retry_cost_usd,
    {{ usd_sum('case when is_retry then known_cost_usd end') }} as known_retry_cost_usd,
    {{ bigint_sum('case when is_retry then plausible_duration_ms end') }} as retry_ms,

    min(coalesce(started_at, ended_at)) as first_seen_at,
    max(ended_at) as last_seen_at
from steps
group by
    step_date,
    agent_label,
    step_label,
    tool_label,
    model_label
