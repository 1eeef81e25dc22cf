with unlisted as (

    select * from {{ ref('int_unpriced_usage_daily') }}

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
    {{ bigint_sum('row_count') }} as row_count,
    {{ bigint_sum('rows_without_any_cost') }} as rows_without_any_cost,
    {{ bigint_sum('total_tokens') }} as total_tokens,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
from unlisted
group by
    model_name,
    canonical_model,
    grain
