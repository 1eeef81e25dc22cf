with sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

step_totals as (

    select * from {{ ref('int_agent_sessions_step_totals') }}

),

models_resolved as (

    select * from {{ ref('int_models_resolved') }}

),

prices as (

    select * from {{ ref('int_model_prices') }}

),

tokens_classified as (

    select
        sessions.agent_session_key,
        sessions.ended_at,
        sessions.reported_cost_usd,
        sessions.service_tier,
        models_resolved.canonical_model,
        models_resolved.prompt_tokens_include_cache_read,
        models_resolved.prompt_tokens_include_cache_write,
        coalesce(
            sessions.sent_prompt_tokens,
            sessions.sent_completion_tokens,
            sessions.sent_cache_read_tokens,
            sessions.sent_cache_write_tokens
        ) is not null as has_reported_tokens,
        {{ uncached_input_tokens(
            'sessions.sent_prompt_tokens',
            cached_tokens_in_prompt(
                'sessions.sent_prompt_tokens', 'sessions.sent_cache_read_tokens', 'sessions.sent_cache_write_tokens',
                'models_resolved.prompt_tokens_include_cache_read',
                'models_resolved.prompt_tokens_include_cache_write'
            )
        ) }} as reported_input_tokens,
        sessions.sent_completion_tokens,
        sessions.sent_cache_read_tokens,
        sessions.sent_cache_write_tokens
    from sessions
    left join models_resolved on sessions.model_name = models_resolved.model_name

),

-- the session's own counts, or those of its steps: never a mixture of both
tokens_chosen as (

    select
        tokens_classified.agent_session_key as agent_session_key,
        tokens_classified.ended_at,
        tokens_classified.reported_cost_usd,
        tokens_classified.service_tier,
        tokens_classified.canonical_model,
        tokens_classified.prompt_tokens_include_cache_read,
        tokens_classified.prompt_tokens_include_cache_write,
        tokens_classified.has_reported_tokens,
        case
            when tokens_classified.has_reported_tokens then tokens_classified.reported_input_tokens
            else step_totals.input_tokens
        end as input_tokens,
        case
            when tokens_classified.has_reported_tokens then tokens_classified.sent_completion_tokens
            else step_totals.output_tokens
        end as output_tokens,
        case
            when tokens_classified.has_reported_tokens then tokens_classified.sent_cache_read_tokens
            else step_totals.cache_read_tokens
        end as cache_read_tokens,
        case
            when tokens_classified.has_reported_tokens then tokens_classified.sent_cache_write_tokens
            else step_totals.cache_write_tokens
        end as cache_write_tokens,
        step_totals.total_tokens as steps_total_tokens,
        step_totals.cost_usd as steps_cost_usd,
        step_totals.list_cost_usd as steps_list_cost_usd,
        step_totals.list_cost_today_usd as steps_list_cost_today_usd,
        step_totals.unpriced_step_count,
        step_totals.unlisted_step_count,
        step_totals.unlisted_today_step_count,
        step_totals.listed_step_count
    from tokens_classified
    left join step_totals on tokens_classified.agent_session_key = step_totals.agent_session_key

),

tokens_summed as (

    select
        *,
        {{ sum_of_token_classes() }} as total_tokens
    from tokens_chosen

),

listed as (

    select
        tokens_summed.*,
        {{ believable_cost('tokens_summed.reported_cost_usd', 'tokens_summed.total_tokens') }} as believable_cost_usd,
        -- the calls know their models and their context sizes; the session total is the second choice
        cast(
            case
                when
                    tokens_summed.steps_total_tokens = tokens_summed.total_tokens
                    and tokens_summed.unlisted_step_count = 0
                    then tokens_summed.steps_list_cost_usd
                when tokens_summed.total_tokens > 0 then {{ list_cost('prices', 'false') }}
            end as {{ type_usd() }}
        ) as list_cost_usd,
        cast(
            case
                when
                    tokens_summed.steps_total_tokens = tokens_summed.total_tokens
                    and tokens_summed.unlisted_today_step_count = 0
                    then tokens_summed.steps_list_cost_today_usd
                when tokens_summed.total_tokens > 0 then {{ list_cost('newest_prices', 'false') }}
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

summed_from_steps as (

    select
        *,
        -- a partial sum would look like a full cost
        cast(case when unpriced_step_count = 0 then steps_cost_usd end as {{ type_usd() }}) as complete_steps_cost_usd
    from listed

),

resolved as (

    select
        agent_session_key,
        canonical_model,
        prompt_tokens_include_cache_read,
        prompt_tokens_include_cache_write,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        total_tokens,
        list_cost_usd,
        list_cost_today_usd,
        coalesce(believable_cost_usd, list_cost_usd, complete_steps_cost_usd) as cost_usd,
        case
            when believable_cost_usd is not null then 'reported'
            when list_cost_usd is not null then 'list_price'
            when complete_steps_cost_usd is not null then 'sum_of_steps'
            else 'none'
        end as cost_basis,
        case
            when believable_cost_usd is not null then 'reported'
            when list_cost_usd is not null then 'priced'
            when complete_steps_cost_usd is not null
                then case when listed_step_count > 0 then 'priced' else 'reported' end
            when total_tokens > 0 or steps_total_tokens > 0 then 'unpriced'
            else 'no_usage'
        end as price_status
    from summed_from_steps

)

select * from resolved
