-- Who is new depends on all earlier days, so the table is made anew of sums per day.
with volumes as (

    select * from {{ ref('int_run_volume_daily') }}

),

users_daily as (

    select * from {{ ref('int_users_daily') }}
    where user_id is not null

),

ordered_runs_of_users as (

    select
        run_date,
        workflow_name,
        trigger_type,
        row_number() over (
            partition by user_id order by run_date, first_started_at, workflow_name, trigger_type
        ) as position_of_user
    from users_daily

),

new_users as (

    select
        run_date,
        workflow_name,
        trigger_type,
        count(*) as new_user_count
    from ordered_runs_of_users
    where position_of_user = 1
    group by
        run_date,
        workflow_name,
        trigger_type

)

select
    volumes.run_volume_daily_key as run_volume_key,
    volumes.run_date as run_date,
    volumes.workflow_name as workflow_name,
    volumes.trigger_type as trigger_type,

    -- what the figures rest on
    volumes.n_all,
    volumes.n_used,
    volumes.n_unfinished,
    volumes.n_unpriced,
    volumes.n_partial,

    -- runs and who started them
    volumes.n_all as run_count,
    volumes.active_user_count,
    {{ ratio('volumes.run_with_user_count', 'volumes.active_user_count') }} as runs_per_active_user,
    coalesce(new_users.new_user_count, 0) as new_user_count,
    volumes.run_with_user_count,
    volumes.n_all - volumes.run_with_user_count as run_without_user_count,
    {{ ratio('(volumes.n_all - volumes.run_with_user_count)', 'volumes.n_all') }} as headless_share,
    volumes.conversation_count,
    {{ ratio('volumes.n_all', 'volumes.conversation_count') }} as runs_per_conversation,

    -- how much a run does
    volumes.action_count,
    volumes.p50_actions_per_run,
    volumes.p95_actions_per_run,
    volumes.max_actions_per_run
from volumes
left join new_users
    on
        volumes.run_date = new_users.run_date
        and volumes.workflow_name = new_users.workflow_name
        and volumes.trigger_type = new_users.trigger_type
