-- Hashes are the published digests of MD5 and SHA-256, the latter of the salt followed by the text.
{%- set examples = [
    ('', 'd41d8cd98f00b204e9800998ecf8427e', '8cbbcf29d9cef89675c5f5c1dcfe827d0570416a5aaba30dd0de159661ad905b'),
    ('abc', '900150983cd24fb0d6963f7d28e17f72', 'fadf7b97406e1eaa259a82e26e6839e564c37c256876e060e17838c86b7275ef'),
    ('über 😀', '9895215083fea30eb762a9c4d2f9abcf', 'abb8b8df0be361a468fc0a66b3613ac0a47263ced1a501bbd210f5f14a866693'),
    (none, none, none),
] %}

with examples as (

    {{ example_rows(examples, {
        'given': type_text(),
        'expected': type_text(),
        'expected_salted': type_text()
    }) }}

),

results as (

    select
        *,
        {{ text_hash('given') }} as actual,
        {{ adapter.dispatch('salted_hash', 'agent_analytics')("'pepper' || given") }} as actual_salted,
        {{ salted_hash('given') }} as actual_deployment,
        {{ salted_key_of('given') }} as actual_key,
        {{ adapter.dispatch('salted_hash', 'agent_analytics')("'' || given") }} as unsalted,
        {{ key_of('given') }} as unsalted_key
    from examples

)

select * from results
where
    {{ differs('actual', 'expected') }}
    or {{ differs('actual_salted', 'expected_salted') }}
    -- that a build's own salt is in it: tests/python/test_hash_salt.py
    or actual_deployment = unsalted
    or actual_key = unsalted_key
    or (actual_deployment is null) != (given is null)
    or (actual_key is null) != (given is null)
