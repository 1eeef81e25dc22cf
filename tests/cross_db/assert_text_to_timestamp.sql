-- A time is read in UTC or with its offset, year first; anything else is null and stops no build.
{%- set examples = [
    ('2026-01-31T23:59:59.750Z', '2026-01-31 23:59:59.750'),
    ('2026-01-31T23:59:59.750+02:00', '2026-01-31 21:59:59.750'),
    ('2026-01-31T23:59:59.750-05:30', '2026-02-01 05:29:59.750'),
    ('2026-01-31 23:59:59.750+00:00', '2026-01-31 23:59:59.750'),
    ('2026-01-31T23:59:59Z', '2026-01-31 23:59:59.000'),
    ('2026-01-31 23:59:59.123456', '2026-01-31 23:59:59.123456'),
    ('2026-01-31T23:59:59', '2026-01-31 23:59:59.000'),
    ('  2026-01-31T23:59:59Z  ', '2026-01-31 23:59:59.000'),
    ('2026-01-31', '2026-01-31 00:00:00.000'),
    ('2024-02-29T00:00:00Z', '2024-02-29 00:00:00.000'),
    ('1969-12-31T23:59:59.999Z', '1969-12-31 23:59:59.999'),
    ('2026-02-30', none),
    ('2026-02-30T00:00:00Z', none),
    ('2026-13-01T00:00:00Z', none),
    ('2026-01-31T25:00:00Z', none),
    ('yesterday', none),
    ('now', none),
    ('epoch', none),
    ('infinity', none),
    ('-infinity', none),
    ('1769903999', none),
    ('01/31/2026', none),
    ('12:30:00', none),
    ('', none),
    ('   ', none),
    (none, none),
] %}

with examples as (

    {{ example_rows(examples, {'given': type_text(), 'expected': type_utc_timestamp()}) }}

),

results as (

    select
        *,
        {{ text_to_timestamp('given') }} as actual
    from examples

)

select * from results
where {{ differs('actual', 'expected') }}
