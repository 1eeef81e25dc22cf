{%- set facts = {
    'fct_agent_runs': 'run_key',
    'fct_agent_sessions': 'agent_session_key',
    'fct_agent_steps': 'step_key',
} %}

with fact_rows as (

    {% for fact, key in facts.items() -%}
    select
        '{{ fact }}' as fact_name,
        {{ key }} as row_key,
        started_at,
        ended_at
    from {{ ref(fact) }}
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
