select
    run_key,
    count(*) as agent_session_count
from {{ ref('fct_agent_sessions') }}
where {{ of_tested_runs('ended_at') }}
group by run_key
having {{ count_where('is_on_critical_path') }} = 0
