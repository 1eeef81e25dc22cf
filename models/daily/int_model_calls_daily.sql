{{ config(daily_rollup('step_date')) }}

{%- set context_tokens = '(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0))' %}

with thresholds as (

    select distinct long_context_threshold_tokens as threshold_tokens
    from {{ ref('model_pricing') }}
    where long_context_threshold_tokens is not null

),

-- ranges of context between two neighbours, so that the long calls of any model are whole ranges
ranges as (

    select
        threshold_tokens as context_above_tokens,
        coalesce(lead({{ nullable('threshold_tokens') }}) over (order by threshold_tokens), 1000000000) as context_up_to_tokens
    from thresholds

),

least_threshold as (

    select coalesce(min(threshold_tokens), 1000000000) as least_threshold_tokens
    from thresholds

),

-- most calls are short, and need no join
short_calls as (

    select
        step_date,
        coalesce(agent_name, '(not set)') as agent_name,
        canonical_model,
        0 as context_above_tokens,
        {{ context_tokens }} as context_tokens,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens
    from {{ ref('fct_agent_steps') }}
    where
        canonical_model is not null
        and total_tokens is not null
        and {{ context_tokens }} <= (select least_threshold.least_threshold_tokens from least_threshold)
        and {{ of_affected_days('step_date') }}

),

long_steps as (

    select
        step_date,
        coalesce(agent_name, '(not set)') as agent_name,
        canonical_model,
        {{ context_tokens }} as context_tokens,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens
    from {{ ref('fct_agent_steps') }}
    where
        canonical_model is not null
        and total_tokens is not null
        and {{ context_tokens }} > (select least_threshold.least_threshold_tokens from least_threshold)
        and {{ of_affected_days('step_date') }}

),

calls as (

    select * from short_calls

    union all

    select
        long_steps.step_date,
        long_steps.agent_name,
        long_steps.canonical_model,
        ranges.context_above_tokens,
        long_steps.context_tokens,
        long_steps.input_tokens,
        long_steps.output_tokens,
        long_steps.cache_read_tokens,
        long_steps.cache_write_tokens
    from long_steps
    cross join ranges
    where
        long_steps.context_tokens > ranges.context_above_tokens
        and long_steps.context_tokens <= ranges.context_up_to_tokens

)

select
    step_date,
    agent_name,
    canonical_model,
    cast(context_above_tokens as {{ dbt.type_bigint() }}) as context_above_tokens,
    cast(count(*) as {{ dbt.type_bigint() }}) as call_count,
    cast(max(context_tokens) as {{ dbt.type_bigint() }}) as largest_context_tokens,
    {{ bigint_sum('input_tokens') }} as input_tokens,
    {{ bigint_sum('output_tokens') }} as output_tokens,
    {{ bigint_sum('cache_read_tokens') }} as cache_read_tokens,
    {{ bigint_sum('cache_write_tokens') }} as cache_write_tokens
from calls
group by
    step_date,
    agent_name,
    canonical_model,
    context_above_tokens
