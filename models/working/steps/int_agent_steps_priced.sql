{{ config(materialized='view') }}

with steps as (

    select * from {{ ref('int_agent_steps_ordered') }}

),

-- names of their own for what is joined: ClickHouse would call the steps' column by two names
models_resolved as (

    select
        model_name as resolved_name,
        canonical_model,
        prompt_tokens_include_cache_read,
        prompt_tokens_include_cache_write,
        reasoning_tokens_counted_apart
    from {{ ref('int_models_resolved') }}

),

sender_conventions as (

    select * from {{ ref('provider_token_conventions') }}
    where sender is not null

),

tiers as (

    select * from {{ ref('service_tiers') }}

),

prices as (

    select * from {{ ref('int_model_prices') }}

),

rates as (

    select
        tool_name as rated_tool,
        usd_per_call,
        usd_per_second,
        valid_from,
        -- an open end, so that the join needs no null case
        coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('tool_rate_card') }}

),

failures as (

    select
        event_key as failed_event_key,
        failure_rule_id,
        failure_mode,
        failure_category,
        failure_group,
        rule_severity,
        failure_is_billed
    from {{ ref('int_agent_steps_classified') }}

),

-- what a count means is the sender's habit, and the provider's where nothing is known of the sender
with_conventions as (

    select
        steps.*,
        models_resolved.canonical_model,
        {{ price_tier('steps.service_tier', 'tiers.tier') }} as price_tier,
        {{ sender_convention('prompt_tokens_include_cache_read') }},
        {{ sender_convention('prompt_tokens_include_cache_write') }},
        {{ sender_convention('reasoning_tokens_counted_apart') }},
        {{ has_any_tokens('steps') }} as has_any_tokens
    from steps
    left join models_resolved on steps.model_name = models_resolved.resolved_name
    left join tiers on steps.service_tier = tiers.word
    left join sender_conventions as of_source on steps.source_id = of_source.sender
    left join sender_conventions as of_library on steps.library_name = of_library.sender

),

cached as (

    select
        *,
        {{ all_cache_write_tokens() }} as sent_all_cache_write_tokens
    from with_conventions

),

tokens_classified as (

    select
        *,
        {{ cached_tokens_in_prompt() }} as cached_in_prompt
    from cached

),

tokens_counted as (

    select
        *,
        {{ uncached_input_tokens() }} as input_tokens,
        {{ output_tokens_with_reasoning() }} as output_tokens,
        sent_cache_read_tokens as cache_read_tokens,
        sent_all_cache_write_tokens as cache_write_tokens
    from tokens_classified

),

tokens_summed as (

    select
        *,
        {{ sum_of_token_classes() }} as total_tokens,
        case when step_type = 'tool_call' then tool_name end as rated_tool_name,
        coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) as context_tokens
    from tokens_counted

),

listed as (

    select
        tokens_summed.*,
        failures.failure_rule_id,
        failures.failure_mode,
        failures.failure_category,
        failures.failure_group,
        failures.rule_severity,
        failures.failure_is_billed,
        -- refused before anything was generated: nobody is billed for it
        coalesce(not failures.failure_is_billed, false) and coalesce(tokens_summed.output_tokens, 0) = 0 as is_refused,
        -- no model answers for a second and reads and writes nothing
        coalesce(tokens_summed.step_type = 'llm_call' and not tokens_summed.is_failed and tokens_summed.duration_ms >= 1000, false)
            as is_working_call,
        {{ has_all_tokens('tokens_summed', 'prices') }} as has_all_tokens,
        {{ is_free('prices') }} as is_free,
        prices.is_extrapolated as is_extrapolated,
        -- without the outer cast Postgres forgets that the type has nine decimals
        cast(
            case
                when tokens_summed.total_tokens > 0
                    then {{ list_cost('prices', 'tokens_summed.context_tokens > prices.long_context_threshold_tokens') }}
            end as {{ type_usd() }}
        ) as listed_usd,
        cast(
            case
                when tokens_summed.total_tokens > 0
                    then {{ list_cost('newest_prices', 'tokens_summed.context_tokens > newest_prices.long_context_threshold_tokens') }}
            end as {{ type_usd() }}
        ) as listed_today_usd,
        {% for class in token_classes() -%}
        cast(
            case
                when tokens_summed.total_tokens > 0
                    then {{ list_cost_of_class(
                        class, 'prices', 'tokens_summed.context_tokens > prices.long_context_threshold_tokens'
                    ) }}
            end as {{ type_usd() }}
        ) as listed_{{ class }}_usd,
        {% endfor -%}
        -- a call is paid however it ended; a price per second of a call of unknown length is unknown
        cast(
            case
                when rates.rated_tool is not null
                    then {{ to_usd(
                        'coalesce(cast(rates.usd_per_call as ' ~ type_double() ~ '), 0.0)'
                        ~ ' + case when coalesce(rates.usd_per_second, 0) = 0 then 0.0'
                        ~ ' else cast(rates.usd_per_second as ' ~ type_double() ~ ') * tokens_summed.plausible_duration_ms / 1000.0 end'
                    ) }}
            end as {{ type_usd() }}
        ) as tool_cost_usd
    from tokens_summed
    left join failures on tokens_summed.event_key = failures.failed_event_key
    left join prices
        on
            tokens_summed.canonical_model = prices.priced_model
            and cast(tokens_summed.ended_at as date) >= prices.valid_from
            and cast(tokens_summed.ended_at as date) < prices.valid_to
    left join prices as newest_prices
        on
            tokens_summed.canonical_model = newest_prices.priced_model
            and newest_prices.is_newest
    left join rates
        on
            tokens_summed.rated_tool_name = rates.rated_tool
            and cast(tokens_summed.ended_at as date) >= rates.valid_from
            and cast(tokens_summed.ended_at as date) < rates.valid_to
    {{ inlining_barrier() }}

),

believed as (

    select
        *,
        {{ believable_cost(
            'reported_cost_usd',
            '(is_free or (coalesce(total_tokens, 0) = 0 and not is_working_call))'
        ) }} as believable_cost_usd,
        cast(case when has_all_tokens and not is_refused then listed_usd end as {{ type_usd() }}) as list_cost_usd,
        cast(case when has_all_tokens and not is_refused then listed_today_usd end as {{ type_usd() }}) as list_cost_today_usd,
        {{ listed_by_class('listed_', 'has_all_tokens and not is_refused and listed_usd is not null', 'listed_usd') }}
    from listed

),

resolved as (

    select
        *,
        coalesce(believable_cost_usd, list_cost_usd) as cost_usd,
        -- what is known of it: the price of some token classes is a floor
        cast(
            coalesce(believable_cost_usd, case when not is_refused then listed_usd end) as {{ type_usd() }}
        ) as known_cost_usd,
        case
            when believable_cost_usd is not null then 'reported'
            when list_cost_usd is not null then 'list_price'
            else 'none'
        end as cost_basis,
        case
            when believable_cost_usd is not null then 'reported'
            when list_cost_usd is not null then 'priced'
            when is_refused then 'no_usage'
            when has_all_tokens and total_tokens > 0 then 'unpriced'
            when has_any_tokens and (total_tokens is null or total_tokens > 0) then 'partial'
            else 'no_usage'
        end as price_status,
        coalesce(believable_cost_usd, list_cost_usd) is null
        and not is_refused
        and (coalesce(step_type = 'llm_call', false) or coalesce(total_tokens, case when has_any_tokens then 1 else 0 end) > 0)
            as has_unknown_cost,
        coalesce(believable_cost_usd is null and list_cost_usd is not null and is_extrapolated, false) as is_price_extrapolated
    from believed

)

select * from resolved
