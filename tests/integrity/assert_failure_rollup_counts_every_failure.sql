{%- set facts = {'run': 'fct_agent_runs', 'session': 'fct_agent_sessions', 'step': 'fct_agent_steps'} -%}
-- Each failed row of a fact is counted once, and each share is taken of all rows of the day.
with fact_rows as (

    {% for grain, fact in facts.items() -%}
    select
        '{{ grain }}' as grain,
        {{ grain }}_date as failure_date,
        failure_mode
    from {{ ref(fact) }}
    where {{ of_tested_days(grain ~ '_date', facts.values() | list) }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

expected as (

    select
        grain,
        failure_date,
        count(*) as n_all,
        count(failure_mode) as failure_count
    from fact_rows
    group by
        grain,
        failure_date

),

rollup_rows as (

    select
        grain,
        failure_date,
        max(n_all) as n_all,
        sum(failure_count) as failure_count
    from {{ ref('mart_failure_modes') }}
    where {{ of_tested_days('failure_date', facts.values() | list) }}
    group by
        grain,
        failure_date

)

select
    expected.grain,
    expected.failure_date,
    expected.failure_count as fact_count,
    rollup_rows.failure_count as rollup_count
from expected
full outer join rollup_rows
    on
        expected.grain = rollup_rows.grain
        and expected.failure_date = rollup_rows.failure_date
where
    coalesce(expected.failure_count, 0) != coalesce(rollup_rows.failure_count, 0)
    or expected.n_all != rollup_rows.n_all
