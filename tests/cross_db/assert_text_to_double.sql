-- What is a number becomes one, anything else null, and no text stops the build.
{%- set examples = [
    ('12', '12'),
    (' 1.5 ', '1.5'),
    ('-3e2', '-300'),
    ('1E+2', '100'),
    ('2.5e-3', '0.0025'),
    ('+7', '7'),
    ('.5', '0.5'),
    ('0', '0'),
    ('-0.25', '-0.25'),
    ('9007199254740993', '9007199254740992'),
    ('abc', none),
    ('12abc', none),
    ('1,5', none),
    ('1.2.3', none),
    ('1 2', none),
    ('-', none),
    ('.', none),
    ('e5', none),
    ('1e', none),
    ('1e400', none),
    ('NaN', none),
    ('Infinity', none),
    ('-inf', none),
    ('0x10', none),
    ('true', none),
    ('2026-01-31', none),
    ('', none),
    ('   ', none),
    (none, none),
] %}

with examples as (

    {% for given, expected in examples -%}
    select
        {{ loop.index }} as example,
        cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_text() }}) as given,
        cast({{ expected if expected is not none else 'null' }} as {{ type_double() }}) as expected
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
        {{ text_to_double('given') }} as actual
    from examples

)

select
    example,
    given,
    expected,
    actual
from results
where {{ differs('actual', 'expected') }}
