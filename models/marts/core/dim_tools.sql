with operations as (

    select * from {{ ref('int_operations_daily') }}
    where tool_name != '(none)'

)

select
    tool_name,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    {{ bigint_sum('n_all') }} as call_count,
    count(distinct nullif(agent_name, '(not set)')) as agent_count
from operations
group by tool_name
