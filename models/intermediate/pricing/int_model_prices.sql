with model_pricing as (

    select * from {{ ref('model_pricing') }}

),

newest as (

    select
        canonical_model,
        max(valid_from) as newest_valid_from
    from model_pricing
    group by canonical_model

),

prices as (

    select
        model_pricing.canonical_model as priced_model,
        model_pricing.valid_from,
        -- an open end, so that the join needs no null case
        coalesce(model_pricing.valid_to, cast('9999-12-31' as date)) as valid_to,
        model_pricing.valid_from = newest.newest_valid_from as is_newest,
        model_pricing.input_usd_per_million_tokens,
        model_pricing.output_usd_per_million_tokens,
        model_pricing.cache_read_usd_per_million_tokens,
        model_pricing.cache_write_usd_per_million_tokens,
        model_pricing.long_context_threshold_tokens,
        model_pricing.long_context_input_usd_per_million_tokens,
        model_pricing.long_context_output_usd_per_million_tokens,
        model_pricing.long_context_cache_read_usd_per_million_tokens,
        model_pricing.long_context_cache_write_usd_per_million_tokens,
        cast(null as {{ type_usd() }}) as cache_write_1h_usd_per_million_tokens,
        false as is_extrapolated,
        model_pricing.batch_multiplier,
        model_pricing.priority_multiplier
    from model_pricing
    inner join newest on model_pricing.canonical_model = newest.canonical_model

)

select * from prices
