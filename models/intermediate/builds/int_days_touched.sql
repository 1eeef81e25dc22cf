{#- The days whose rollups this build replaces: those that rows left, and those where they are now. -#}
{%- set facts = {
    'fct_agent_runs': ('run_date', 'started_at'),
    'fct_agent_sessions': ('session_date', 'started_at'),
    'fct_agent_steps': ('step_date', 'ended_at'),
    'fct_user_actions': ('action_date', 'acted_at')
} -%}
{%- set is_continued = is_incremental_build() -%}
{%- set is_catalog_changed = is_seed_changed('agent_catalog') -%}

with days as (

    select touched_date from {{ ref('int_days_left') }}

    {% for fact, (day, time) in facts.items() -%}
    {%- set is_touched = of_touched_runs(time) %}
    union distinct

    select {{ day }} as touched_date
    from {{ ref(fact) }}
    where {{ is_touched if is_continued else '1 = 0' }}

    {% endfor %}
    {%- if is_catalog_changed -%}
    union distinct

    -- who is late depends on the catalogue
    select session_date as touched_date from {{ ref('fct_agent_sessions') }}

    {% endif -%}
)

select touched_date
from days
where touched_date is not null
