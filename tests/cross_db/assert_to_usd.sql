-- A 64-bit float becomes the nearest amount with nine decimals, halves away from zero, even where the
-- float is stored as slightly less than what was written.
{%- set examples = [
    ('0.29', '0.29'),
    ('-0.29', '-0.29'),
    ('1.1', '1.1'),
    ('0.0000000005', '0.000000001'),
    ('-0.0000000005', '-0.000000001'),
    ('0.0000000004', '0'),
    ('0.0000000000001', '0'),
    ('1.0000000005', '1.000000001'),
    ('1.0000000015', '1.000000002'),
    ('2.0000000025', '2.000000003'),
    ('-1.0000000015', '-1.000000002'),
    ('0.0000037875', '0.000003788'),
    ('0.0000039375', '0.000003938'),
    ('0.0010000155', '0.001000016'),
    ('0.0123456784999996', '0.012345679'),
    ('0.0123456784994', '0.012345678'),
    ('123456.123456789', '123456.123456789'),
    ('1000000000000', '1000000000000'),
    ('-1000000000000', '-1000000000000'),
    ('0', '0'),
    (none, none),
] %}

with examples as (

    {{ example_rows(examples, {'given': type_double(), 'expected': type_usd()}) }}

),

results as (

    select
        *,
        {{ to_usd('given') }} as actual
    from examples

)

select * from results
where {{ differs('actual', 'expected') }}
