with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

days as (

    select * from {{ ref('int_agent_pairs_daily') }}

),

summed as (

    select
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        days.workflow_name,
        days.agent_a,
        days.agent_b,
        {{ summed_counts('days') }},
        {{ bigint_sum('days.overlapping_run_count') }} as overlapping_run_count,
        {{ bigint_sum('days.forward_run_count') }} as forward_run_count,
        {{ bigint_sum('days.backward_run_count') }} as backward_run_count,
        {{ bigint_sum('days.savable_ms') }} as savable_ms
    from days
    cross join analysis_window
    where {{ in_analysis_window('days.run_date') }}
    group by
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        days.workflow_name,
        days.agent_a,
        days.agent_b

),

-- a pair has one row, in the order in which it mostly runs
directed as (

    select
        *,
        case when forward_run_count >= backward_run_count then agent_a else agent_b end as agent_name,
        case when forward_run_count >= backward_run_count then agent_b else agent_a end as next_agent_name,
        greatest(forward_run_count, backward_run_count) as sequential_run_count,
        least(forward_run_count, backward_run_count) as reversed_run_count,
        overlapping_run_count + least(forward_run_count, backward_run_count) as independent_run_count
    from summed

)

select
    {{ rollup_key(['workflow_name', 'agent_name', 'next_agent_name']) }} as parallelization_key,
    workflow_name,
    agent_name,
    next_agent_name,
    window_start_date,
    window_end_date,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,

    sequential_run_count,
    overlapping_run_count,
    reversed_run_count,
    independent_run_count,
    {{ ratio('independent_run_count', 'n_used') }} as independence_share,
    {{ wilson_low('independent_run_count', 'n_used') }} as independence_share_low,
    {{ wilson_high('independent_run_count', 'n_used') }} as independence_share_high,
    {{ is_small_sample('n_used') }} as is_small_sample,
    savable_ms,
    case
        when {{ is_small_sample('n_used') }} then 'unknown'
        when independent_run_count = 0 then 'dependent'
        when independent_run_count >= 5 and independent_run_count >= 0.05 * n_used then 'independent'
        else 'unknown'
    end as verdict
from directed
