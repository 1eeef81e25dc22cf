{{ config(materialized='view') }}

{#- Length of the union of a run's session intervals: overlapping sessions count once. -#}
with sessions as (

    select
        run_key,
        agent_session_key,
        started_at,
        ended_at
    from {{ ref('int_agent_sessions_assembled') }}

),

with_latest_end as (

    select
        run_key,
        agent_session_key,
        started_at,
        ended_at,
        max(ended_at) over (
            partition by run_key
            order by started_at nulls last, ended_at nulls last, agent_session_key
            rows between unbounded preceding and 1 preceding
        ) as latest_end_before
    from sessions

),

-- each session adds only the part of it that no earlier one has covered
uncovered_parts as (

    select
        run_key,
        case
            when latest_end_before is null or latest_end_before <= started_at
                then {{ milliseconds_between('started_at', 'ended_at') }}
            when latest_end_before < ended_at
                then {{ milliseconds_between('latest_end_before', 'ended_at') }}
            else 0
        end as uncovered_ms
    from with_latest_end

)

select
    run_key,
    {{ bigint_sum('uncovered_ms') }} as covered_ms
from uncovered_parts
group by run_key
