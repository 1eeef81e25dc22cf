{%- set summed = [
    'cost_usd', 'reported_cost_usd', 'list_cost_usd', 'wasted_cost_usd',
    'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'total_tokens'
] %}

with runs as (

    select
        run_date,
        {% for column in summed -%}
        coalesce(sum({{ column }}), 0) as {{ column }},
        {% endfor -%}
        count(*) as run_count
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

),

rollup_rows as (

    select
        run_date,
        {% for column in summed -%}
        coalesce(sum({{ column }}), 0) as {{ column }},
        {% endfor -%}
        sum(n_all) as run_count
    from {{ ref('mart_cost_per_interaction') }}
    where {{ of_tested_days('run_date', ['fct_agent_runs']) }}
    group by run_date

)

select
    runs.run_date as fact_date,
    rollup_rows.run_date as rollup_date,
    runs.run_count as fact_count,
    rollup_rows.run_count as rollup_count,
    runs.cost_usd as fact_cost_usd,
    rollup_rows.cost_usd as rollup_cost_usd
from runs
full outer join rollup_rows on runs.run_date = rollup_rows.run_date
where
    runs.run_date is null
    or rollup_rows.run_date is null
    or runs.run_count != rollup_rows.run_count
    {%- for column in summed %}
    or runs.{{ column }} != rollup_rows.{{ column }}
    {%- endfor %}
