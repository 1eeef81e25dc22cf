-- Sums keep their type and every digit, counts and boolean aggregates know null.
{%- set members = [
    ('mixed', 'true', '9007199254740993', '0.000000001'),
    ('mixed', 'false', '1', '123456789012345678.123456788'),
    ('mixed', 'null', 'null', 'null'),
    ('beyond 32 bits', 'false', '3000000000', '0.1'),
    ('beyond 32 bits', 'false', '3000000000', '0.2'),
    ('edge', 'true', '4611686018427387904', '-0.000000001'),
    ('edge', 'true', '4611686018427387903', '0.000000001'),
    ('nothing', 'null', 'null', 'null'),
    ('nothing', 'null', 'null', 'null'),
] %}
{%- set expectations = [
    ('mixed', '1', 'true', '9007199254740994', '123456789012345678.123456789'),
    ('beyond 32 bits', '0', 'false', '6000000000', '0.3'),
    ('edge', '2', 'true', '9223372036854775807', '0'),
    ('nothing', '0', 'null', 'null', 'null'),
] %}

with members as (

    {% for member_group, flag, tokens, amount in members -%}
    select
        {{ text_literal(member_group) }} as member_group,
        cast({{ flag }} as {{ dbt.type_boolean() }}) as flag,
        cast({{ tokens }} as {{ dbt.type_bigint() }}) as tokens,
        cast({{ text_literal(amount) if amount != 'null' else amount }} as {{ type_usd() }}) as amount
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

expectations as (

    {% for member_group, flag_count, any_flag, tokens, amount in expectations -%}
    select
        {{ text_literal(member_group) }} as member_group,
        cast({{ flag_count }} as {{ dbt.type_bigint() }}) as expected_count,
        cast({{ any_flag }} as {{ dbt.type_boolean() }}) as expected_flag,
        cast({{ tokens }} as {{ dbt.type_bigint() }}) as expected_tokens,
        cast({{ text_literal(amount) if amount != 'null' else amount }} as {{ type_usd() }}) as expected_amount
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

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
