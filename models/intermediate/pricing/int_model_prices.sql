with model_pricing as (

    select * from {{ ref('model_pricing') }}

),

model_ends as (

    select
        canonical_model,
        min(valid_from) as first_valid_from,
        max(valid_from) as newest_valid_from
    from model_pricing
    group by canonical_model

),

known as (

    select
        model_pricing.canonical_model as priced_model,
        model_pricing.valid_from,
        -- an open end, so that the join needs no null case
        coalesce(model_pricing.valid_to, cast('9999-12-31' as date)) as valid_to,
        model_pricing.valid_from = model_ends.newest_valid_from as is_newest,
        model_pricing.valid_from = model_ends.first_valid_from as is_first,
        model_pricing.input_usd_per_million_tokens,
        model_pricing.output_usd_per_million_tokens,
        model_pricing.cache_read_usd_per_million_tokens,
        model_pricing.cache_write_usd_per_million_tokens,
        model_pricing.cache_write_1h_usd_per_million_tokens,
        model_pricing.long_context_threshold_tokens,
        model_pricing.long_context_input_usd_per_million_tokens,
        model_pricing.long_context_output_usd_per_million_tokens,
        model_pricing.long_context_cache_read_usd_per_million_tokens,
        model_pricing.long_context_cache_write_usd_per_million_tokens,
        model_pricing.long_context_cache_write_1h_usd_per_million_tokens,
        model_pricing.batch_multiplier,
        model_pricing.priority_multiplier
    from model_pricing
    inner join model_ends on model_pricing.canonical_model = model_ends.canonical_model

),

prices as (

    select
        priced_model,
        valid_from,
        valid_to,
        is_newest,
        false as is_extrapolated,
        {{ price_columns() | join(',\n        ') }}
    from known

    union all

    -- nobody knows what held before the first price was seen: it is taken
    select
        priced_model,
        cast('1970-01-01' as date) as valid_from,
        valid_from as valid_to,
        false as is_newest,
        true as is_extrapolated,
        {{ price_columns() | join(',\n        ') }}
    from known
    where
        is_first
        and valid_from > cast('1970-01-01' as date)

)

select * from prices
