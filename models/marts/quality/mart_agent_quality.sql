{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_key,
        run_date,
        is_final,
        price_status,
        {{ to_usd('rating') }} as rating,
        is_reasked,
        copied_count > 0 as is_copied,
        shared_count > 0 as is_shared,
        regenerated_count > 0 as is_regenerated,
        run_status = 'cancelled' as is_cancelled,
        {{ technical_outcome() }} as technical_outcome,
        {{ product_outcome() }} as product_outcome
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

),

-- an agent with several sessions took part once
agents_of_runs as (

    select distinct
        run_key,
        coalesce(agent_name, '(not set)') as agent_label
    from {{ ref('fct_agent_sessions') }}
    where
        run_key in (
            select runs_of_days.run_key
            from {{ ref('fct_agent_runs') }} as runs_of_days
            where {{ of_affected_days('runs_of_days.run_date') }}
        )

),

days as (

    select
        run_date,
        count(rating) as rated_run_count,
        sum({{ to_usd('rating') }}) as rating_sum
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}
    group by run_date

),

measured as (

    select
        runs.run_date,
        agents_of_runs.agent_label,
        {{ disclosed_counts('is_final', 'not is_final') }},
        count(runs.rating) as rated_run_count,
        sum(runs.rating) as rating_sum,
        {{ user_signals() }},
        {{ outcome_matrix() }}
    from runs
    inner join agents_of_runs on runs.run_key = agents_of_runs.run_key
    group by
        runs.run_date,
        agents_of_runs.agent_label

)

select
    {{ rollup_key(['measured.run_date', 'measured.agent_label']) }} as agent_quality_key,
    measured.run_date as run_date,
    measured.agent_label as agent_name,

    -- what the figures rest on
    measured.n_all,
    measured.n_used,
    measured.n_unfinished,
    measured.n_unpriced,
    measured.n_partial,
    measured.n_all as run_count,

    -- what users said of runs with the agent, and of those without it
    measured.rated_run_count as rated_run_count,
    {{ ratio('measured.rated_run_count', 'measured.n_all') }} as feedback_coverage,
    {{ ratio('measured.rating_sum', 'measured.rated_run_count') }} as mean_rating,
    days.rated_run_count - measured.rated_run_count as rated_run_count_without,
    {{ ratio(
        '(days.rating_sum - coalesce(measured.rating_sum, 0))', '(days.rated_run_count - measured.rated_run_count)'
    ) }} as mean_rating_without,

    -- what users did
    measured.copied_run_count,
    measured.shared_run_count,
    measured.regenerated_run_count,
    measured.reasked_run_count,
    measured.cancelled_run_count,
    measured.signalled_run_count,
    {{ ratio('measured.signalled_run_count', 'measured.n_all') }} as implicit_coverage,

    -- technical by product outcome
    measured.success_useful_count,
    measured.success_useless_count,
    measured.success_unknown_count,
    measured.failed_useful_count,
    measured.failed_useless_count,
    measured.failed_unknown_count,
    measured.other_useful_count,
    measured.other_useless_count,
    measured.other_unknown_count
from measured
inner join days on measured.run_date = days.run_date
