-- Hashes are the published digests of MD5 and SHA-256, the latter of the salt followed by the text.
{%- set examples = [
    ('', 'd41d8cd98f00b204e9800998ecf8427e', '8cbbcf29d9cef89675c5f5c1dcfe827d0570416a5aaba30dd0de159661ad905b'),
    ('abc', '900150983cd24fb0d6963f7d28e17f72', 'fadf7b97406e1eaa259a82e26e6839e564c37c256876e060e17838c86b7275ef'),
    ('über 😀', '9895215083fea30eb762a9c4d2f9abcf', 'abb8b8df0be361a468fc0a66b3613ac0a47263ced1a501bbd210f5f14a866693'),
    (none, none, none),
] %}
{%- set deployment_salt = env_var('AGENT_ANALYTICS_HASH_SALT', 'development-salt-change-me') %}

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
        {{ adapter.dispatch('salted_hash', 'agent_analytics')(text_literal(deployment_salt) ~ ' || given') }} as expected_deployment
    from examples

)

select * from results
where
    {{ differs('actual', 'expected') }}
    or {{ differs('actual_salted', 'expected_salted') }}
    or {{ differs('actual_deployment', 'expected_deployment') }}
