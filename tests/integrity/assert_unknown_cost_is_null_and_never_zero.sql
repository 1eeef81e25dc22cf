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
        price_status,
        cost_basis,
        cost_usd,
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
    {{ differs("(price_status in ('unpriced', 'no_usage'))", '(cost_usd is null)') }}
    or {{ differs("(cost_basis = 'none')", '(cost_usd is null)') }}
    or cost_usd < 0
    or (price_status = 'no_usage' and total_tokens > 0)
