{{ config(materialized='view') }}

with runs as (

    select * from {{ ref('int_runs_assembled') }}

),

session_totals as (

    select * from {{ ref('int_runs_session_totals') }}

),

conventions as (

    select
        runs.run_key as run_key,
        runs.reported_cost_usd,
        runs.sent_prompt_tokens,
        runs.sent_completion_tokens,
        runs.sent_cache_read_tokens,
        runs.sent_cache_write_tokens,
        coalesce(
            runs.sent_prompt_tokens, runs.sent_completion_tokens,
            runs.sent_cache_read_tokens, runs.sent_cache_write_tokens
        ) is not null
        -- agents of different conventions in one run: the total cannot be split, the sessions can
        and not (
            coalesce(runs.sent_cache_read_tokens, 0) + coalesce(runs.sent_cache_write_tokens, 0) > 0
            and session_totals.run_key is not null
            and (
                session_totals.prompt_tokens_include_cache_read is null
                or session_totals.prompt_tokens_include_cache_write is null
            )
        ) as has_usable_tokens,
        {{ cached_tokens_in_prompt(
            'runs.sent_prompt_tokens', 'runs.sent_cache_read_tokens', 'runs.sent_cache_write_tokens',
            'session_totals.prompt_tokens_include_cache_read',
            'session_totals.prompt_tokens_include_cache_write'
        ) }} as cached_in_prompt,
        session_totals.input_tokens as sessions_input_tokens,
        session_totals.output_tokens as sessions_output_tokens,
        session_totals.cache_read_tokens as sessions_cache_read_tokens,
        session_totals.cache_write_tokens as sessions_cache_write_tokens,
        session_totals.sessions_cost_usd,
        session_totals.steps_cost_usd,
        session_totals.unpriced_session_count,
        session_totals.listed_session_count,
        session_totals.costed_unlisted_session_count,
        session_totals.wasted_steps_cost_usd,
        session_totals.wasted_step_count,
        cast(
            case when session_totals.unlisted_session_count = 0 then session_totals.list_cost_usd end
            as {{ type_usd() }}
        ) as list_cost_usd,
        cast(
            case when session_totals.unlisted_today_session_count = 0 then session_totals.list_cost_today_usd end
            as {{ type_usd() }}
        ) as list_cost_today_usd
    from runs
    left join session_totals on runs.run_key = session_totals.run_key

),

-- the run's own counts, or those of its sessions: never a mixture of both
tokens_chosen as (

    select
        *,
        case
            when has_usable_tokens then {{ uncached_input_tokens('sent_prompt_tokens', 'cached_in_prompt') }}
            else sessions_input_tokens
        end as input_tokens,
        case when has_usable_tokens then sent_completion_tokens else sessions_output_tokens end as output_tokens,
        case when has_usable_tokens then sent_cache_read_tokens else sessions_cache_read_tokens end as cache_read_tokens,
        case when has_usable_tokens then sent_cache_write_tokens else sessions_cache_write_tokens end as cache_write_tokens
    from conventions

),

tokens_summed as (

    select
        *,
        {{ sum_of_token_classes() }} as total_tokens
    from tokens_chosen

),

believed as (

    select
        *,
        {{ believable_cost('reported_cost_usd', 'total_tokens') }} as believable_cost_usd,
        -- a partial sum would look like a full cost
        cast(case when costed_unlisted_session_count = 0 then list_cost_usd end as {{ type_usd() }}) as complete_list_cost_usd,
        cast(case when unpriced_session_count = 0 then sessions_cost_usd end as {{ type_usd() }}) as complete_sessions_cost_usd
    from tokens_summed

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
        list_cost_usd,
        list_cost_today_usd,
        sessions_cost_usd,
        steps_cost_usd,
        wasted_steps_cost_usd,
        wasted_step_count,
        coalesce(believable_cost_usd, complete_list_cost_usd, complete_sessions_cost_usd) as cost_usd,
        case
            when believable_cost_usd is not null then 'reported'
            when complete_list_cost_usd is not null then 'list_price'
            when complete_sessions_cost_usd is not null then 'sum_of_sessions'
            else 'none'
        end as cost_basis,
        case
            when believable_cost_usd is not null then 'reported'
            when complete_list_cost_usd is not null then 'priced'
            when complete_sessions_cost_usd is not null
                then case when listed_session_count > 0 then 'priced' else 'reported' end
            when total_tokens > 0 or unpriced_session_count > 0 then 'unpriced'
            else 'no_usage'
        end as price_status
    from believed

)

select * from resolved
