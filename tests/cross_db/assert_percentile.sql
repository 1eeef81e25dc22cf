-- Percentiles are interpolated between the two nearest values, and null values are left out.
{%- set members = [
    ('unsorted', 30), ('unsorted', 10), ('unsorted', 40), ('unsorted', none), ('unsorted', 20), ('unsorted', 0),
    ('even', 1), ('even', 2), ('even', 3), ('even', 4),
    ('repeated', 5), ('repeated', 5), ('repeated', 5), ('repeated', 9),
    ('negative', -10), ('negative', 10), ('negative', none), ('negative', none),
    ('single', 7),
    ('nothing', none), ('nothing', none),
] %}
{%- set expectations = {
    'unsorted': [0, 10, 20, 36, 38, 40],
    'even': [1, 1.75, 2.5, 3.7, 3.85, 4],
    'repeated': [5, 5, 5, 7.8, 8.4, 9],
    'negative': [-10, -5, 0, 8, 9, 10],
    'single': [7, 7, 7, 7, 7, 7],
    'nothing': ['null', 'null', 'null', 'null', 'null', 'null'],
} %}
{%- set fractions = [0, 0.25, 0.5, 0.9, 0.95, 1] %}

with members as (

    {{ example_rows(members, {'member_group': type_text(), 'member': dbt.type_bigint()}) }}

),

results as (

    {% for fraction in fractions -%}
    select
        member_group,
        {{ loop.index }} as fraction_number,
        {{ percentile('member', fraction) }} as actual
    from members
    group by member_group
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

expectations as (

    {% for member_group, percentiles in expectations.items() -%}
    {% set is_last_group = loop.last -%}
    {% for expected in percentiles -%}
    select
        {{ text_literal(member_group) }} as member_group,
        {{ loop.index }} as fraction_number,
        cast({{ expected }} as {{ type_double() }}) as expected
    {% if not (loop.last and is_last_group) %}
    union all

    {% endif -%}
    {% endfor %}
    {%- endfor %}

)

select
    expectations.member_group,
    expectations.fraction_number,
    expectations.expected,
    results.actual
from expectations
left join results
    on
        expectations.member_group = results.member_group
        and expectations.fraction_number = results.fraction_number
where
    -- no engine has to interpolate in the same order of operations
    coalesce(
        abs(results.actual - expectations.expected) > 0.000000001,
        results.actual is not null or expectations.expected is not null
    )
