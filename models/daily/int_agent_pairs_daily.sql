{#- Siblings of which the second started directly after the first: same parent in the run, or none. -#}
{{ config(daily_rollup('run_date')) }}
{%- set overlap_ms = '(' ~ epoch_milliseconds('least(ended_at, next_ended_at)') ~ ' - ' ~ epoch_milliseconds('next_started_at') ~ ')' -%}
{%- set length_ms = milliseconds_between('started_at', 'ended_at') -%}
{%- set next_length_ms = milliseconds_between('next_started_at', 'next_ended_at') %}

with runs as (

    select
        run_key as key_of_run,
        run_date,
        coalesce(workflow_name, '(not set)') as workflow_name,
        max_depth,
        is_final,
        price_status
    from {{ ref('fct_agent_runs') }}
    where
        agent_session_count > 1
        and {{ of_affected_days('run_date') }}

),

parents as (

    select
        to_agent_session_key as child_key,
        from_agent_session_key as parent_key
    from {{ ref('fct_agent_handoffs') }}
    where
        not is_inferred
        and not is_cross_run

),

sessions as (

    select
        sessions.run_key,
        coalesce(parents.parent_key, sessions.run_key) as sibling_group,
        sessions.session_number,
        sessions.agent_name,
        sessions.started_at,
        sessions.ended_at,
        {{ plausible_duration('sessions.duration_ms') }} as plausible_duration_ms,
        runs.run_date,
        runs.workflow_name,
        runs.max_depth,
        runs.is_final,
        runs.price_status as price_status
    from {{ ref('fct_agent_sessions') }} as sessions
    inner join runs on sessions.run_key = runs.key_of_run
    left join parents on sessions.agent_session_key = parents.child_key

),

followed as (

    select
        *,
        lead({{ nullable('agent_name') }}) over (partition by sibling_group order by session_number) as next_agent_name,
        lead({{ nullable('started_at') }}) over (partition by sibling_group order by session_number) as next_started_at,
        lead({{ nullable('ended_at') }}) over (partition by sibling_group order by session_number) as next_ended_at,
        lead({{ nullable('plausible_duration_ms') }}) over (partition by sibling_group order by session_number) as next_duration_ms
    from sessions

),

pairs as (

    select
        run_key,
        run_date,
        workflow_name,
        is_final,
        price_status,
        session_number,
        agent_name <= next_agent_name as is_forward,
        least(agent_name, next_agent_name) as agent_a,
        greatest(agent_name, next_agent_name) as agent_b,
        case
            when ended_at <= started_at or next_ended_at <= next_started_at then false
            when max_depth > 0 then {{ overlap_ms }} > 0
            -- without parent ids clocks may disagree by a tenth of the shorter one
            else 10 * {{ overlap_ms }} > least({{ length_ms }}, {{ next_length_ms }})
        end as is_overlapping,
        case
            when plausible_duration_ms <= next_duration_ms then plausible_duration_ms
            when next_duration_ms < plausible_duration_ms then next_duration_ms
        end as shorter_ms
    from followed
    where
        agent_name is not null
        and next_agent_name is not null

),

-- a run in which two agents take turns counts once, as it began
of_runs as (

    select
        run_key,
        run_date,
        workflow_name,
        is_final,
        price_status,
        agent_a,
        agent_b,
        {{ dbt.bool_or('is_overlapping') }} as is_overlapping,
        min(case when is_forward then session_number end) as first_forward_number,
        min(case when not is_forward then session_number end) as first_backward_number,
        sum(case when not is_overlapping then shorter_ms end) as savable_ms
    from pairs
    group by
        run_key,
        run_date,
        workflow_name,
        is_final,
        price_status,
        agent_a,
        agent_b

),

directed as (

    select
        *,
        coalesce(first_forward_number < first_backward_number, first_forward_number is not null) as is_forward
    from of_runs

)

select
    {{ rollup_key(['run_date', 'workflow_name', 'agent_a', 'agent_b']) }} as agent_pairs_daily_key,
    run_date,
    workflow_name,
    agent_a,
    agent_b,
    {{ disclosed_counts('is_final', 'not is_final') }},
    {{ count_where('is_final and is_overlapping') }} as overlapping_run_count,
    {{ count_where('is_final and not is_overlapping and is_forward') }} as forward_run_count,
    {{ count_where('is_final and not is_overlapping and not is_forward') }} as backward_run_count,
    {{ bigint_sum('case when is_final then savable_ms end') }} as savable_ms
from directed
group by
    run_date,
    workflow_name,
    agent_a,
    agent_b
