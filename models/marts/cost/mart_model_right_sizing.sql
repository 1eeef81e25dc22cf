{%- set token_classes = ['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens'] %}

with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

sessions as (

    select
        daily.agent_name,
        daily.canonical_model,
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        {{ bigint_sum('daily.n_all') }} as n_all,
        {{ bigint_sum('daily.counted_session_count') }} as n_used,
        {{ bigint_sum('daily.n_unfinished') }} as n_unfinished,
        {{ bigint_sum('daily.n_unpriced') }} as n_unpriced,
        {{ bigint_sum('daily.n_partial') }} as n_partial,
        {{ bigint_sum('daily.finished_session_count') }} as finished_session_count,
        {{ bigint_sum('daily.successful_session_count') }} as successful_session_count,
        {{ bigint_sum('daily.input_tokens') }} as input_tokens,
        {{ bigint_sum('daily.output_tokens') }} as output_tokens,
        {{ bigint_sum('daily.cache_read_tokens') }} as cache_read_tokens,
        {{ bigint_sum('daily.cache_write_tokens') }} as cache_write_tokens
    from {{ ref('int_agent_sessions_daily') }} as daily
    cross join analysis_window
    where
        daily.session_date between analysis_window.window_start_date and analysis_window.window_end_date
    group by
        daily.agent_name,
        daily.canonical_model,
        analysis_window.window_start_date,
        analysis_window.window_end_date

),

calls as (

    select
        daily.agent_name,
        daily.canonical_model,
        daily.context_above_tokens,
        max(daily.largest_context_tokens) as largest_context_tokens,
        {{ bigint_sum('coalesce(daily.input_tokens, 0)') }} as input_tokens,
        {{ bigint_sum('coalesce(daily.output_tokens, 0)') }} as output_tokens,
        {{ bigint_sum('coalesce(daily.cache_read_tokens, 0)') }} as cache_read_tokens,
        {{ bigint_sum('coalesce(daily.cache_write_tokens, 0)') }} as cache_write_tokens
    from {{ ref('int_model_calls_daily') }} as daily
    cross join analysis_window
    where
        daily.step_date between analysis_window.window_start_date and analysis_window.window_end_date
    group by
        daily.agent_name,
        daily.canonical_model,
        daily.context_above_tokens

),

largest_calls as (

    select
        agent_name,
        canonical_model,
        max(largest_context_tokens) as largest_call_tokens
    from calls
    group by
        agent_name,
        canonical_model

),

-- tokens of long calls, which some models price apart
long_calls as (

    select
        agent_name,
        canonical_model,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(cache_write_tokens) as cache_write_tokens
    from calls
    where context_above_tokens > 0
    group by
        agent_name,
        canonical_model

),

-- what sessions used, by the context of the calls; sessions without steps count as short calls
usage_parts as (

    select
        {% for tokens in token_classes -%}
        cast({{ tokens }} as {{ type_double() }}) as {{ tokens }},
        {% endfor -%}
        agent_name,
        canonical_model,
        context_above_tokens
    from calls
    where context_above_tokens > 0

    union all

    select
        {% for tokens in token_classes -%}
        cast(
            greatest(coalesce(sessions.{{ tokens }}, 0) - coalesce(long_calls.{{ tokens }}, 0), 0) as {{ type_double() }}
        ) as {{ tokens }},
        {% endfor -%}
        sessions.agent_name as agent_name,
        sessions.canonical_model as canonical_model,
        0 as context_above_tokens
    from sessions
    left join long_calls
        on
            sessions.agent_name = long_calls.agent_name
            and sessions.canonical_model = long_calls.canonical_model
    where sessions.n_used > 0

),

listed_candidates as (

    select
        current_model,
        candidate_model
    from {{ ref('right_sizing_candidates') }}

),

prices as (

    select * from {{ ref('int_model_prices') }}
    where is_newest

),

models_that_ran as (

    select distinct canonical_model as model_that_ran
    from sessions

),

-- models that ran anywhere, and those that somebody wants to have considered
pairs as (

    select
        sessions.agent_name,
        sessions.canonical_model as current_model,
        models_that_ran.model_that_ran as candidate_model,
        sessions.n_used as current_n_used
    from sessions
    cross join models_that_ran
    where
        sessions.n_used > 0
        and sessions.canonical_model != models_that_ran.model_that_ran

    union distinct

    select
        current_sessions.agent_name,
        current_sessions.canonical_model as current_model,
        listed_candidates.candidate_model,
        current_sessions.n_used as current_n_used
    from sessions as current_sessions
    inner join listed_candidates on current_sessions.canonical_model = listed_candidates.current_model
    where
        current_sessions.n_used > 0
        and current_sessions.canonical_model != listed_candidates.candidate_model

),

variants as (

    select
        'current' as variant,
        1.0 as output_factor

    union all

    select
        'same' as variant,
        1.0 as output_factor

    union all

    select
        'longer' as variant,
        1.5 as output_factor

),

-- the same tokens at both models, then with answers half as long again, then what the candidate itself was seen to use here
usage_of_pairs as (

    select
        pairs.agent_name as agent_name,
        pairs.current_model,
        pairs.candidate_model,
        variants.variant,
        case when variants.variant = 'current' then pairs.current_model else pairs.candidate_model end as priced_model,
        usage_parts.input_tokens as input_tokens,
        usage_parts.output_tokens * variants.output_factor as output_tokens,
        usage_parts.cache_read_tokens as cache_read_tokens,
        usage_parts.cache_write_tokens as cache_write_tokens,
        usage_parts.context_above_tokens
    from pairs
    inner join usage_parts
        on
            pairs.agent_name = usage_parts.agent_name
            and pairs.current_model = usage_parts.canonical_model
    cross join variants

    union all

    select
        pairs.agent_name as agent_name,
        pairs.current_model,
        pairs.candidate_model,
        'observed' as variant,
        pairs.candidate_model as priced_model,
        {% for tokens in token_classes -%}
        usage_parts.{{ tokens }} * {{ ratio('pairs.current_n_used', 'candidate_sessions.n_used') }} as {{ tokens }},
        {% endfor -%}
        usage_parts.context_above_tokens
    from pairs
    inner join sessions as candidate_sessions
        on
            pairs.agent_name = candidate_sessions.agent_name
            and pairs.candidate_model = candidate_sessions.canonical_model
    inner join usage_parts
        on
            pairs.agent_name = usage_parts.agent_name
            and pairs.candidate_model = usage_parts.canonical_model
    where candidate_sessions.n_used >= 30

),

-- a model without a price for cached tokens reads and writes them as plain input
usage_as_billed as (

    select
        usage_of_pairs.agent_name,
        usage_of_pairs.current_model,
        usage_of_pairs.candidate_model,
        usage_of_pairs.variant,
        usage_of_pairs.priced_model as billed_model,
        usage_of_pairs.context_above_tokens,
        usage_of_pairs.input_tokens
        + case when prices.cache_read_usd_per_million_tokens is null then usage_of_pairs.cache_read_tokens else 0 end
        + case when prices.cache_write_usd_per_million_tokens is null then usage_of_pairs.cache_write_tokens else 0 end as input_tokens,
        usage_of_pairs.output_tokens as output_tokens,
        case when prices.cache_read_usd_per_million_tokens is null then 0 else usage_of_pairs.cache_read_tokens end as cache_read_tokens,
        case when prices.cache_write_usd_per_million_tokens is null then 0 else usage_of_pairs.cache_write_tokens end as cache_write_tokens,
        -- facts do not say which writes live for an hour, nor are tiers compared
        0 as sent_cache_write_1h_tokens,
        'standard' as price_tier
    from usage_of_pairs
    inner join prices on usage_of_pairs.priced_model = prices.priced_model

),

priced_usage as (

    select
        usage_as_billed.agent_name as agent_name,
        usage_as_billed.current_model as current_model,
        usage_as_billed.candidate_model as candidate_model,
        usage_as_billed.variant as variant,
        {{ list_cost('prices', 'usage_as_billed.context_above_tokens >= prices.long_context_threshold_tokens') }} as part_cost_usd
    from usage_as_billed
    inner join prices on usage_as_billed.billed_model = prices.priced_model

),

-- a part without a price leaves the whole without one
costs as (

    select
        agent_name,
        current_model,
        candidate_model,
        variant,
        cast(case when count(*) = count(part_cost_usd) then sum(part_cost_usd) end as {{ type_usd() }}) as variant_cost_usd
    from priced_usage
    group by
        agent_name,
        current_model,
        candidate_model,
        variant

),

costs_of_pairs as (

    select
        agent_name,
        current_model,
        candidate_model,
        cast(max(case when variant = 'current' then variant_cost_usd end) as {{ type_usd() }}) as current_cost_usd,
        cast(max(case when variant = 'same' then variant_cost_usd end) as {{ type_usd() }}) as same_tokens_cost_usd,
        cast(max(case when variant = 'longer' then variant_cost_usd end) as {{ type_usd() }}) as longer_output_cost_usd,
        cast(max(case when variant = 'observed' then variant_cost_usd end) as {{ type_usd() }}) as observed_cost_usd
    from costs
    group by
        agent_name,
        current_model,
        candidate_model

),

compared as (

    select
        costs_of_pairs.agent_name as agent_name,
        costs_of_pairs.current_model,
        costs_of_pairs.candidate_model,
        current_sessions.window_start_date as window_start_date,
        current_sessions.window_end_date as window_end_date,
        current_sessions.n_all as n_all,
        current_sessions.n_used as n_used,
        current_sessions.n_unfinished as n_unfinished,
        current_sessions.n_unpriced as n_unpriced,
        current_sessions.n_partial as n_partial,
        current_sessions.finished_session_count as current_finished_session_count,
        current_sessions.successful_session_count as current_successful_session_count,
        coalesce(candidate_sessions.finished_session_count, 0) as candidate_session_count,
        coalesce(candidate_sessions.successful_session_count, 0) as candidate_successful_session_count,
        largest_calls.largest_call_tokens,
        costs_of_pairs.current_cost_usd,
        cast(coalesce(costs_of_pairs.observed_cost_usd, costs_of_pairs.same_tokens_cost_usd) as {{ type_usd() }}) as candidate_cost_usd,
        cast(coalesce(costs_of_pairs.observed_cost_usd, costs_of_pairs.longer_output_cost_usd) as {{ type_usd() }})
            as highest_candidate_cost_usd,
        costs_of_pairs.observed_cost_usd is not null as is_usage_observed
    from costs_of_pairs
    inner join sessions as current_sessions
        on
            costs_of_pairs.agent_name = current_sessions.agent_name
            and costs_of_pairs.current_model = current_sessions.canonical_model
    left join sessions as candidate_sessions
        on
            costs_of_pairs.agent_name = candidate_sessions.agent_name
            and costs_of_pairs.candidate_model = candidate_sessions.canonical_model
    left join largest_calls
        on
            costs_of_pairs.agent_name = largest_calls.agent_name
            and costs_of_pairs.current_model = largest_calls.canonical_model
    where costs_of_pairs.same_tokens_cost_usd < costs_of_pairs.current_cost_usd

),

rates as (

    select
        *,
        {{ ratio('current_successful_session_count', 'current_finished_session_count') }} as current_success_rate,
        {{ wilson_low('current_successful_session_count', 'current_finished_session_count') }} as current_success_low,
        {{ wilson_high('current_successful_session_count', 'current_finished_session_count') }} as current_success_high,
        {{ ratio('candidate_successful_session_count', 'candidate_session_count') }} as candidate_success_rate,
        {{ wilson_low('candidate_successful_session_count', 'candidate_session_count') }} as candidate_success_low,
        {{ wilson_high('candidate_successful_session_count', 'candidate_session_count') }} as candidate_success_high
    from compared

),

differences as (

    select
        *,
        {{ is_small_sample('current_finished_session_count') }} or {{ is_small_sample('candidate_session_count') }} as is_small_sample,
        candidate_success_rate - current_success_rate as success_difference,
        {{ rate_difference_low(
            'candidate_success_rate', 'candidate_success_low', 'current_success_rate', 'current_success_high'
        ) }} as success_difference_low,
        {{ rate_difference_high(
            'candidate_success_rate', 'candidate_success_high', 'current_success_rate', 'current_success_low'
        ) }} as success_difference_high
    from rates

),

reasoned as (

    select
        *,
        case
            when candidate_cost_usd >= current_cost_usd then 'not_cheaper'
            when candidate_session_count = 0 then 'never_ran_here'
            when is_small_sample then 'too_few_sessions'
            when success_difference_high < 0 then 'fewer_successes'
            when candidate_session_count < 100 or current_finished_session_count < 100 then 'too_few_sessions'
            when success_difference_low >= -0.02 then 'cheaper_and_not_worse'
            else 'success_uncertain'
        end as verdict_reason
    from differences

)

select
    {{ rollup_key(['agent_name', 'current_model', 'candidate_model']) }} as model_right_sizing_key,
    agent_name,
    current_model,
    candidate_model,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,
    window_start_date,
    window_end_date,

    -- money at today's list prices
    n_used as session_count,
    current_cost_usd,
    candidate_cost_usd,
    cast(current_cost_usd - candidate_cost_usd as {{ type_usd() }}) as saving_usd,
    {{ ratio('current_cost_usd - candidate_cost_usd', 'current_cost_usd') }} as saving_share,
    cast(current_cost_usd - highest_candidate_cost_usd as {{ type_usd() }}) as saving_low_usd,
    cast(current_cost_usd - candidate_cost_usd as {{ type_usd() }}) as saving_high_usd,
    is_usage_observed,
    largest_call_tokens,

    -- success
    current_finished_session_count,
    current_successful_session_count,
    current_success_rate,
    current_success_low,
    current_success_high,
    candidate_session_count,
    candidate_successful_session_count,
    candidate_success_rate,
    candidate_success_low,
    candidate_success_high,
    success_difference,
    success_difference_low,
    success_difference_high,
    is_small_sample,

    -- advice
    case verdict_reason
        when 'not_cheaper' then 'keep'
        when 'fewer_successes' then 'keep'
        when 'cheaper_and_not_worse' then 'switch'
        else 'pilot'
    end as verdict,
    verdict_reason
from reasoned
