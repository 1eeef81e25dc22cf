with operations as (

    select
        canonical_model as used_model,
        model_call_count,
        first_seen_at,
        last_seen_at
    from {{ ref('int_operations_daily') }}
    where canonical_model != '(none)'

),

sessions as (

    select
        canonical_model as used_model,
        n_all as session_count,
        first_seen_at,
        last_seen_at
    from {{ ref('int_agent_sessions_daily') }}
    where canonical_model != '(none)'

),

uses as (

    select
        used_model,
        model_call_count,
        cast(0 as {{ dbt.type_bigint() }}) as session_count,
        first_seen_at,
        last_seen_at
    from operations

    union all

    -- senders without steps
    select
        used_model,
        cast(0 as {{ dbt.type_bigint() }}) as model_call_count,
        session_count,
        first_seen_at,
        last_seen_at
    from sessions

),

used as (

    select
        used_model,
        {{ bigint_sum('model_call_count') }} as call_count,
        {{ bigint_sum('session_count') }} as session_count,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from uses
    group by used_model

),

numbered_prices as (

    select
        *,
        row_number() over (partition by canonical_model order by valid_from desc) as price_number
    from {{ ref('model_pricing') }}

),

newest_prices as (

    select
        canonical_model as priced_model,
        provider,
        input_usd_per_million_tokens,
        output_usd_per_million_tokens,
        cache_read_usd_per_million_tokens,
        cache_write_usd_per_million_tokens
    from numbered_prices
    where price_number = 1

),

limits as (

    select
        canonical_model as limited_model,
        context_window_tokens
    from {{ ref('model_limits') }}

)

select
    used.used_model as canonical_model,
    newest_prices.provider,
    newest_prices.input_usd_per_million_tokens,
    newest_prices.output_usd_per_million_tokens,
    newest_prices.cache_read_usd_per_million_tokens,
    newest_prices.cache_write_usd_per_million_tokens,
    cast(limits.context_window_tokens as {{ dbt.type_bigint() }}) as context_window_tokens,
    used.first_seen_at,
    used.last_seen_at,
    used.call_count,
    used.session_count,
    newest_prices.priced_model is not null as is_priced
from used
left join newest_prices on used.used_model = newest_prices.priced_model
left join limits on used.used_model = limits.limited_model
