{% macro fact_rows(columns) -%}
    {%- set facts = {
        'fct_agent_runs': ('run_key', 'run_date'),
        'fct_agent_sessions': ('agent_session_key', 'session_date'),
        'fct_agent_steps': ('step_key', 'step_date')
    } -%}
    {%- for fact, (key, day) in facts.items() -%}
    select
        '{{ fact }}' as fact_name,
        {{ key }} as row_key,
        {{ columns | join(',\n        ') }}
    from {{ ref(fact) }}
    where {{ of_tested_days(day, [fact]) }}
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor -%}
{%- endmacro %}
