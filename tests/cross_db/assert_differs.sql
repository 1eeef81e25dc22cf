-- Null is a value like any other; the answer itself is never null.
{%- set examples = [
    ('1', '1', 'false'),
    ('1', '2', 'true'),
    ('null', '1', 'true'),
    ('1', 'null', 'true'),
    ('null', 'null', 'false'),
    ('0', 'null', 'true'),
] %}

with examples as (

    {% for one_side, other_side, expected in examples -%}
    select
        {{ loop.index }} as example,
        cast({{ one_side }} as {{ dbt.type_bigint() }}) as one_side,
        cast({{ other_side }} as {{ dbt.type_bigint() }}) as other_side,
        {{ expected }} as expected
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

results as (

    select
        example,
        expected,
        {{ differs('one_side', 'other_side') }} as actual
    from examples

)

select
    example,
    expected,
    actual
from results
where coalesce(actual != expected, true)
