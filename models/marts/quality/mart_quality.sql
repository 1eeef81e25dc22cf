{{ config(daily_rollup('run_date')) }}

with runs as (

    select
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_label,
        is_final,
        price_status,
        {{ technical_outcome() }} as technical_outcome,
        {{ product_outcome() }} as product_outcome,
        {{ to_usd('rating') }} as rating,
        copied_count > 0 as is_copied,
        shared_count > 0 as is_shared,
        regenerated_count > 0 as is_regenerated,
        is_reasked,
        run_status = 'cancelled' as is_cancelled
    from {{ ref('fct_agent_runs') }}
    where {{ of_affected_days('run_date') }}

)

select
    {{ rollup_key(['run_date', 'workflow_label']) }} as quality_key,
    run_date,
    workflow_label as workflow_name,

    -- what the figures rest on
    {{ disclosed_counts('is_final', 'not is_final') }},
    cast(count(*) as {{ dbt.type_bigint() }}) as run_count,

    -- what users said
    count(rating) as rated_run_count,
    {{ ratio('count(rating)', 'count(*)') }} as feedback_coverage,
    {{ ratio('sum(rating)', 'count(rating)') }} as mean_rating,

    -- what users did
    {{ user_signals() }},
    {{ ratio(count_where('is_copied or is_shared or is_regenerated or is_reasked or is_cancelled'), 'count(*)') }} as implicit_coverage,

    -- technical by product outcome
    {{ outcome_matrix() }}
from runs
group by
    run_date,
    workflow_label
