with users_daily as (

    select * from {{ ref('int_users_daily') }}
    where user_id is not null

),

-- a day has one plan of a user, the newest day the one that holds
plans_ranked as (

    select
        user_id as planned_user_id,
        plan_name,
        row_number() over (partition by user_id order by run_date desc) as plan_rank
    from users_daily
    where plan_name is not null

),

users as (

    select
        user_id,
        min(first_started_at) as first_run_at,
        max(last_started_at) as last_run_at,
        {{ bigint_sum('run_count') }} as run_count
    from users_daily
    group by user_id

)

select
    users.user_id,
    users.first_run_at,
    users.last_run_at,
    users.run_count,
    plans_ranked.plan_name
from users
left join plans_ranked
    on
        users.user_id = plans_ranked.planned_user_id
        and plans_ranked.plan_rank = 1
