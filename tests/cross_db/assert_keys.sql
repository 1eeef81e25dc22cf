-- A key is the published digest of MD5 whatever its type; a key made from another one, and the order of keys, are the
-- same everywhere.
{%- set examples = [
    ('', 'd41d8cd98f00b204e9800998ecf8427e', 'a61f82a9c5dfce478da22c52b2668d85', 3),
    ('abc', '900150983cd24fb0d6963f7d28e17f72', 'ec1c9f7cbf28cea2e559995136884d1c', 1),
    ('über 😀', '9895215083fea30eb762a9c4d2f9abcf', 'fa9b746126de972f17b0e665a9839ce0', 2),
    (none, none, none, 4),
] %}

with examples as (

    {% for given, digest, digest_of_both, place in examples -%}
    select
        {{ loop.index }} as example,
        {{ place }} as expected_place,
        cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_text() }}) as given,
        cast({{ text_literal(digest) if digest else 'null' }} as {{ type_text() }}) as expected,
        cast({{ text_literal(digest_of_both) if digest else 'null' }} as {{ type_text() }}) as expected_both
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

keys as (

    select
        example,
        expected_place,
        expected,
        expected_both,
        {{ dbt.any_value(key_of('given')) }} as actual
    from examples
    group by example, expected_place, expected, expected_both

),

results as (

    select
        example,
        expected_place,
        expected,
        expected_both,
        actual,
        {{ key_text('actual') }} as actual_text,
        {{ key_of(key_text('actual') ~ " || 'session 1'") }} as actual_both,
        row_number() over (order by case when actual is null then 1 else 0 end, {{ key_order('actual') }}) as actual_place
    from keys

)

select
    example,
    actual,
    expected,
    actual_both,
    expected_both,
    actual_place,
    expected_place
from results
where
    {{ differs('actual_text', 'expected') }}
    or {{ differs('actual', 'cast(expected as ' ~ type_key() ~ ')') }}
    or {{ differs('actual_both', 'cast(expected_both as ' ~ type_key() ~ ')') }}
    or actual_place != expected_place
