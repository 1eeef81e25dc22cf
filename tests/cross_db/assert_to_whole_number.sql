-- The nearest whole number, halves away from zero, whatever the engine's own round() does with them.
{%- set examples = [
    ('0.5', '1'),
    ('-0.5', '-1'),
    ('1.5', '2'),
    ('-1.5', '-2'),
    ('2.5', '3'),
    ('-2.5', '-3'),
    ('1500.5', '1501'),
    ('1.4999', '1'),
    ('-1.4999', '-1'),
    ('0', '0'),
    ('3000000000.5', '3000000001'),
    ('9007199254740991', '9007199254740991'),
    (none, none),
] %}

with examples as (

    {% for given, expected in examples -%}
    select
        {{ loop.index }} as example,
        cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_double() }}) as given,
        cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_usd() }}) as given_usd,
        cast({{ expected if expected is not none else 'null' }} as {{ dbt.type_bigint() }}) as expected
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

results as (

    select
        example,
        given,
        expected,
        {{ to_whole_number('given') }} as actual,
        {{ to_whole_number('given_usd') }} as actual_of_usd
    from examples

)

select
    example,
    given,
    expected,
    actual,
    actual_of_usd
from results
where
    {{ differs('actual', 'expected') }}
    or {{ differs('actual_of_usd', 'expected') }}
