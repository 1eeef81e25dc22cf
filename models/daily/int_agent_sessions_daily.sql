{{ config(daily_rollup('session_date')) }}

with sessions as (

    select
        run_key,
        session_date,
        coalesce(agent_name, '(not set)') as agent_name,
        coalesce(canonical_model, model_name, '(none)') as canonical_model,
        session_status,
        is_successful,
        price_status,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        total_tokens,
        cost_usd,
        known_cost_usd,
        started_at,
        ended_at
    from {{ ref('fct_agent_sessions') }}
    where {{ of_affected_days('session_date') }}

),

runs as (

    select
        run_key,
        workflow_name
    from {{ ref('fct_agent_runs') }}

),

placed as (

    select
        sessions.session_date,
        coalesce(runs.workflow_name, '(not set)') as workflow_name,
        sessions.agent_name,
        sessions.canonical_model,
        sessions.session_status,
        sessions.is_successful,
        sessions.price_status,
        sessions.cost_usd is not null as is_priced,
        sessions.input_tokens,
        sessions.output_tokens,
        sessions.cache_read_tokens,
        sessions.cache_write_tokens,
        sessions.total_tokens,
        sessions.cost_usd,
        sessions.known_cost_usd,
        sessions.started_at,
        sessions.ended_at
    from sessions
    inner join runs on sessions.run_key = runs.run_key

)

select
    session_date,
    workflow_name,
    agent_name,
    canonical_model,
    {{ disclosed_counts('is_priced', "session_status = 'in_progress'") }},
    {{ count_where('is_successful is not null') }} as finished_session_count,
    {{ count_where('is_successful') }} as successful_session_count,
    {{ count_where('is_priced and total_tokens is not null') }} as counted_session_count,
    {{ usd_sum('cost_usd') }} as cost_usd,
    {{ usd_sum('known_cost_usd') }} as known_cost_usd,
    {{ bigint_sum('case when is_priced then input_tokens end') }} as input_tokens,
    {{ bigint_sum('case when is_priced then output_tokens end') }} as output_tokens,
    {{ bigint_sum('case when is_priced then cache_read_tokens end') }} as cache_read_tokens,
    {{ bigint_sum('case when is_priced then cache_write_tokens end') }} as cache_write_tokens,
    {{ bigint_sum('case when is_priced then total_tokens end') }} as total_tokens,
    min(coalesce(started_at, ended_at)) as first_seen_at,
    max(coalesce(ended_at, started_at)) as last_seen_at
from placed
group by
    session_date,
    workflow_name,
    agent_name,
    canonical_model
