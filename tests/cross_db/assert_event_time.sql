-- The client's time counts where it can be true, then the server's, then what else is known; nothing beyond loading or before 2015.
{%- set loaded = '2026-03-02 00:00:00' %}
{%- set received = '2026-03-01 12:00:00' %}
{%- set examples = [
    ('2026-03-01 11:00:00', received, none, none, loaded, '2026-03-01 11:00:00', false),
    ('2026-03-02 12:00:00', received, none, none, loaded, '2026-03-02 12:00:00', false),
    ('2026-03-02 12:00:01', received, none, none, loaded, received, true),
    (none, received, '2026-03-01 10:00:00', none, loaded, received, true),
    ('1970-01-01 00:00:00', received, none, none, loaded, received, true),
    ('2014-12-31 23:59:59', received, none, none, loaded, received, true),
    ('2015-01-01 00:00:00', received, none, none, loaded, '2015-01-01 00:00:00', false),
    ('2099-01-01 00:00:00', '2099-01-01 00:00:00', '2026-03-01 10:00:00', none, loaded, '2026-03-01 10:00:00', true),
    ('2099-01-01 00:00:00', '2099-01-01 00:00:00', '2099-01-01 00:00:00', '2026-03-01 10:30:00', loaded, '2026-03-01 10:30:00', true),
    ('2099-01-01 00:00:00', '2099-01-01 00:00:00', '1970-01-01 00:00:00', none, loaded, loaded, true),
    ('2026-03-01 11:00:00', '2099-01-01 00:00:00', none, none, loaded, '2026-03-01 11:00:00', false),
    ('2026-03-03 00:00:01', none, none, none, loaded, loaded, true),
    ('2026-03-03 00:00:00', none, none, none, loaded, '2026-03-03 00:00:00', false),
    ('2026-03-01 11:00:00', none, none, none, none, '2026-03-01 11:00:00', false),
    (none, none, none, none, none, none, true),
] %}

with examples as (

    {{ example_rows(examples, {
        'event_timestamp': type_utc_timestamp(),
        'received_at': type_utc_timestamp(),
        'original_timestamp': type_utc_timestamp(),
        'sent_at': type_utc_timestamp(),
        'uuid_ts': type_utc_timestamp(),
        'expected_at': type_utc_timestamp(),
        'expected_skew': dbt.type_boolean()
    }) }}

),

results as (

    select
        *,
        {{ event_time() }} as actual_at,
        {{ is_clock_skewed() }} as actual_skew
    from examples

)

select * from results
where
    {{ differs('actual_at', 'expected_at') }}
    or {{ differs('actual_skew', 'expected_skew') }}
