{#- Read before the facts are replaced. On a full build every day is built anew and this table stays
    empty. -#}
{%- set is_continued = is_incremental_build() -%}
{%- set touched = ref('int_runs_touched') -%}
{%- set days = {
    'fct_agent_runs': ('run_date', 'started_at'),
    'fct_agent_sessions': ('session_date', 'started_at'),
    'fct_agent_steps': ('step_date', 'ended_at'),
    'fct_user_actions': ('action_date', 'acted_at')
} -%}

with days as (

    {% if is_continued -%}
    {% for fact, (day, time) in days.items() -%}
    select {{ day }} as touched_date
    from {{ stored(fact, 'marts') }}
    where {{ of_touched_runs(time) }}

    union distinct

    {% endfor -%}
    {% if load_relation(this) is not none -%}
    -- of a build that did not end
    select touched_date from {{ this }}
    where build_number > {{ last_build_number() }}

    union distinct

    {% endif -%}
    {%- endif %}
    select cast(earliest_at as date) as touched_date
    from {{ touched }}
    where 1 = 0

)

select
    touched_date,
    {{ build_number() }} as build_number
from days
