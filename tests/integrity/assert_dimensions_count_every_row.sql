-- What dimensions and conversations count together is what the facts hold.
with days as (

    select run_date as fact_date from {{ ref('fct_agent_runs') }}
    union distinct
    select session_date as fact_date from {{ ref('fct_agent_sessions') }}
    union distinct
    select step_date as fact_date from {{ ref('fct_agent_steps') }}
    union distinct
    select action_date as fact_date from {{ ref('fct_user_actions') }}

),

counts as (

    select
        'sessions of dim_agents' as counted,
        (select sum(session_count) from {{ ref('dim_agents') }}) as found,
        (select count(*) from {{ ref('fct_agent_sessions') }}) as expected

    union all

    select
        'calls of dim_tools' as counted,
        (select sum(call_count) from {{ ref('dim_tools') }}) as found,
        (select count(tool_name) from {{ ref('fct_agent_steps') }}) as expected

    union all

    select
        'runs of dim_workflows' as counted,
        (select sum(run_count) from {{ ref('dim_workflows') }}) as found,
        (select count(*) from {{ ref('fct_agent_runs') }}) as expected

    union all

    select
        'runs of dim_users' as counted,
        (select sum(run_count) from {{ ref('dim_users') }}) as found,
        (select count(user_id) from {{ ref('fct_agent_runs') }}) as expected

    union all

    select
        'runs of fct_conversations' as counted,
        (select sum(run_count) from {{ ref('fct_conversations') }}) as found,
        (select count(*) from {{ ref('fct_agent_runs') }}) as expected

    union all

    -- whoever is new is new once
    select
        'new users of mart_run_volume' as counted,
        (select sum(new_user_count) from {{ ref('mart_run_volume') }}) as found,
        (select count(distinct user_id) from {{ ref('fct_agent_runs') }}) as expected

    union all

    select
        'users of all cohorts of mart_user_retention' as counted,
        (select sum(case when week_number = 0 then active_user_count end) from {{ ref('mart_user_retention') }}) as found,
        (select count(distinct user_id) from {{ ref('fct_agent_runs') }}) as expected

    union all

    -- a fact's row on a day that the calendar lacks would find none
    select
        'days of facts in dim_dates' as counted,
        (select count(*) from days inner join {{ ref('dim_dates') }} as dim_dates on days.fact_date = dim_dates.date_day) as found,
        (select count(fact_date) from days) as expected

)

select * from counts
where coalesce(found, 0) != expected
