{{ config(materialized='view') }}

with steps as (

    select * from {{ ref('int_agent_steps_ordered') }}

),

models_resolved as (

    select * from {{ ref('int_models_resolved') }}

),

prices as (

    select * from {{ ref('int_model_prices') }}

),

tokens_classified as (

    select
        steps.*,
        models_resolved.canonical_model,
        {{ uncached_input_tokens(
            'steps.sent_prompt_tokens',
            cached_tokens_in_prompt(
                'steps.sent_prompt_tokens', 'steps.cache_read_tokens', 'steps.cache_write_tokens',
                'models_resolved.prompt_tokens_include_cache_read',
                'models_resolved.prompt_tokens_include_cache_write'
            )
        ) }} as input_tokens
    from steps
    left join models_resolved on steps.model_name = models_resolved.model_name

),

tokens_summed as (

    select
        *,
        {{ sum_of_token_classes() }} as total_tokens,
        coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) as context_tokens
    from tokens_classified

),

listed as (

    select
        tokens_summed.*,
        {{ believable_cost('tokens_summed.reported_cost_usd', 'tokens_summed.total_tokens') }} as believable_cost_usd,
        -- without the outer cast Postgres forgets that the type has nine decimals
        cast(
            case
                when tokens_summed.total_tokens > 0
                    then {{ list_cost('prices', 'tokens_summed.context_tokens > prices.long_context_threshold_tokens') }}
            end as {{ type_usd() }}
        ) as list_cost_usd,
        cast(
            case
                when tokens_summed.total_tokens > 0
                    then {{ list_cost('newest_prices', 'tokens_summed.context_tokens > newest_prices.long_context_threshold_tokens') }}
            end as {{ type_usd() }}
        ) as list_cost_today_usd
    from tokens_summed
    left join prices
        on
            tokens_summed.canonical_model = prices.priced_model
            and cast(tokens_summed.ended_at as date) >= prices.valid_from
            and cast(tokens_summed.ended_at as date) < prices.valid_to
    left join prices as newest_prices
        on
            tokens_summed.canonical_model = newest_prices.priced_model
            and newest_prices.is_newest

),

resolved as (

    select
        *,
        coalesce(believable_cost_usd, list_cost_usd) as cost_usd,
        case
            when believable_cost_usd is not null then 'reported'
            when list_cost_usd is not null then 'list_price'
            else 'none'
        end as cost_basis,
        case
            when believable_cost_usd is not null then 'reported'
            when list_cost_usd is not null then 'priced'
            when total_tokens > 0 then 'unpriced'
            else 'no_usage'
        end as price_status
    from listed

)

select * from resolved
