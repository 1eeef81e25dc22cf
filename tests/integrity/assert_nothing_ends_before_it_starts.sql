{%- set facts = {
    'fct_agent_runs': ('run_key', 'run_date'),
    'fct_agent_sessions': ('agent_session_key', 'session_date'),
    'fct_agent_steps': ('step_key', 'step_date'),
} %}

with fact_rows as (

    {% for fact, (key, day) in facts.items() -%}
    select
        '{{ fact }}' as fact_name,
        {{ key }} as row_key,
        started_at,
        ended_at
    from {{ ref(fact) }}
    where {{ of_tested_days(day, [fact]) }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select *
from fact_rows
where
    ended_at < started_at
    or ended_at is null
