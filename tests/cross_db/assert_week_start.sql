-- Weeks begin on Monday, over the ends of months and years.
{%- set examples = [
    ('2001-01-01', '2001-01-01', 0),
    ('2026-02-28', '2026-02-23', 5),
    ('2026-03-01', '2026-02-23', 6),
    ('2026-03-02', '2026-03-02', 0),
    ('2027-01-01', '2026-12-28', 4),
    (none, none, none),
] %}

with examples as (

    {{ example_rows(examples, {'given_date': 'date', 'expected_start': 'date', 'expected_days': dbt.type_bigint()}) }}

),

results as (

    select
        example,
        expected_start,
        expected_days,
        {{ week_start('given_date') }} as start_date,
        {{ days_since_monday('given_date') }} as days_since
    from examples

)

{{ wrong_examples([
    ('week_start', 'results', differs('start_date', 'expected_start')),
    ('days_since_monday', 'results', differs('days_since', 'expected_days')),
]) }}
