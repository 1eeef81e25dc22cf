-- Sums keep their type and every digit, counts and boolean aggregates know null.
{%- set members = [
    ('mixed', true, '9007199254740993', '0.000000001'),
    ('mixed', false, '1', '123456789012345678.123456788'),
    ('mixed', none, none, none),
    ('beyond 32 bits', false, '3000000000', '0.1'),
    ('beyond 32 bits', false, '3000000000', '0.2'),
    ('edge', true, '4611686018427387904', '-0.000000001'),
    ('edge', true, '4611686018427387903', '0.000000001'),
    ('nothing', none, none, none),
    ('nothing', none, none, none),
] %}
{%- set expectations = [
    ('mixed', '1', true, '9007199254740994', '123456789012345678.123456789'),
    ('beyond 32 bits', '0', false, '6000000000', '0.3'),
    ('edge', '2', true, '9223372036854775807', '0'),
    ('nothing', '0', none, none, none),
] %}

with members as (

    {{ example_rows(members, {
        'member_group': type_text(),
        'flag': dbt.type_boolean(),
        'tokens': dbt.type_bigint(),
        'amount': type_usd()
    }) }}

),

expectations as (

    {{ example_rows(expectations, {
        'member_group': type_text(),
        'expected_count': dbt.type_bigint(),
        'expected_flag': dbt.type_boolean(),
        'expected_tokens': dbt.type_bigint(),
        'expected_amount': type_usd()
    }) }}

),

results as (

    select
        member_group,
        {{ count_where('flag') }} as actual_count,
        {{ dbt.bool_or('flag') }} as actual_flag,
        {{ bigint_sum('tokens') }} as actual_tokens,
        {{ usd_sum('amount') }} as actual_amount
    from members
    group by member_group

)

select
    expectations.member_group,
    results.actual_count,
    results.actual_flag,
    results.actual_tokens,
    results.actual_amount
from expectations
left join results on expectations.member_group = results.member_group
where
    {{ differs('results.actual_count', 'expectations.expected_count') }}
    or {{ differs('results.actual_flag', 'expectations.expected_flag') }}
    or {{ differs('results.actual_tokens', 'expectations.expected_tokens') }}
    or {{ differs('results.actual_amount', 'expectations.expected_amount') }}
