with sessions as (

    select
        session_date,
        count(*) as session_count
    from {{ ref('fct_agent_sessions') }}
    where {{ of_tested_days('session_date', ['fct_agent_sessions']) }}
    group by session_date

),

rollup_rows as (

    select
        session_date,
        sum(n_all) as session_count,
        sum(n_used) as used_count,
        sum(n_unfinished) as unfinished_count,
        sum(duration_ms) as duration_ms,
        coalesce(sum(llm_ms), 0) + coalesce(sum(tool_ms), 0) + sum(other_ms) as parts_ms
    from {{ ref('mart_agent_latency') }}
    where {{ of_tested_days('session_date', ['fct_agent_sessions']) }}
    group by session_date

)

select
    sessions.session_date as fact_date,
    rollup_rows.session_date as rollup_date,
    sessions.session_count as fact_count,
    rollup_rows.session_count as rollup_count
from sessions
full outer join rollup_rows on sessions.session_date = rollup_rows.session_date
where
    {{ differs('sessions.session_count', 'rollup_rows.session_count') }}
    or rollup_rows.used_count + rollup_rows.unfinished_count > rollup_rows.session_count
    or rollup_rows.duration_ms != rollup_rows.parts_ms
