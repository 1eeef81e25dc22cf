{%- set things = {
    'start': 'n_all', 'completion': 'n_all', 'response': 'n_all', 'steps': 'n_all', 'tokens': 'n_all', 'cost': 'n_all', 'model': 'n_all',
    'parent': 'n_all', 'error_type': 'failed_session_count'
} -%}
{%- set eight = ['input', 'output', 'duration', 'tokens', 'cost', 'status', 'located_errors', 'links'] -%}
with analysis_window as (

    select * from {{ ref('int_analysis_window') }}

),

days as (

    select * from {{ ref('int_instrumentation_daily') }}

),

summed as (

    select
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        days.agent_name,
        days.agent_version,
        {{ summed_counts('days') }},
        {%- for thing in (things | list + eight) | unique %}
        {{ bigint_sum('days.with_' ~ thing ~ '_count') }} as with_{{ thing }}_count,
        {%- endfor %}
        {{ bigint_sum('days.failed_session_count') }} as failed_session_count,
        {{ bigint_sum('days.reported_steps_count') }} as reported_steps_count,
        {{ bigint_sum('days.step_count') }} as step_count
    from days
    cross join analysis_window
    where {{ in_analysis_window('days.session_date') }}
    group by
        analysis_window.window_start_date,
        analysis_window.window_end_date,
        days.agent_name,
        days.agent_version

)

select
    {{ rollup_key(['agent_name', 'agent_version']) }} as instrumentation_coverage_key,
    agent_name,
    agent_version,
    window_start_date,
    window_end_date,

    -- what the figures rest on
    n_all,
    n_used,
    n_unfinished,
    n_unpriced,
    n_partial,
    n_all as session_count,
    failed_session_count,

    -- shares of the sessions, of failed ones for the type of error
    {%- for thing, base in things.items() %}
    with_{{ thing }}_count,
    {{ ratio('with_' ~ thing ~ '_count', base) }} as with_{{ thing }}_share,
    {%- endfor %}

    -- what the sender counted and what arrived
    reported_steps_count,
    step_count,
    reported_steps_count - step_count as step_gap,

    -- of eight things so many are told of a session on average
    {%- for thing in eight | reject('in', things | list) %}
    with_{{ thing }}_count,
    {%- endfor %}
    {{ ratio('(with_' ~ eight | join('_count + with_') ~ '_count)', 'n_all') }} as completeness_score,
    case
        when with_steps_count > 0 then 'steps'
        when with_start_count + with_completion_count > 0 then 'sessions'
        else 'standard'
    end as instrumentation_level
from summed
