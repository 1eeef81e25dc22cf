with steps as (

    select
        *,
        -- without a cost only a model call that was billed makes the waste unknown
        (is_failed or is_retried) and (cost_usd is not null or has_unknown_cost) as is_wasted
    from {{ ref('fct_agent_steps') }}
    where {{ of_affected_runs('ended_at') }}

),

totals as (

    select
        agent_session_key,
        count(*) as step_count,
        {{ count_where("step_type = 'llm_call'") }} as llm_call_count,
        {{ count_where("step_type = 'tool_call'") }} as tool_call_count,
        {{ count_where('is_failed') }} as failed_step_count,
        {{ count_where('is_retry') }} as retried_step_count,
        {{ count_where('is_fallback') }} as fallback_step_count,
        {{ count_where('is_silent_failure') }} as silent_failure_count,
        {{ bigint_sum("case when step_type = 'llm_call' then " ~ plausible_duration('duration_ms') ~ ' end') }} as llm_ms,
        {{ bigint_sum("case when step_type = 'tool_call' then " ~ plausible_duration('duration_ms') ~ ' end') }} as tool_ms,
        {{ bigint_sum('input_tokens') }} as input_tokens,
        {{ bigint_sum('output_tokens') }} as output_tokens,
        {{ bigint_sum('cache_read_tokens') }} as cache_read_tokens,
        {{ bigint_sum('cache_write_tokens') }} as cache_write_tokens,
        {{ bigint_sum('total_tokens') }} as total_tokens,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ usd_sum('list_cost_usd') }} as list_cost_usd,
        {{ usd_sum('list_cost_today_usd') }} as list_cost_today_usd,
        {% for class in token_classes() -%}
        {{ usd_sum(class ~ '_cost_usd') }} as {{ class }}_cost_usd,
        {% endfor -%}
        {{ usd_sum('tool_cost_usd') }} as tool_cost_usd,
        -- steps that did again what one before them in the session did, and not because it had failed
        cast(
            count(case when not is_retry then signature_hash end) - count(distinct case when not is_retry then signature_hash end)
            as {{ dbt.type_bigint() }}
        ) as redundant_step_count,
        count(signature_hash) as signed_step_count,
        {{ count_where("price_status = 'unpriced'") }} as unpriced_step_count,
        {{ count_where('has_unknown_cost') }} as unknown_cost_step_count,
        {{ count_where('list_cost_usd is null and total_tokens > 0') }} as unlisted_step_count,
        {{ count_where('list_cost_today_usd is null and total_tokens > 0') }} as unlisted_today_step_count,
        {{ count_where("cost_basis = 'list_price'") }} as listed_step_count,
        {{ count_where('is_price_extrapolated') }} as extrapolated_step_count,
        {{ count_where('is_wasted') }} as wasted_step_count,
        -- one unknown cost makes the waste unknown
        cast(
            case
                when {{ count_where('is_wasted and cost_usd is null') }} = 0
                    then sum(case when is_wasted then cost_usd end)
            end as {{ type_usd() }}
        ) as wasted_cost_usd
    from steps
    group by agent_session_key

)

select * from totals
