{%- set session_sums = [
    'n_all', 'n_used', 'n_unfinished', 'n_unpriced', 'n_partial', 'finished_session_count', 'successful_session_count', 'cost_usd',
    'known_cost_usd', 'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens'
] %}

with sessions as (

    select
        {% for column in session_sums -%}
        sum({{ column }}) as {{ column }},
        {% endfor -%}
        session_date,
        agent_name,
        canonical_model
    from {{ ref('int_agent_sessions_daily') }}
    group by
        session_date,
        agent_name,
        canonical_model

),

ranked as (

    select
        session_date,
        agent_name,
        canonical_model,
        row_number() over (partition by agent_name, session_date order by n_all desc, canonical_model asc) as model_rank
    from sessions
    where n_all >= 10

),

-- days without a main model, such as quiet weekends, interrupt nothing
neighbours as (

    select
        session_date,
        agent_name,
        canonical_model,
        min(canonical_model) over (partition by agent_name order by session_date rows between 7 preceding and 1 preceding)
            as first_model_before,
        max(canonical_model) over (partition by agent_name order by session_date rows between 7 preceding and 1 preceding)
            as last_model_before,
        count(*) over (partition by agent_name order by session_date rows between 7 preceding and 1 preceding) as day_count_before,
        min(canonical_model) over (partition by agent_name order by session_date rows between current row and 6 following)
            as first_model_after,
        max(canonical_model) over (partition by agent_name order by session_date rows between current row and 6 following)
            as last_model_after,
        count(*) over (partition by agent_name order by session_date rows between current row and 6 following) as day_count_after
    from ranked
    where model_rank = 1

),

switches as (

    select
        agent_name as switching_agent_name,
        last_model_before as from_model,
        canonical_model as to_model,
        session_date as switched_on,
        cast({{ dbt.dateadd('day', -14, 'session_date') }} as date) as first_date_before,
        cast({{ dbt.dateadd('day', 13, 'session_date') }} as date) as last_date_after
    from neighbours
    where
        day_count_before = 7
        and day_count_after = 7
        and first_model_before = last_model_before
        and first_model_after = last_model_after
        and last_model_before != canonical_model

),

-- the agent's sessions with the old model in the 14 days before, and with the new one in the 14 days from then on
sides as (

    select
        {% for column in session_sums -%}
        sum(sessions.{{ column }}) as {{ column }},
        {% endfor -%}
        switches.switching_agent_name,
        switches.from_model,
        switches.to_model,
        switches.switched_on,
        case when sessions.session_date < switches.switched_on then 'before' else 'after' end as side
    from switches
    inner join sessions
        on
            switches.switching_agent_name = sessions.agent_name
            and sessions.session_date between switches.first_date_before and switches.last_date_after
    where
        sessions.canonical_model
        = case when sessions.session_date < switches.switched_on then switches.from_model else switches.to_model end
    group by
        switches.switching_agent_name,
        switches.from_model,
        switches.to_model,
        switches.switched_on,
        case when sessions.session_date < switches.switched_on then 'before' else 'after' end

),

-- a percentile needs the sessions themselves: few columns, of the agents that switched
durations as (

    select
        coalesce(agent_name, '(not set)') as agent_name,
        coalesce(canonical_model, model_name, '(none)') as canonical_model,
        session_date,
        {{ plausible_duration('duration_ms') }} as duration_ms
    from {{ ref('fct_agent_sessions') }}
    where is_successful is not null

),

medians as (

    select
        switches.switching_agent_name,
        switches.switched_on,
        {{ percentile('case when durations.session_date < switches.switched_on then durations.duration_ms end', 0.5) }}
            as p50_duration_ms_before,
        {{ percentile('case when durations.session_date >= switches.switched_on then durations.duration_ms end', 0.5) }}
            as p50_duration_ms_after
    from switches
    inner join durations
        on
            switches.switching_agent_name = durations.agent_name
            and durations.session_date between switches.first_date_before and switches.last_date_after
    where
        durations.canonical_model
        = case when durations.session_date < switches.switched_on then switches.from_model else switches.to_model end
    group by
        switches.switching_agent_name,
        switches.switched_on

),

prices as (

    select * from {{ ref('int_model_prices') }}

),

-- the tokens from before at the price that the new model had on the day of the switch
tokens_before as (

    select
        switching_agent_name,
        to_model as new_model,
        switched_on,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        0 as sent_cache_write_1h_tokens,
        'standard' as price_tier
    from sides
    where side = 'before'

),

predictions as (

    select
        tokens_before.switching_agent_name as switching_agent_name,
        tokens_before.switched_on as switched_on,
        {{ list_cost('prices', 'false') }} as predicted_cost_usd
    from tokens_before
    inner join prices
        on
            tokens_before.new_model = prices.priced_model
            and tokens_before.switched_on >= prices.valid_from
            and tokens_before.switched_on < prices.valid_to

),

both_sides as (

    select
        {{ summed_counts() }},
        {% for side in ['before', 'after'] -%}
        {{ bigint_sum("case when side = '" ~ side ~ "' then n_used end") }} as session_count_{{ side }},
        {{ usd_sum("case when side = '" ~ side ~ "' then cost_usd end") }} as cost_usd_{{ side }},
        {{ bigint_sum("case when side = '" ~ side ~ "' then finished_session_count end") }} as finished_session_count_{{ side }},
        {{ bigint_sum("case when side = '" ~ side ~ "' then successful_session_count end") }} as successful_session_count_{{ side }},
        {% endfor -%}
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        switching_agent_name,
        from_model,
        to_model,
        switched_on
    from sides
    group by
        switching_agent_name,
        from_model,
        to_model,
        switched_on

),

rates as (

    select
        {% for side in ['before', 'after'] -%}
        {{ ratio('successful_session_count_' ~ side, 'finished_session_count_' ~ side) }} as success_rate_{{ side }},
        {{ wilson_low('successful_session_count_' ~ side, 'finished_session_count_' ~ side) }} as success_low_{{ side }},
        {{ wilson_high('successful_session_count_' ~ side, 'finished_session_count_' ~ side) }} as success_high_{{ side }},
        {% endfor -%}
        both_sides.*
    from both_sides

)

select
    {{ rollup_key(['rates.switching_agent_name', 'rates.switched_on']) }} as model_switches_key,
    rates.switching_agent_name as agent_name,
    rates.from_model,
    rates.to_model,
    rates.switched_on as switched_on,

    -- what the figures rest on
    rates.n_all,
    rates.n_used,
    rates.n_unfinished,
    rates.n_unpriced,
    rates.n_partial,

    -- money
    rates.session_count_before,
    rates.session_count_after,
    rates.cost_usd_before,
    rates.cost_usd_after,
    rates.known_cost_usd,
    {{ to_usd(ratio('rates.cost_usd_before', 'rates.session_count_before')) }} as cost_per_session_usd_before,
    {{ to_usd(ratio('rates.cost_usd_after', 'rates.session_count_after')) }} as cost_per_session_usd_after,
    cast(rates.cost_usd_before - predictions.predicted_cost_usd as {{ type_usd() }}) as predicted_saving_usd,
    {{ to_usd(
        'rates.cost_usd_before - rates.session_count_before * ' ~ ratio('rates.cost_usd_after', 'rates.session_count_after')
    ) }} as realised_saving_usd,

    -- time
    medians.p50_duration_ms_before,
    medians.p50_duration_ms_after,

    -- success
    rates.finished_session_count_before,
    rates.successful_session_count_before,
    rates.success_rate_before,
    rates.finished_session_count_after,
    rates.successful_session_count_after,
    rates.success_rate_after,
    rates.success_rate_after - rates.success_rate_before as success_difference,
    {{ rate_difference_low(
        'rates.success_rate_after', 'rates.success_low_after', 'rates.success_rate_before', 'rates.success_high_before'
    ) }} as success_difference_low,
    {{ rate_difference_high(
        'rates.success_rate_after', 'rates.success_high_after', 'rates.success_rate_before', 'rates.success_low_before'
    ) }} as success_difference_high,
    {{ is_small_sample('rates.finished_session_count_before') }}
    or {{ is_small_sample('rates.finished_session_count_after') }} as is_small_sample
from rates
left join medians
    on
        rates.switching_agent_name = medians.switching_agent_name
        and rates.switched_on = medians.switched_on
left join predictions
    on
        rates.switching_agent_name = predictions.switching_agent_name
        and rates.switched_on = predictions.switched_on
