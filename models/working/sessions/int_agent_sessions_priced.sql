with sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

step_totals as (

    select * from {{ ref('int_agent_sessions_step_totals') }}

),

models_resolved as (

    select * from {{ ref('int_models_resolved') }}

),

sender_conventions as (

    select * from {{ ref('provider_token_conventions') }}
    where sender is not null

),

cost_conventions as (

    select * from {{ ref('cost_conventions') }}

),

tiers as (

    select * from {{ ref('service_tiers') }}

),

prices as (

    select * from {{ ref('int_model_prices') }}

),

-- what the children of a session say they cost
children as (

    select
        parents.ancestor_agent_session_key as agent_session_key,
        cast(sum(children_sessions.reported_cost_usd) as {{ type_usd() }}) as children_reported_cost_usd
    from {{ ref('int_agent_sessions_ancestors') }} as parents
    inner join {{ ref('int_agent_sessions_assembled') }} as children_sessions
        on parents.agent_session_key = children_sessions.agent_session_key
    where
        parents.distance = 1
        and children_sessions.reported_cost_usd > 0
    group by parents.ancestor_agent_session_key

),

-- what a count means is the sender's habit, and the provider's where nothing is known of the sender
with_conventions as (

    select
        sessions.agent_session_key as agent_session_key,
        sessions.ended_at as ended_at,
        sessions.reported_steps_count,
        sessions.is_cache_hit as is_cache_hit,
        models_resolved.canonical_model,
        {{ price_tier('sessions.service_tier', 'tiers.tier') }} as price_tier,
        {{ sender_convention('prompt_tokens_include_cache_read') }},
        {{ sender_convention('prompt_tokens_include_cache_write') }},
        {{ sender_convention('reasoning_tokens_counted_apart') }},
        {{ has_any_tokens('sessions') }} as has_sent_tokens,
        sessions.sent_prompt_tokens,
        sessions.sent_completion_tokens,
        sessions.sent_cache_read_tokens,
        sessions.sent_cache_write_tokens,
        sessions.sent_cache_write_1h_tokens,
        sessions.sent_reasoning_tokens,
        sessions.sent_total_tokens,
        sessions.reported_cost_usd as sent_cost_usd,
        children.children_reported_cost_usd,
        coalesce(
            sessions.reported_cost_usd between children.children_reported_cost_usd * 0.995
            and children.children_reported_cost_usd * 1.005,
            false
        ) as is_sum_of_children,
        coalesce(
            cost_of_source.session_cost_includes_children, cost_of_library.session_cost_includes_children, false
        ) as sender_includes_children
    from sessions
    left join models_resolved on sessions.model_name = models_resolved.model_name
    left join tiers on sessions.service_tier = tiers.word
    left join sender_conventions as of_source on sessions.source_id = of_source.sender
    left join sender_conventions as of_library on sessions.library_name = of_library.sender
    left join cost_conventions as cost_of_source on sessions.source_id = cost_of_source.sender
    left join cost_conventions as cost_of_library on sessions.library_name = cost_of_library.sender
    left join children on sessions.agent_session_key = children.agent_session_key

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
        {{ uncached_input_tokens() }} as sent_input_tokens,
        {{ output_tokens_with_reasoning() }} as sent_output_tokens
    from tokens_classified

),

with_steps as (

    select
        tokens_counted.*,
        -- no tokens at all beside steps that used some is no count
        tokens_counted.has_sent_tokens
        and not (
            coalesce(tokens_counted.sent_input_tokens, 0) + coalesce(tokens_counted.sent_output_tokens, 0)
            + coalesce(tokens_counted.sent_cache_read_tokens, 0) + coalesce(tokens_counted.sent_all_cache_write_tokens, 0) = 0
            and coalesce(step_totals.total_tokens, 0) > 0
        ) as has_reported_tokens,
        step_totals.agent_session_key is not null as has_steps,
        coalesce(step_totals.llm_call_count, 0) as llm_call_count,
        coalesce(step_totals.step_count, 0) as step_count,
        step_totals.input_tokens as steps_input_tokens,
        step_totals.output_tokens as steps_output_tokens,
        step_totals.cache_read_tokens as steps_cache_read_tokens,
        step_totals.cache_write_tokens as steps_cache_write_tokens,
        step_totals.total_tokens as steps_total_tokens,
        step_totals.cost_usd as steps_cost_usd,
        step_totals.known_cost_usd as steps_known_cost_usd,
        step_totals.list_cost_usd as steps_list_cost_usd,
        step_totals.list_cost_today_usd as steps_list_cost_today_usd,
        {% for class in token_classes() -%}
        step_totals.{{ class }}_cost_usd as steps_{{ class }}_cost_usd,
        {% endfor -%}
        coalesce(step_totals.unpriced_step_count, 0) as unpriced_step_count,
        coalesce(step_totals.unknown_cost_step_count, 0) as unknown_cost_step_count,
        step_totals.unlisted_step_count,
        step_totals.unlisted_today_step_count,
        step_totals.listed_step_count,
        coalesce(step_totals.extrapolated_step_count, 0) as extrapolated_step_count
    from tokens_counted
    left join step_totals on tokens_counted.agent_session_key = step_totals.agent_session_key

),

-- the session's own counts, or those of its steps: never a mixture of both
tokens_chosen as (

    select
        *,
        case when has_reported_tokens then sent_input_tokens else steps_input_tokens end as input_tokens,
        case when has_reported_tokens then sent_output_tokens else steps_output_tokens end as output_tokens,
        case when has_reported_tokens then sent_cache_read_tokens else steps_cache_read_tokens end as cache_read_tokens,
        case when has_reported_tokens then sent_all_cache_write_tokens else steps_cache_write_tokens end as cache_write_tokens
    from with_steps

),

tokens_summed as (

    select
        *,
        {{ sum_of_token_classes() }} as total_tokens,
        -- a long context is one of a call: of a session only when it had just one
        (llm_call_count = 1 or (not has_steps and coalesce(reported_steps_count, 0) = 1)) as is_one_call,
        coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) as context_tokens
    from tokens_chosen

),

listed as (

    select
        tokens_summed.*,
        {{ has_all_tokens('tokens_summed', 'prices') }} as has_all_tokens,
        {{ is_free('prices') }} as is_free,
        prices.is_extrapolated as is_extrapolated,
        {% for class in token_classes() -%}
        cast(
            case
                when tokens_summed.has_reported_tokens and tokens_summed.total_tokens > 0
                    then {{ list_cost_of_class(
                        class, 'prices', 'tokens_summed.is_one_call and tokens_summed.context_tokens > prices.long_context_threshold_tokens'
                    ) }}
            end as {{ type_usd() }}
        ) as own_listed_{{ class }}_usd,
        {% endfor -%}
        cast(
            case
                when tokens_summed.has_reported_tokens and tokens_summed.total_tokens > 0
                    then {{ list_cost(
                        'prices', 'tokens_summed.is_one_call and tokens_summed.context_tokens > prices.long_context_threshold_tokens'
                    ) }}
            end as {{ type_usd() }}
        ) as own_listed_usd,
        cast(
            case
                when tokens_summed.has_reported_tokens and tokens_summed.total_tokens > 0
                    then {{ list_cost(
                        'newest_prices',
                        'tokens_summed.is_one_call and tokens_summed.context_tokens > newest_prices.long_context_threshold_tokens'
                    ) }}
            end as {{ type_usd() }}
        ) as own_listed_today_usd
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
    {{ inlining_barrier() }}

),

-- a report that is the sum of the children's, and not what the session's own calls cost, is theirs
own_cost as (

    select
        *,
        children_reported_cost_usd is not null
        and sent_cost_usd is not null
        and (
            sender_includes_children
            or (
                is_sum_of_children
                and not coalesce(sent_cost_usd between own_listed_usd * 0.995 and own_listed_usd * 1.005, false)
                and not coalesce(sent_cost_usd between steps_cost_usd * 0.995 and steps_cost_usd * 1.005, false)
            )
        ) as cost_includes_children
    from listed

),

-- each dollar counts once: where it was spent
reported as (

    select
        *,
        cast(
            case
                when cost_includes_children and is_sum_of_children then 0
                when cost_includes_children then greatest(sent_cost_usd - children_reported_cost_usd, 0)
                else sent_cost_usd
            end as {{ type_usd() }}
        ) as reported_cost_usd
    from own_cost

),

believed as (

    select
        *,
        -- zero beside money or model calls below is no price; nor is it for tokens of a model that is not free
        {{ believable_cost(
            'reported_cost_usd',
            '(cost_includes_children or is_free or (coalesce(total_tokens, 0) = 0 and llm_call_count = 0 and coalesce(steps_cost_usd, 0) = 0))'
        ) }} as believable_cost_usd,
        -- every model call has a cost, and their tokens are all that the session speaks of
        cast(
            case
                when
                    unknown_cost_step_count = 0
                    and case
                        when not has_reported_tokens then true
                        when steps_total_tokens is null then coalesce(reported_steps_count, 0) <= step_count
                        else steps_total_tokens >= coalesce(total_tokens, 0)
                    end
                    then steps_cost_usd
            end as {{ type_usd() }}
        ) as complete_steps_cost_usd,
        -- the calls know their models and their context sizes; the session total is the second choice
        cast(
            case
                when steps_total_tokens = total_tokens and unlisted_step_count = 0 then steps_list_cost_usd
                when has_all_tokens then own_listed_usd
            end as {{ type_usd() }}
        ) as list_cost_usd,
        cast(
            case
                when steps_total_tokens = total_tokens and unlisted_today_step_count = 0 then steps_list_cost_today_usd
                when has_all_tokens then own_listed_today_usd
            end as {{ type_usd() }}
        ) as list_cost_today_usd,
        coalesce(steps_total_tokens = total_tokens and unlisted_step_count = 0, false) as is_listed_by_steps,
        {{ listed_by_class('own_listed_', 'has_all_tokens and own_listed_usd is not null', 'own_listed_usd', 'own_') }}
    from reported

),

chosen as (

    select
        *,
        cast(
            coalesce(
                believable_cost_usd, complete_steps_cost_usd, case when has_reported_tokens then list_cost_usd end
            ) as {{ type_usd() }}
        ) as cost_usd,
        case
            when believable_cost_usd is not null then 'reported'
            when complete_steps_cost_usd is not null then 'sum_of_steps'
            when has_reported_tokens and list_cost_usd is not null then 'list_price'
            else 'none'
        end as cost_basis,
        cast(
            coalesce(greatest(steps_known_cost_usd, own_listed_usd), steps_known_cost_usd, own_listed_usd)
            as {{ type_usd() }}
        ) as floor_usd
    from believed

),

resolved as (

    select
        agent_session_key,
        canonical_model,
        prompt_tokens_include_cache_read,
        prompt_tokens_include_cache_write,
        reasoning_tokens_counted_apart,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        total_tokens,
        list_cost_usd,
        list_cost_today_usd,
        {% for class in token_classes() -%}
        cast(
            case when is_listed_by_steps then steps_{{ class }}_cost_usd else own_{{ class }}_cost_usd end as {{ type_usd() }}
        ) as {{ class }}_cost_usd,
        {% endfor -%}
        cost_includes_children,
        cost_usd,
        cast(coalesce(cost_usd, floor_usd) as {{ type_usd() }}) as known_cost_usd,
        cost_basis,
        case
            when cost_basis = 'reported' then 'reported'
            when cost_basis = 'sum_of_steps' and listed_step_count = 0 then 'reported'
            when cost_basis != 'none' then 'priced'
            when unpriced_step_count > 0 or (has_reported_tokens and has_all_tokens and total_tokens > 0) then 'unpriced'
            when has_reported_tokens and (total_tokens is null or total_tokens > 0) then 'partial'
            when floor_usd is not null or (steps_total_tokens > 0 and unknown_cost_step_count > 0) then 'partial'
            else 'no_usage'
        end as price_status,
        cost_usd is null
        and (
            unknown_cost_step_count > 0
            or (has_reported_tokens and (total_tokens is null or total_tokens > 0))
        ) as has_unknown_cost,
        case cost_basis
            when 'sum_of_steps' then extrapolated_step_count > 0
            when 'list_price' then coalesce(is_extrapolated, false)
            else false
        end as is_price_extrapolated
    from chosen

)

select * from resolved
