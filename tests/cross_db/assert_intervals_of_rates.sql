-- Wilson intervals of two rates and Newcombe's interval of their difference; none of none is no rate.
{%- set examples = [
    (9, 10, 0, 5, 0.5958, 0.9821, 0.0, 0.4345, 0.3696, 0.9821),
    (171, 180, 184, 200, 0.9077, 0.9735, 0.8740, 0.9502, -0.0219, 0.0816),
    (150, 180, 184, 200, 0.7720, 0.8807, 0.8740, 0.9502, -0.1550, -0.0207),
    (5, 5, 1, 1, 0.5655, 1.0, 0.2065, 1.0, -0.4345, 0.7935),
    (0, 0, 9, 10, none, none, 0.5958, 0.9821, none, none),
] %}

with examples as (

    {{ example_rows(examples, {
        'successes': dbt.type_bigint(),
        'trials': dbt.type_bigint(),
        'other_successes': dbt.type_bigint(),
        'other_trials': dbt.type_bigint(),
        'expected_low': type_double(),
        'expected_high': type_double(),
        'expected_other_low': type_double(),
        'expected_other_high': type_double(),
        'expected_difference_low': type_double(),
        'expected_difference_high': type_double()
    }) }}

),

intervals as (

    select
        *,
        {{ ratio('successes', 'trials') }} as rate,
        {{ wilson_low('successes', 'trials') }} as low,
        {{ wilson_high('successes', 'trials') }} as high,
        {{ ratio('other_successes', 'other_trials') }} as other_rate,
        {{ wilson_low('other_successes', 'other_trials') }} as other_low,
        {{ wilson_high('other_successes', 'other_trials') }} as other_high
    from examples

),

results as (

    select
        *,
        {{ rate_difference_low('rate', 'low', 'other_rate', 'other_high') }} as difference_low,
        {{ rate_difference_high('rate', 'high', 'other_rate', 'other_low') }} as difference_high
    from intervals

)

select * from results
where
    {%- for bound in ['low', 'high', 'other_low', 'other_high', 'difference_low', 'difference_high'] %}
    {{ 'or ' if not loop.first }}{{ differs(
        'round(' ~ to_usd(bound) ~ ', 4)', 'round(' ~ to_usd('expected_' ~ bound) ~ ', 4)'
    ) }}
    {%- endfor %}
