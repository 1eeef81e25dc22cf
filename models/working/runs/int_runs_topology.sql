{#- How the sessions of a run stand to each other. Siblings have the same parent in the run, or none. A session of no length overlaps
    nothing. -#}
{%- set start_order = 'order by started_at nulls last, ended_at nulls last, ' ~ key_order('agent_session_key') -%}
{%- set all_before = 'rows between unbounded preceding and 1 preceding' -%}
{%- set start_ms = epoch_milliseconds('started_at') -%}
{%- set end_ms = epoch_milliseconds('ended_at') -%}
{%- set directing_roles = "('orchestrator', 'planner', 'router')" -%}
{%- set not_directing = 'agent_role not in ' ~ directing_roles -%}
{%- set of_these_runs = of_affected_runs('ended_at') -%}

with facts as (

    select * from {{ ref('fct_agent_sessions') }}
    where {{ of_these_runs }}

),

tree as (

    select
        agent_session_key as key_in_tree,
        depth_in_run
    from {{ ref('int_agent_sessions_tree') }}

),

priced_sessions as (

    select
        agent_session_key as priced_key,
        has_unknown_cost
    from {{ ref('int_agent_sessions_priced') }}

),

sessions as (

    select
        facts.agent_session_key,
        facts.run_key,
        case when tree.depth_in_run > 0 then facts.parent_agent_session_key else facts.run_key end as sibling_group,
        tree.depth_in_run,
        facts.agent_name,
        facts.started_at,
        facts.ended_at,
        facts.ended_at > facts.started_at as has_length,
        {{ plausible_duration('facts.duration_ms') }} as plausible_duration_ms,
        facts.is_on_critical_path,
        coalesce(facts.agent_role in {{ directing_roles }}, false) as has_directing_role,
        facts.cost_usd,
        priced_sessions.has_unknown_cost,
        facts.tool_cost_usd,
        facts.infrastructure_cost_usd
    from facts
    inner join tree on facts.agent_session_key = tree.key_in_tree
    inner join priced_sessions on facts.agent_session_key = priced_sessions.priced_key

),

neighbours as (

    select
        *,
        max(depth_in_run) over (partition by run_key) as max_depth,
        max(ended_at) over (partition by sibling_group, has_length {{ start_order }} {{ all_before }}) as latest_end_before,
        -- ten times the moment that lies a tenth of the session before its end
        max(10 * {{ end_ms }} - ({{ end_ms }} - {{ start_ms }})) over (
            partition by sibling_group, has_length {{ start_order }} {{ all_before }}
        ) as latest_tenth_before,
        lead({{ nullable('started_at') }}) over (partition by sibling_group, has_length {{ start_order }}) as next_started_at,
        max(ended_at) over (partition by run_key, is_on_critical_path {{ start_order }} {{ all_before }}) as latest_end_on_path_before,
        row_number() over (partition by sibling_group, agent_name {{ start_order }}) as agent_position,
        max(ended_at) over (partition by sibling_group, agent_name {{ start_order }} {{ all_before }}) as agent_latest_end_before,
        max(ended_at) over (
            partition by sibling_group, agent_name {{ start_order }} rows between unbounded preceding and 2 preceding
        ) as agent_latest_end_before_previous,
        lag({{ nullable('started_at') }}) over (partition by sibling_group, agent_name {{ start_order }}) as agent_previous_started_at,
        lag({{ nullable('has_length') }}) over (partition by sibling_group, agent_name {{ start_order }}) as agent_previous_has_length
    from sessions

),

compared as (

    select
        *,
        -- the longest of them would still take its time
        not has_length or coalesce(latest_end_before <= started_at, true) and coalesce(next_started_at >= ended_at, true) as is_alone,
        case
            when not has_length or latest_end_before is null then false
            when max_depth > 0 then depth_in_run > 0 and latest_end_before > started_at
            -- clocks of two hosts disagree: a tenth of the shorter one is no overlap
            else
                latest_tenth_before > 10 * {{ start_ms }}
                or 10 * {{ epoch_milliseconds('latest_end_before') }} > 10 * {{ start_ms }} + ({{ end_ms }} - {{ start_ms }})
        end as is_beside_sibling,
        agent_name is not null
        and agent_position >= 3
        and (not has_length or agent_latest_end_before <= started_at)
        and (not agent_previous_has_length or agent_latest_end_before_previous <= agent_previous_started_at) as is_third_in_a_row,
        case when max_depth > 0 then depth_in_run > 0 else not has_directing_role end as is_worker,
        case
            when not is_on_critical_path then 0
            when latest_end_on_path_before is null or latest_end_on_path_before <= started_at
                then {{ milliseconds_between('started_at', 'ended_at') }}
            when latest_end_on_path_before < ended_at
                then {{ milliseconds_between('latest_end_on_path_before', 'ended_at') }}
            else 0
        end as new_on_path_ms
    from neighbours

),

of_siblings as (

    select
        run_key,
        count(*) as session_count,
        max(max_depth) as max_depth,
        min(agent_name) as first_agent,
        max(agent_name) as last_agent,
        {{ count_where('is_beside_sibling') }} as beside_sibling_count,
        {{ count_where('is_third_in_a_row') }} as third_in_a_row_count,
        sum(case when is_alone then plausible_duration_ms end) - max(case when is_alone then plausible_duration_ms end)
            as sequential_sibling_ms,
        sum(new_on_path_ms) as critical_path_ms,
        max(case when is_worker then ended_at end) as last_worker_ended_at,
        {{ count_where('is_worker and has_unknown_cost') }} as unknown_worker_count,
        {{ count_where('not is_worker and has_unknown_cost') }} as unknown_orchestrator_count,
        sum(case when is_worker then cost_usd else 0 end) as worker_cost_usd,
        sum(case when not is_worker then cost_usd else 0 end) as orchestrator_cost_usd,
        sum(tool_cost_usd) as tool_cost_usd,
        sum(infrastructure_cost_usd) as infrastructure_cost_usd
    from compared
    group by
        run_key,
        sibling_group

),

of_runs as (

    select
        run_key,
        sum(session_count) as session_count,
        max(max_depth) as max_depth,
        coalesce(min(first_agent) != max(last_agent), false) as is_multi_agent,
        sum(beside_sibling_count) as beside_sibling_count,
        sum(third_in_a_row_count) as third_in_a_row_count,
        {{ bigint_sum('sequential_sibling_ms') }} as sequential_sibling_ms,
        {{ bigint_sum('critical_path_ms') }} as critical_path_ms,
        max(last_worker_ended_at) as last_worker_ended_at,
        cast(
            case when sum(unknown_worker_count) = 0 then coalesce(sum(worker_cost_usd), 0) end as {{ type_usd() }}
        ) as worker_cost_usd,
        cast(
            case when sum(unknown_orchestrator_count) = 0 then coalesce(sum(orchestrator_cost_usd), 0) end as {{ type_usd() }}
        ) as orchestrator_cost_usd,
        {{ usd_sum('tool_cost_usd') }} as tool_cost_usd,
        {{ usd_sum('infrastructure_cost_usd') }} as infrastructure_cost_usd
    from of_siblings
    group by run_key

),

-- the agents in order, neighbours of one name as one part
named as (

    select
        run_key,
        session_number,
        coalesce(agent_name, '(not set)') as agent_label,
        lag({{ nullable("coalesce(agent_name, '(not set)')") }}) over (partition by run_key order by session_number) as previous_label
    from {{ ref('fct_agent_sessions') }}
    where {{ of_these_runs }}

),

numbered as (

    select
        run_key,
        agent_label,
        sum(case when agent_label = previous_label then 0 else 1 end) over (
            partition by run_key
            order by session_number
            rows between unbounded preceding and current row
        ) as part_number
    from named

),

parts as (

    select
        run_key,
        part_number,
        max(agent_label) as agent_label,
        count(*) as session_count
    from numbered
    where part_number <= 21
    group by
        run_key,
        part_number

),

paths as (

    select
        run_key as run_of_path,
        {{ joined_texts(
            "case when part_number = 21 then '…' when session_count = 1 then agent_label"
            ~ " else agent_label || ' ×' || cast(session_count as " ~ type_text() ~ ') end',
            ' > ',
            'part_number'
        ) }} as path_signature
    from parts
    group by run_key

),

-- the first session of an agent that does not direct others
first_numbers as (

    select
        run_key,
        min(session_number) as first_number
    from {{ ref('fct_agent_sessions') }}
    where
        agent_name is not null
        and coalesce({{ not_directing }}, true)
        and {{ of_these_runs }}
    group by run_key

),

first_specialists as (

    select
        specialists.run_key as run_key,
        specialists.agent_name,
        specialists.agent_role,
        specialists.session_number,
        coalesce(not specialists.is_successful, false) as has_failed
    from {{ ref('fct_agent_sessions') }} as specialists
    inner join first_numbers
        on
            specialists.run_key = first_numbers.run_key
            and specialists.session_number = first_numbers.first_number

),

followers as (

    select
        run_key,
        session_number,
        agent_name,
        agent_role,
        coalesce(agent_role = 'router', false) as is_router
    from {{ ref('fct_agent_sessions') }}
    where {{ of_these_runs }}

),

routes as (

    select
        first_specialists.run_key as run_of_route,
        max(first_specialists.agent_name) as first_specialist,
        {{ count_where(
            'followers.is_router'
            ~ ' or first_specialists.has_failed and followers.agent_role = first_specialists.agent_role'
            ~ ' and followers.agent_name != first_specialists.agent_name'
        ) }} as rerouting_count
    from first_specialists
    left join followers
        on
            first_specialists.run_key = followers.run_key
            and first_specialists.session_number < followers.session_number
    group by first_specialists.run_key

),

handoffs as (

    select
        run_key as run_of_handoffs,
        count(*) as handoff_count
    from {{ ref('int_agent_handoffs') }}
    group by run_key

),

signatures as (

    select
        run_key,
        signature_hash,
        {{ count_where('not is_retry') }} as occurrence_count
    from {{ ref('fct_agent_steps') }}
    where
        signature_hash is not null
        and {{ of_these_runs }}
    group by
        run_key,
        signature_hash

),

repetitions as (

    select
        run_key as run_of_repetitions,
        {{ bigint_sum('case when occurrence_count > 1 then occurrence_count - 1 else 0 end') }} as redundant_step_count,
        max(occurrence_count) as max_occurrence_count
    from signatures
    group by run_key

),

shaped as (

    select
        *,
        case
            when session_count = 1 then 'single'
            when third_in_a_row_count > 0 then 'loop'
            when max_depth >= 2 then 'nested'
            when beside_sibling_count > 0 then 'fan_out'
            else 'linear'
        end as topology
    from of_runs

)

select
    shaped.run_key,
    shaped.topology,
    cast(shaped.max_depth as {{ dbt.type_bigint() }}) as max_depth,
    shaped.is_multi_agent,
    paths.path_signature,
    routes.first_specialist,
    coalesce(routes.rerouting_count > 0, false) as is_rerouted,
    shaped.critical_path_ms,
    shaped.sequential_sibling_ms,
    case when shaped.is_multi_agent then shaped.last_worker_ended_at end as last_worker_ended_at,
    shaped.orchestrator_cost_usd,
    shaped.worker_cost_usd,
    shaped.tool_cost_usd,
    shaped.infrastructure_cost_usd,
    cast(coalesce(handoffs.handoff_count, 0) as {{ dbt.type_bigint() }}) as handoff_count,
    repetitions.redundant_step_count,
    shaped.topology = 'loop' or coalesce(repetitions.max_occurrence_count >= 5, false) as has_loop
from shaped
left join paths on shaped.run_key = paths.run_of_path
left join routes on shaped.run_key = routes.run_of_route
left join handoffs on shaped.run_key = handoffs.run_of_handoffs
left join repetitions on shaped.run_key = repetitions.run_of_repetitions
