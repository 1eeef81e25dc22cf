{{ config(daily_rollup('session_date')) }}

with sessions as (

    select
        *,
        coalesce(agent_name, '(not set)') as agent_label,
        coalesce(canonical_model, model_name, '(none)') as model_label,
        session_status != 'in_progress' and cost_usd is not null as is_used
    from {{ ref('fct_agent_sessions') }}
    where {{ of_affected_days('session_date') }}

),

summed as (

    select
        session_date,
        agent_label,
        model_label,
        {{ disclosed_counts('is_used', "session_status = 'in_progress'") }},
        {{ count_where('is_successful') }} as successful_session_count,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ usd_sum('full_cost_usd') }} as full_cost_usd,
        {{ to_usd(ratio('sum(case when is_used then cost_usd end)', count_where('is_used'))) }} as cost_per_session_usd,
        {{ bigint_sum('input_tokens') }} as input_tokens,
        {{ bigint_sum('output_tokens') }} as output_tokens,
        {{ bigint_sum('cache_read_tokens') }} as cache_read_tokens,
        {{ bigint_sum('cache_write_tokens') }} as cache_write_tokens,
        {{ bigint_sum('total_tokens') }} as total_tokens
    from sessions
    group by
        session_date,
        agent_label,
        model_label

),

-- whole days are replaced, so a day's sum is that of all its rows
shared as (

    select
        *,
        cast(sum(cost_usd) over (partition by session_date) as {{ type_usd() }}) as day_cost_usd
    from summed

)

select
    {{ rollup_key(['session_date', 'agent_label', 'model_label']) }} as cost_by_agent_key,
    session_date,
    agent_label as agent_name,
    model_label as canonical_model,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    -- sessions
    n_all as session_count,
    successful_session_count,

    -- money
    cost_usd,
    known_cost_usd,
    full_cost_usd,
    day_cost_usd,
    {{ ratio('cost_usd', 'day_cost_usd') }} as cost_share,
    cost_per_session_usd,

    -- usage
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    total_tokens
from shared
