with users_daily as (

    select * from {{ ref('int_users_daily') }}
    where user_id is not null

)

select
    user_id,
    min(first_started_at) as first_run_at,
    max(last_started_at) as last_run_at,
    {{ bigint_sum('run_count') }} as run_count
from users_daily
group by user_id
