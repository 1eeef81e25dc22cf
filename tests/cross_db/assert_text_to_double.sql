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

    {{ example_rows(examples, {'given': type_text(), 'expected': type_double()}) }}

),

results as (

    select
        *,
        {{ text_to_double('given') }} as actual
    from examples

)

select * from results
where {{ differs('actual', 'expected') }}
