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

    {{ example_rows(examples, {'given': type_double(), 'expected': dbt.type_bigint()}) }}

),

usd_examples as (

    {{ example_rows(examples, {'given': type_usd(), 'expected': dbt.type_bigint()}) }}

),

results as (

    select
        'double' as given_type,
        example,
        expected,
        {{ to_whole_number('given') }} as actual
    from examples

    union all

    select
        'usd' as given_type,
        example,
        expected,
        {{ to_whole_number('given') }} as actual
    from usd_examples

)

select * from results
where {{ differs('actual', 'expected') }}
