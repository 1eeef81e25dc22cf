with sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

priced_sessions as (

    select * from {{ ref('int_agent_sessions_priced') }}

),

step_totals as (

    select * from {{ ref('int_agent_sessions_step_totals') }}

),

classified_sessions as (

    select * from {{ ref('int_agent_sessions_classified') }}

),

totals as (

    select
        sessions.run_key,
        count(*) as agent_session_count,
        count(distinct sessions.agent_name) as agent_count,
        {{ bigint_sum(plausible_duration('sessions.duration_ms')) }} as busy_ms,
        {{ bigint_sum('step_totals.step_count') }} as step_count,
        {{ bigint_sum('step_totals.llm_call_count') }} as llm_call_count,
        {{ bigint_sum('step_totals.tool_call_count') }} as tool_call_count,
        {{ bigint_sum('step_totals.failed_step_count') }} as failed_step_count,
        {{ bigint_sum('step_totals.retried_step_count') }} as retried_step_count,
        {{ bigint_sum('step_totals.silent_failure_count') }} as silent_failure_count,
        {{ bigint_sum('priced_sessions.input_tokens') }} as input_tokens,
        {{ bigint_sum('priced_sessions.output_tokens') }} as output_tokens,
        {{ bigint_sum('priced_sessions.cache_read_tokens') }} as cache_read_tokens,
        {{ bigint_sum('priced_sessions.cache_write_tokens') }} as cache_write_tokens,
        {{ bigint_sum('priced_sessions.total_tokens') }} as total_tokens,
        {{ usd_sum('priced_sessions.cost_usd') }} as sessions_cost_usd,
        {{ usd_sum('priced_sessions.known_cost_usd') }} as sessions_known_cost_usd,
        {{ usd_sum('step_totals.cost_usd') }} as steps_cost_usd,
        {{ usd_sum('priced_sessions.list_cost_usd') }} as list_cost_usd,
        {{ usd_sum('priced_sessions.list_cost_today_usd') }} as list_cost_today_usd,
        {% for class in token_classes() -%}
        {{ usd_sum('priced_sessions.' ~ class ~ '_cost_usd') }} as {{ class }}_cost_usd,
        {% endfor -%}
        cast(
            case
                when {{ count_where('step_totals.wasted_step_count > 0 and step_totals.wasted_cost_usd is null') }} = 0
                    then sum(step_totals.wasted_cost_usd)
            end as {{ type_usd() }}
        ) as wasted_steps_cost_usd,
        {{ bigint_sum('step_totals.wasted_step_count') }} as wasted_step_count,
        {{ count_where("priced_sessions.price_status = 'unpriced'") }} as unpriced_session_count,
        {{ count_where('priced_sessions.total_tokens > 0 and priced_sessions.list_cost_usd is null') }} as unlisted_session_count,
        {{ count_where(
            'priced_sessions.total_tokens > 0 and priced_sessions.list_cost_today_usd is null'
        ) }} as unlisted_today_session_count,
        {{ count_where('priced_sessions.has_unknown_cost') }} as unknown_cost_session_count,
        {{ count_where('priced_sessions.is_price_extrapolated') }} as extrapolated_session_count,
        {{ count_where("priced_sessions.price_status = 'priced'") }} as listed_session_count,
        case
            when
                min(coalesce(priced_sessions.canonical_model, '')) = max(priced_sessions.canonical_model)
                then max(priced_sessions.canonical_model)
        end as only_canonical_model,
        -- one convention for the run only when all its models share it; a session without model and tokens says nothing of
        -- it, unless there is no other
        {% for convention in ['prompt_tokens_include_cache_read', 'prompt_tokens_include_cache_write'] -%}
        {%- set answer = 'case when priced_sessions.' ~ convention ~ ' then 1 else 0 end' -%}
        {%- set informed = 'case when priced_sessions.canonical_model is not null or priced_sessions.total_tokens is not null'
            ~ ' then ' ~ answer ~ ' end' -%}
        case
            when coalesce(min({{ informed }}), min({{ answer }})) = coalesce(max({{ informed }}), max({{ answer }}))
                then coalesce(max({{ informed }}), max({{ answer }})) = 1
        end as {{ convention }},
        {% endfor -%}
        min(case when priced_sessions.reasoning_tokens_counted_apart then 1 else 0 end) = 1 as reasoning_tokens_counted_apart
    from sessions
    inner join priced_sessions on sessions.agent_session_key = priced_sessions.agent_session_key
    left join step_totals on sessions.agent_session_key = step_totals.agent_session_key
    group by sessions.run_key

),

-- the union of a run's session intervals: overlapping sessions count once
with_latest_end as (

    select
        run_key,
        agent_session_key,
        started_at,
        ended_at,
        max(ended_at) over (
            partition by run_key
            order by started_at nulls last, ended_at nulls last, {{ key_order('agent_session_key') }}
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from {{ ref('int_agent_sessions_assembled') }}

),

-- each session adds only the part of it that no earlier one has covered
uncovered_parts as (

    select
        run_key,
        case
            when latest_end_before is null or latest_end_before <= started_at
                then {{ milliseconds_between('started_at', 'ended_at') }}
            when latest_end_before < ended_at
                then {{ milliseconds_between('latest_end_before', 'ended_at') }}
            else 0
        end as uncovered_ms
    from with_latest_end

),

covered_time as (

    select
        run_key as covered_run_key,
        {{ bigint_sum('uncovered_ms') }} as covered_ms
    from uncovered_parts
    group by run_key

),

-- read again: a table expression with two readers would be kept in memory
failing_sessions as (

    select
        failed.run_key as failing_run_key,
        classified_sessions.failure_mode,
        classified_sessions.failure_category,
        row_number() over (
            partition by failed.run_key
            order by
                case when classified_sessions.failure_category = 'unclassified' then 1 else 0 end,
                failed.ended_at nulls last,
                {{ key_order('failed.agent_session_key') }}
        ) as failure_rank
    from {{ ref('int_agent_sessions_assembled') }} as failed
    inner join classified_sessions on failed.agent_session_key = classified_sessions.agent_session_key
    where failed.session_status in ('error', 'timeout')

)

select
    totals.*,
    covered_time.covered_ms,
    failing_sessions.failure_mode as session_failure_mode,
    failing_sessions.failure_category as session_failure_category
from totals
left join covered_time on totals.run_key = covered_time.covered_run_key
left join failing_sessions
    on
        totals.run_key = failing_sessions.failing_run_key
        and failing_sessions.failure_rank = 1
