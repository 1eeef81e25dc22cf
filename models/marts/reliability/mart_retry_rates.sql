with operations as (

    select * from {{ ref('int_operations_daily') }}

)

select
    operations_daily_key as retry_rates_key,
    step_date,
    agent_name,
    step_type,
    tool_name,
    canonical_model,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- operations and their attempts
    operation_count,
    n_all as attempt_count,
    retried_operation_count,
    {{ ratio('retried_operation_count', 'operation_count') }} as retry_rate,
    recovered_operation_count,
    exhausted_operation_count,
    fallback_count,

    -- what the attempts after the first took
    retry_count,
    retry_cost_usd,
    known_retry_cost_usd,
    retry_ms
from operations
