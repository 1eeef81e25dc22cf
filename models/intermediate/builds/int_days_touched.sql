{#- The days whose rollups this build replaces: those that rows leave, and those where they will be.
    Taken from what the facts are made of, which holds the touched runs and no others; known before
    the facts are written, so that their tests can look at these days. -#}
{%- set assembled = {
    'int_runs_assembled': 'started_at',
    'int_agent_sessions_assembled': 'started_at',
    'int_agent_steps_accepted': 'ended_at',
    'int_user_actions_rated': 'acted_at'
} -%}
{%- set is_continued = is_incremental_build() -%}
{%- set is_catalog_changed = is_seed_changed('agent_catalog') -%}

with days as (

    select touched_date from {{ ref('int_days_left') }}

    {% for rows, time in assembled.items() -%}
    union distinct

    select {{ reporting_date(time) }} as touched_date
    from {{ ref(rows) }}
    where {{ '1 = 1' if is_continued else '1 = 0' }}

    {% endfor %}
    {%- if is_catalog_changed -%}
    union distinct

    -- who is late depends on the catalogue
    select session_date as touched_date from {{ stored('fct_agent_sessions', 'marts') }}

    {% endif -%}
)

select touched_date
from days
where touched_date is not null
