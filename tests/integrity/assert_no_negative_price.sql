{%- set price_columns = [
    'input_usd_per_million_tokens',
    'output_usd_per_million_tokens',
    'cache_read_usd_per_million_tokens',
    'cache_write_usd_per_million_tokens',
    'cache_write_1h_usd_per_million_tokens',
    'long_context_threshold_tokens',
    'long_context_input_usd_per_million_tokens',
    'long_context_output_usd_per_million_tokens',
    'long_context_cache_read_usd_per_million_tokens',
    'long_context_cache_write_usd_per_million_tokens',
    'long_context_cache_write_1h_usd_per_million_tokens',
    'batch_multiplier',
    'priority_multiplier',
] -%}

with model_pricing as (

    select * from {{ ref('model_pricing') }}

),

negative as (

    select *
    from model_pricing
    where
        {{ price_columns | join(' < 0\n        or ') }} < 0

)

select * from negative
