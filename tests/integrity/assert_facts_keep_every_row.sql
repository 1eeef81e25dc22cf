-- Between the assembled rows and the facts nothing is lost and nothing fans out.
{%- set layers = {
    'int_runs_assembled': 'fct_agent_runs',
    'int_agent_sessions_assembled': 'fct_agent_sessions',
    'int_agent_steps_accepted': 'fct_agent_steps',
    'int_user_actions_rated': 'fct_user_actions',
} %}

with counts as (

    {% for assembled, fact in layers.items() -%}
    select
        '{{ fact }}' as fact_name,
        (select count(*) from {{ ref(assembled) }}) as assembled_count,
        (select count(*) from {{ ref(fact) }}) as fact_count
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select *
from counts
where assembled_count != fact_count
