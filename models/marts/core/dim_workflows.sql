with runs_daily as (

    select * from {{ ref('int_runs_daily') }}

)

select
    workflow_name,
    min(first_started_at) as first_seen_at,
    max(last_started_at) as last_seen_at,
    {{ bigint_sum('n_all') }} as run_count
from runs_daily
group by workflow_name
