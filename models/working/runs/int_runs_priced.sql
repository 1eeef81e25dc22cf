{{ config(materialized='view') }}

with runs as (

    select * from {{ ref('int_runs_assembled') }}

),

session_totals as (

    select * from {{ ref('int_runs_session_totals') }}

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

with_conventions as (

    select
        runs.run_key as run_key,
        runs.ended_at,
        runs.reported_cost_usd,
        runs.is_cache_hit,
        {{ price_tier('runs.service_tier', 'tiers.tier') }} as price_tier,
        runs.sent_prompt_tokens,
        runs.sent_completion_tokens,
        runs.sent_cache_read_tokens,
        runs.sent_cache_write_tokens,
        runs.sent_cache_write_1h_tokens,
        runs.sent_reasoning_tokens,
        runs.sent_total_tokens,
        {{ has_any_tokens('runs') }} as has_sent_tokens,
        coalesce(
            of_source.prompt_tokens_include_cache_read,
            of_library.prompt_tokens_include_cache_read,
            session_totals.prompt_tokens_include_cache_read
        ) as prompt_tokens_include_cache_read,
        coalesce(
            of_source.prompt_tokens_include_cache_write,
            of_library.prompt_tokens_include_cache_write,
            session_totals.prompt_tokens_include_cache_write
        ) as prompt_tokens_include_cache_write,
        coalesce(
            of_source.reasoning_tokens_counted_apart,
            of_library.reasoning_tokens_counted_apart,
            session_totals.reasoning_tokens_counted_apart
        ) as reasoning_tokens_counted_apart,
        session_totals.run_key is not null as has_sessions,
        session_totals.only_canonical_model,
        coalesce(session_totals.llm_call_count, 0) as llm_call_count,
        session_totals.input_tokens as sessions_input_tokens,
        session_totals.output_tokens as sessions_output_tokens,
        session_totals.cache_read_tokens as sessions_cache_read_tokens,
        session_totals.cache_write_tokens as sessions_cache_write_tokens,
        session_totals.total_tokens as sessions_total_tokens,
        session_totals.sessions_cost_usd,
        session_totals.sessions_known_cost_usd,
        session_totals.steps_cost_usd,
        coalesce(session_totals.unpriced_session_count, 0) as unpriced_session_count,
        coalesce(session_totals.unknown_cost_session_count, 0) as unknown_cost_session_count,
        coalesce(session_totals.listed_session_count, 0) as listed_session_count,
        coalesce(session_totals.extrapolated_session_count, 0) as extrapolated_session_count,
        session_totals.wasted_steps_cost_usd,
        session_totals.wasted_step_count,
        {% for class in token_classes() -%}
        session_totals.{{ class }}_cost_usd as sessions_{{ class }}_cost_usd,
        {% endfor -%}
        cast(
            case when session_totals.unlisted_session_count = 0 then session_totals.list_cost_usd end
            as {{ type_usd() }}
        ) as sessions_list_cost_usd,
        cast(
            case when session_totals.unlisted_today_session_count = 0 then session_totals.list_cost_today_usd end
            as {{ type_usd() }}
        ) as sessions_list_cost_today_usd
    from runs
    left join session_totals on runs.run_key = session_totals.run_key
    left join tiers on runs.service_tier = tiers.word
    left join sender_conventions as of_source on runs.source_id = of_source.sender
    left join sender_conventions as of_library on runs.library_name = of_library.sender

),

own_tokens as (

    select
        *,
        {{ all_cache_write_tokens() }} as sent_all_cache_write_tokens,
        has_sent_tokens
        -- agents of different conventions in one run: the total cannot be split, the sessions can
        and not (
            coalesce(sent_cache_read_tokens, 0) + coalesce(sent_cache_write_tokens, 0) > 0
            and has_sessions
            and (prompt_tokens_include_cache_read is null or prompt_tokens_include_cache_write is null)
        )
        -- no tokens at all beside sessions that used some is no count
        and not (
            coalesce(sent_prompt_tokens, 0) + coalesce(sent_completion_tokens, 0)
            + coalesce(sent_cache_read_tokens, 0) + coalesce(sent_cache_write_tokens, 0) = 0
            and coalesce(sessions_total_tokens, 0) > 0
        ) as has_usable_tokens
    from with_conventions

),

tokens_classified as (

    select
        *,
        {{ cached_tokens_in_prompt() }} as cached_in_prompt
    from own_tokens

),

-- the run's own counts, or those of its sessions: never a mixture of both
tokens_chosen as (

    select
        *,
        case when has_usable_tokens then {{ uncached_input_tokens() }} else sessions_input_tokens end as input_tokens,
        case when has_usable_tokens then {{ output_tokens_with_reasoning() }} else sessions_output_tokens end as output_tokens,
        case when has_usable_tokens then sent_cache_read_tokens else sessions_cache_read_tokens end as cache_read_tokens,
        case when has_usable_tokens then sent_all_cache_write_tokens else sessions_cache_write_tokens end as cache_write_tokens
    from tokens_classified

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
        tokens_summed.input_tokens is not null and tokens_summed.output_tokens is not null as has_all_tokens,
        coalesce(prices.is_extrapolated, false) as is_extrapolated,
        {% for class in token_classes() -%}
        cast(
            case
                when tokens_summed.has_usable_tokens and tokens_summed.total_tokens > 0
                    then {{ list_cost_of_class(class, 'prices', 'false') }}
            end as {{ type_usd() }}
        ) as own_listed_{{ class }}_usd,
        {% endfor -%}
        -- the total of a run has a price only when all its sessions used the same model
        cast(
            case
                when tokens_summed.has_usable_tokens and tokens_summed.total_tokens > 0
                    then {{ list_cost('prices', 'false') }}
            end as {{ type_usd() }}
        ) as own_listed_usd
    from tokens_summed
    left join prices
        on
            tokens_summed.only_canonical_model = prices.priced_model
            and cast(tokens_summed.ended_at as date) >= prices.valid_from
            and cast(tokens_summed.ended_at as date) < prices.valid_to
    {{ inlining_barrier() }}

),

believed as (

    select
        *,
        -- zero beside money or model calls below is no price
        {{ believable_cost(
            'reported_cost_usd',
            '(coalesce(total_tokens, 0) = 0 and llm_call_count = 0 and coalesce(sessions_known_cost_usd, 0) = 0)'
        ) }} as believable_cost_usd,
        -- every session has a cost, and their tokens are all that the run speaks of
        cast(
            case
                when
                    unknown_cost_session_count = 0
                    and (
                        not has_usable_tokens
                        or sessions_total_tokens is null
                        or sessions_total_tokens >= coalesce(total_tokens, 0)
                    )
                    then sessions_cost_usd
            end as {{ type_usd() }}
        ) as complete_sessions_cost_usd,
        cast(case when has_all_tokens then own_listed_usd end as {{ type_usd() }}) as own_list_cost_usd,
        {{ listed_by_class('own_listed_', 'has_all_tokens and own_listed_usd is not null', 'own_listed_usd', 'own_') }}
    from listed

),

chosen as (

    select
        *,
        coalesce(believable_cost_usd, complete_sessions_cost_usd, own_list_cost_usd) as cost_usd,
        case
            when believable_cost_usd is not null then 'reported'
            when complete_sessions_cost_usd is not null then 'sum_of_sessions'
            when own_list_cost_usd is not null then 'list_price'
            else 'none'
        end as cost_basis,
        cast(
            coalesce(greatest(sessions_known_cost_usd, own_listed_usd), sessions_known_cost_usd, own_listed_usd)
            as {{ type_usd() }}
        ) as floor_usd
    from believed

),

resolved as (

    select
        run_key,
        reported_cost_usd,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        total_tokens,
        cast(coalesce(sessions_list_cost_usd, own_list_cost_usd) as {{ type_usd() }}) as list_cost_usd,
        sessions_list_cost_today_usd as list_cost_today_usd,
        {% for class in token_classes() -%}
        cast(
            case when sessions_list_cost_usd is not null then sessions_{{ class }}_cost_usd else own_{{ class }}_cost_usd end
            as {{ type_usd() }}
        ) as {{ class }}_cost_usd,
        {% endfor -%}
        sessions_cost_usd,
        steps_cost_usd,
        wasted_steps_cost_usd,
        wasted_step_count,
        cost_usd,
        cast(coalesce(cost_usd, floor_usd) as {{ type_usd() }}) as known_cost_usd,
        cost_basis,
        case
            when cost_basis = 'reported' then 'reported'
            when cost_basis = 'sum_of_sessions' and listed_session_count = 0 then 'reported'
            when cost_basis != 'none' then 'priced'
            when unpriced_session_count > 0 then 'unpriced'
            when floor_usd is not null then 'partial'
            when has_usable_tokens and has_all_tokens and total_tokens > 0 then 'unpriced'
            when has_usable_tokens and (total_tokens is null or total_tokens > 0) then 'partial'
            when total_tokens > 0 and unknown_cost_session_count > 0 then 'partial'
            else 'no_usage'
        end as price_status,
        case cost_basis
            when 'sum_of_sessions' then extrapolated_session_count > 0
            when 'list_price' then is_extrapolated
            else false
        end as is_price_extrapolated
    from chosen

)

select * from resolved
