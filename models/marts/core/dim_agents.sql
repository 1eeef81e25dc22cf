with sessions_daily as (

    select * from {{ ref('int_agent_sessions_daily') }}

),

agent_catalog as (

    select * from {{ ref('agent_catalog') }}
    where agent_name != '*'

),

seen as (

    select
        agent_name,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        {{ bigint_sum('n_all') }} as session_count
    from sessions_daily
    group by agent_name

),

-- an agent with an entry per mode works in both, and the stricter objective is the one it is known by
listed as (

    select
        agent_name,
        min(role) as agent_role,
        case when count(*) = 1 then min(execution_mode) else '*' end as execution_mode,
        cast(min(latency_slo_ms) as {{ dbt.type_bigint() }}) as latency_slo_ms
    from agent_catalog
    group by agent_name

),

names as (

    select agent_name from seen
    union distinct
    select agent_name from listed

)

select
    names.agent_name as agent_name,
    listed.agent_role,
    listed.execution_mode,
    listed.latency_slo_ms,
    seen.first_seen_at,
    seen.last_seen_at,
    coalesce(seen.session_count, 0) as session_count,
    listed.agent_name is not null as is_in_catalog
from names
left join seen on names.agent_name = seen.agent_name
left join listed on names.agent_name = listed.agent_name
