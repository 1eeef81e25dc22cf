-- Whole milliseconds between times, cut off towards the past, before 1970 too, and times so many
-- milliseconds away, beyond what 32 bits hold.
{%- set differences = [
    ('2026-01-31 23:59:59.750', '2026-02-01 00:00:00.000', '250'),
    ('2026-02-01 00:00:00.000', '2026-01-31 23:59:59.750', '-250'),
    ('2026-01-31 00:00:00.000900', '2026-01-31 00:00:00.001100', '1'),
    ('2026-01-31 00:00:00.000100', '2026-01-31 00:00:00.000900', '0'),
    ('2026-01-31 00:00:00.001100', '2026-01-31 00:00:00.000900', '-1'),
    ('1969-12-31 23:59:59.999500', '1970-01-01 00:00:00.000000', '1'),
    ('1969-12-31 23:59:59.998500', '1969-12-31 23:59:59.999500', '1'),
    ('1969-12-31 23:59:59.000000', '1970-01-01 00:00:01.000000', '2000'),
    ('2026-01-01 00:00:00.000', '2027-01-01 00:00:00.000', '31536000000'),
    ('2024-02-28 00:00:00.000', '2024-03-01 00:00:00.000', '172800000'),
    (none, '2026-01-31 00:00:00.000', none),
    ('2026-01-31 00:00:00.000', none, none),
] %}
{%- set sums = [
    ('2026-01-31 23:59:59.750', '250', '2026-02-01 00:00:00.000'),
    ('2026-02-01 00:00:00.000', '-250', '2026-01-31 23:59:59.750'),
    ('2026-01-31 23:59:59.750', '0', '2026-01-31 23:59:59.750'),
    ('2026-01-31 23:59:59.750250', '1', '2026-01-31 23:59:59.751250'),
    ('2026-01-31 23:59:59.750', '2592000000', '2026-03-02 23:59:59.750'),
    ('2026-03-02 23:59:59.750', '-2592000000', '2026-01-31 23:59:59.750'),
    ('1970-01-01 00:00:00.000', '-1', '1969-12-31 23:59:59.999'),
    ('2026-01-31 23:59:59.750', none, none),
    (none, '250', none),
] %}

with differences as (

    {{ example_rows(differences, {
        'earlier': type_utc_timestamp(),
        'later': type_utc_timestamp(),
        'expected': dbt.type_bigint()
    }) }}

),

sums as (

    {{ example_rows(sums, {
        'given_at': type_utc_timestamp(),
        'milliseconds': dbt.type_bigint(),
        'expected': type_utc_timestamp()
    }) }}

),

difference_results as (

    select
        example,
        expected,
        {{ milliseconds_between('earlier', 'later') }} as actual
    from differences

),

sum_results as (

    select
        example,
        given_at,
        expected,
        {{ add_milliseconds('given_at', 'milliseconds') }} as actual,
        {{ add_milliseconds('expected', '-milliseconds') }} as back_again
    from sums

),

epoch_results as (

    select
        1 as example,
        {{ epoch_milliseconds("cast('2026-01-31 23:59:59.750' as " ~ type_utc_timestamp() ~ ')') }} as since_1970,
        {{ epoch_milliseconds("cast('1969-12-31 23:59:59.9995' as " ~ type_utc_timestamp() ~ ')') }} as before_1970,
        {{ add_minutes("cast('2026-01-31 23:59:59.750' as " ~ type_utc_timestamp() ~ ')', 24 * 60) }} as next_day,
        {{ add_minutes("cast('2026-01-31 23:59:59.750' as " ~ type_utc_timestamp() ~ ')', -61) }} as an_hour_before

)

{{ wrong_examples([
    ('milliseconds_between', 'difference_results', differs('actual', 'expected')),
    (
        'add_milliseconds', 'sum_results',
        differs('actual', 'expected') ~ ' or (expected is not null and ' ~ differs('back_again', 'given_at') ~ ')'
    ),
    (
        'epoch_milliseconds', 'epoch_results',
        differs('since_1970', '1769903999750') ~ ' or ' ~ differs('before_1970', '-1')
    ),
    (
        'add_minutes', 'epoch_results',
        differs('next_day', "cast('2026-02-01 23:59:59.750' as " ~ type_utc_timestamp() ~ ')')
        ~ ' or ' ~ differs('an_hour_before', "cast('2026-01-31 22:58:59.750' as " ~ type_utc_timestamp() ~ ')')
    )
]) }}
