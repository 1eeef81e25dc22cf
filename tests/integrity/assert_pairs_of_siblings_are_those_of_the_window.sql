-- A run counts in a pair of agents of the window exactly when two siblings of it, one of each, have none between them.
with sessions as (

    select
        sessions.run_key,
        coalesce(handoffs.from_agent_session_key, sessions.run_key) as sibling_group,
        sessions.session_number,
        sessions.agent_name
    from {{ ref('fct_agent_sessions') }} as sessions
    left join {{ ref('fct_agent_handoffs') }} as handoffs
        on
            sessions.agent_session_key = handoffs.to_agent_session_key
            and sessions.run_key = handoffs.run_key
            and handoffs.is_inferred = false
            and handoffs.is_cross_run = false

),

neighbours as (

    select
        earlier.run_key,
        earlier.agent_name,
        min(later.session_number) as next_number,
        earlier.sibling_group
    from sessions as earlier
    inner join sessions as later on earlier.sibling_group = later.sibling_group
    where later.session_number > earlier.session_number
    group by
        earlier.run_key,
        earlier.sibling_group,
        earlier.session_number,
        earlier.agent_name

),

pairs as (

    select distinct
        neighbours.run_key,
        least(neighbours.agent_name, later.agent_name) as agent_a,
        greatest(neighbours.agent_name, later.agent_name) as agent_b
    from neighbours
    inner join sessions as later
        on
            neighbours.sibling_group = later.sibling_group
            and neighbours.next_number = later.session_number
    where
        neighbours.agent_name is not null
        and later.agent_name is not null

),

fact_pairs as (

    select count(*) as pair_count
    from pairs
    inner join {{ ref('fct_agent_runs') }} as runs on pairs.run_key = runs.run_key
    cross join {{ ref('int_analysis_window') }} as analysis_window
    where
        runs.run_date >= analysis_window.window_start_date
        and runs.run_date <= analysis_window.window_end_date

),

mart_pairs as (

    select
        coalesce(sum(n_all), 0) as pair_count,
        coalesce(sum(n_used), 0) as used_count,
        coalesce(sum(sequential_run_count + overlapping_run_count + reversed_run_count), 0) as classed_count
    from {{ ref('mart_parallelization') }}

)

select
    fact_pairs.pair_count as fact_count,
    mart_pairs.pair_count as mart_count
from fact_pairs
cross join mart_pairs
where
    fact_pairs.pair_count != mart_pairs.pair_count
    or mart_pairs.used_count != mart_pairs.classed_count
