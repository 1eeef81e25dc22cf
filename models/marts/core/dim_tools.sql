with operations as (

    select * from {{ ref('int_operations_daily') }}
    where tool_name != '(none)'

),

rated as (

    select distinct tool_name as rated_tool
    from {{ ref('tool_rate_card') }}

),

tools as (

    select
        tool_name,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        {{ bigint_sum('n_all') }} as call_count,
        count(distinct nullif(agent_name, '(not set)')) as agent_count
    from operations
    group by tool_name

)

select
    tools.tool_name,
    tools.first_seen_at,
    tools.last_seen_at,
    tools.call_count,
    tools.agent_count,
    rated.rated_tool is not null as has_rate
from tools
left join rated on tools.tool_name = rated.rated_tool
