{#- A late run may be the first or the last of an old conversation, so the table is made anew of a few columns of all runs. -#}
with runs as (

    select
        conversation_id,
        user_id,
        run_key,
        started_at,
        ended_at,
        run_status,
        is_successful,
        is_final,
        friction_count,
        price_status,
        cost_usd,
        known_cost_usd
    from {{ ref('fct_agent_runs') }}

),

ordered as (

    select
        *,
        row_number() over (
            partition by conversation_id order by started_at desc nulls last, {{ key_order('run_key') }} desc
        ) as position_from_end,
        row_number() over (
            partition by conversation_id
            order by case when user_id is null then 1 else 0 end, started_at nulls last, {{ key_order('run_key') }}
        ) as position_among_named
    from runs

),

conversations as (

    select
        conversation_id,
        -- the first user that is named
        max(case when position_among_named = 1 then user_id end) as user_id,
        count(*) as run_count,
        {{ count_where('is_final') }} as final_run_count,
        {{ count_where('is_successful') }} as success_count,
        {{ count_where("run_status in ('error', 'timeout')") }} as failed_run_count,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        max(case when position_from_end = 1 then run_status end) as last_run_status,
        {{ bigint_sum('friction_count') }} as friction_count,
        {{ usd_sum('cost_usd') }} as cost_usd,
        {{ usd_sum('known_cost_usd') }} as known_cost_usd,
        {{ count_where("price_status = 'unpriced'") }} as n_unpriced,
        {{ count_where("price_status = 'partial'") }} as n_partial
    from ordered
    group by conversation_id

)

select
    conversation_id,
    user_id,
    {{ reporting_date('started_at') }} as conversation_date,
    started_at,
    ended_at,
    run_count,
    final_run_count,
    success_count,
    failed_run_count,
    friction_count,
    last_run_status,
    last_run_status in ('error', 'timeout') as ended_after_failure,
    cost_usd,
    known_cost_usd,
    n_unpriced,
    n_partial
from conversations
