{{ config(daily_rollup('usage_date')) }}

with steps as (

    select * from {{ ref('fct_agent_steps') }}
    where {{ of_affected_days('step_date') }}

),

sessions as (

    select * from {{ ref('fct_agent_sessions') }}
    where {{ of_affected_days('session_date') }}

),

-- steps where there are any; sessions speak only for agents that send no steps
unlisted as (

    select
        coalesce(model_name, '(not set)') as model_name,
        canonical_model,
        cast('step' as {{ type_text() }}) as grain,
        total_tokens,
        cost_usd,
        ended_at,
        step_date as usage_date
    from steps
    where
        total_tokens > 0
        and list_cost_usd is null

    union all

    select
        coalesce(model_name, '(not set)') as model_name,
        canonical_model,
        'session' as grain,
        total_tokens,
        cost_usd,
        ended_at,
        session_date as usage_date
    from sessions
    where
        total_tokens > 0
        and list_cost_usd is null

)

select
    usage_date,
    model_name,
    canonical_model,
    grain,
    count(*) as row_count,
    {{ count_where('cost_usd is null') }} as rows_without_any_cost,
    {{ bigint_sum('total_tokens') }} as total_tokens,
    min(ended_at) as first_seen_at,
    max(ended_at) as last_seen_at
from unlisted
group by
    usage_date,
    model_name,
    canonical_model,
    grain
