-- The classes are disjoint, so their sum is the total; a total without any class is null.
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
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        total_tokens
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
    {{ differs('total_tokens', sum_of_token_classes()) }}
    or input_tokens < 0
    or output_tokens < 0
    or cache_read_tokens < 0
    or cache_write_tokens < 0
