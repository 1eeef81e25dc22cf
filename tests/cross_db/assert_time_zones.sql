-- The calendar day of a time in UTC elsewhere, around midnight and around the changes of the clocks,
-- and times with an offset brought to UTC.
{%- set days = [
    ('2026-01-31 22:59:59.999', 'Europe/Berlin', '2026-01-31'),
    ('2026-01-31 23:00:00.000', 'Europe/Berlin', '2026-02-01'),
    ('2026-06-30 21:59:59.999', 'Europe/Berlin', '2026-06-30'),
    ('2026-06-30 22:00:00.000', 'Europe/Berlin', '2026-07-01'),
    ('2026-03-28 22:59:59.999', 'Europe/Berlin', '2026-03-28'),
    ('2026-03-28 23:00:00.000', 'Europe/Berlin', '2026-03-29'),
    ('2026-03-29 21:59:59.999', 'Europe/Berlin', '2026-03-29'),
    ('2026-03-29 22:00:00.000', 'Europe/Berlin', '2026-03-30'),
    ('2026-10-24 22:00:00.000', 'Europe/Berlin', '2026-10-25'),
    ('2026-10-25 22:59:59.999', 'Europe/Berlin', '2026-10-25'),
    ('2026-10-25 23:00:00.000', 'Europe/Berlin', '2026-10-26'),
    ('2026-01-01 07:59:59.999', 'America/Los_Angeles', '2025-12-31'),
    ('2026-01-01 08:00:00.000', 'America/Los_Angeles', '2026-01-01'),
    ('2026-01-01 18:30:00.000', 'Asia/Kolkata', '2026-01-02'),
    ('2026-01-31 23:59:59.999', 'UTC', '2026-01-31'),
    ('2026-02-01 00:00:00.000', 'UTC', '2026-02-01'),
    (none, 'Europe/Berlin', none),
] %}
{#- Elsewhere every timestamp is in UTC already. -#}
{%- set zoned_type = {
    'duckdb': 'timestamp with time zone',
    'postgres': 'timestamp with time zone',
    'redshift': 'timestamptz',
    'snowflake': 'timestamp_tz',
}.get(target.type) %}
{%- set zoned = [
    ('2026-01-31 23:59:59.750+00:00', '2026-01-31 23:59:59.750'),
    ('2026-01-31 23:59:59.750+02:00', '2026-01-31 21:59:59.750'),
    ('2026-01-31 23:59:59.750-05:30', '2026-02-01 05:29:59.750'),
    ('1969-12-31 23:59:59.999+00:00', '1969-12-31 23:59:59.999'),
    (none, none),
] if zoned_type else [] %}

with day_results as (

    {% for given_at, time_zone, expected in days -%}
    select
        {{ loop.index }} as example,
        {{ date_in_time_zone('given_at', time_zone) }} as actual,
        cast({{ text_literal(expected) if expected else 'null' }} as date) as expected,
        {{ reporting_date('given_at') }} as actual_reporting_date,
        {{ date_in_time_zone('given_at', var('reporting_timezone')) }} as expected_reporting_date
    from (
        select cast({{ text_literal(given_at) if given_at else 'null' }} as {{ type_utc_timestamp() }}) as given_at
    ) as one_time
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)
{%- if zoned %},

zoned_results as (

    {% for given_at, expected in zoned -%}
    select
        {{ loop.index }} as example,
        {{ zoned_to_utc('given_at') }} as actual,
        cast({{ text_literal(expected) if expected else 'null' }} as {{ type_utc_timestamp() }}) as expected
    from (
        select cast({{ text_literal(given_at) if given_at else 'null' }} as {{ zoned_type }}) as given_at
    ) as one_time
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)
{%- endif %}

{%- set checks = [
    ('date_in_time_zone', 'day_results', differs('actual', 'expected')),
    ('reporting_date', 'day_results', differs('actual_reporting_date', 'expected_reporting_date'))
] + ([('zoned_to_utc', 'zoned_results', differs('actual', 'expected'))] if zoned else []) %}

{{ wrong_examples(checks) }}
