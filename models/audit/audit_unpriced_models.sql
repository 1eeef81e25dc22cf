-- steps where there are any; sessions speak only for agents that send no steps
with unlisted as (

    select
        coalesce(model_name, '(not set)') as model_name,
        canonical_model,
        cast('step' as {{ type_text() }}) as grain,
        total_tokens,
        cost_usd,
        ended_at
    from {{ ref('fct_agent_steps') }}
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
        ended_at
    from {{ ref('fct_agent_sessions') }}
    where
        total_tokens > 0
        and list_cost_usd is null

)

select
    {{ text_hash(text_hash('model_name') ~ " || '|' || grain") }} as unpriced_model_key,
    model_name,
    canonical_model,
    grain,
    case
        when model_name = '(not set)' then 'no model name was sent'
        when canonical_model is null then 'no alias matches the name'
        else 'no price is valid at the time of the event, or a token class has none'
    end as missing_price_reason,
    count(*) as row_count,
    {{ count_where('cost_usd is null') }} as rows_without_any_cost,
    {{ bigint_sum('total_tokens') }} as total_tokens,
    min(ended_at) as first_seen_at,
    max(ended_at) as last_seen_at
from unlisted
group by
    model_name,
    canonical_model,
    grain
