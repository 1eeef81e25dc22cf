-- A time written into a statement is that time, to the microsecond, whatever the session's time zone.
{%- set examples = [
    ('2026-03-01', '2026-03-01T00:00:00'),
    ('2026-03-01 10:00:05', '2026-03-01T10:00:05Z'),
    ('2026-03-29 02:30:00.000001', '2026-03-29T02:30:00.000001+00:00'),
    ('1969-12-31 23:59:59.5', '1969-12-31T23:59:59.5Z'),
] %}

with examples as (

    {% for given, expected in examples -%}
    select
        {{ loop.index }} as example,
        {{ utc_timestamp_literal(given) }} as actual,
        {{ text_to_timestamp(text_literal(expected)) }} as expected
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select
    example,
    actual,
    expected
from examples
where {{ differs('actual', 'expected') }}
