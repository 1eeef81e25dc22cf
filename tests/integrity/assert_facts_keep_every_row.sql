-- Between the assembled rows and the facts nothing is lost and nothing fans out. What a fact is made of
-- holds the runs of the last build only, so the whole history can be compared after a full build alone.
{%- set layers = {
    'int_runs_assembled': ('fct_agent_runs', 'last_event_at'),
    'int_agent_sessions_assembled': ('fct_agent_sessions', 'ended_at'),
    'int_agent_steps_accepted': ('fct_agent_steps', 'ended_at'),
    'int_agent_handoffs': ('fct_agent_handoffs', 'handed_at'),
    'int_user_actions_rated': ('fct_user_actions', 'acted_at'),
} %}

with counts as (

    {% for assembled, (fact, time) in layers.items() -%}
    select
        '{{ fact }}' as fact_name,
        (select count(*) from {{ ref(assembled) }}) as assembled_count,
        (
            select count(*)
            from {{ ref(fact) }}
            where {{ of_affected_runs(time) }}
        ) as fact_count
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select *
from counts
where assembled_count != fact_count
