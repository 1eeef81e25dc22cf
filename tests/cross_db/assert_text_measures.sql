-- Characters are counted and cut, not bytes, and letters of every alphabet have a lower case.
{%- set examples = [
    ('', '', 0, ''),
    ('ab', 'ab', 2, 'ab'),
    ('abc', 'ab', 3, 'abc'),
    ('Übergröße', 'Üb', 9, 'übergröße'),
    ('😀Ab', '😀A', 3, '😀ab'),
    ('ÉÇÑ', 'ÉÇ', 3, 'éçñ'),
    ('ПРИВЕТ', 'ПР', 6, 'привет'),
    ('ΑΒΓ', 'ΑΒ', 3, 'αβγ'),
    ('  x', '  ', 3, '  x'),
    (none, none, none, none),
] %}
{%- set prefixes = [
    ('abc', 'ab', 'true'),
    ('abc', 'abc', 'true'),
    ('abc', '', 'true'),
    ('ab', 'abc', 'false'),
    ('Abc', 'ab', 'false'),
    ('cab', 'ab', 'false'),
    ('abc', 'a_', 'false'),
    ('a_c', 'a_', 'true'),
    ('100', '1%', 'false'),
    ('a.b', 'a.', 'true'),
    ('axb', 'a.', 'false'),
    ('Übung', 'Üb', 'true'),
    ('Übung', 'Ub', 'false'),
    (none, 'ab', 'null'),
    ('abc', none, 'null'),
] %}

with examples as (

    {% for given, beginning, number_of_characters, in_lower_case in examples -%}
    select
        {{ loop.index }} as example,
        cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_text() }}) as given,
        cast({{ text_literal(beginning) if beginning is not none else 'null' }} as {{ type_text() }}) as expected_beginning,
        cast({{ number_of_characters if given is not none else 'null' }} as {{ dbt.type_bigint() }}) as expected_count,
        cast({{ text_literal(in_lower_case) if given is not none else 'null' }} as {{ type_text() }}) as expected_lower_case
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

prefixes as (

    {% for given, beginning, expected in prefixes -%}
    select
        {{ loop.index }} as example,
        cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_text() }}) as given,
        cast({{ text_literal(beginning) if beginning is not none else 'null' }} as {{ type_text() }}) as beginning,
        cast({{ expected }} as {{ dbt.type_boolean() }}) as expected
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

results as (

    select
        example,
        expected_beginning,
        expected_count,
        expected_lower_case,
        {{ first_characters('given', 2) }} as actual_beginning,
        {{ first_characters('given', 1000) }} as actual_whole,
        {{ character_count('given') }} as actual_count,
        {{ lower_case('given') }} as actual_lower_case,
        given
    from examples

),

prefix_results as (

    select
        example,
        expected,
        {{ starts_with('given', 'beginning') }} as actual
    from prefixes

),

line_breaks as (

    select cast('a' || {{ line_break() }} || 'b' as {{ type_text() }}) as two_lines

)

select
    'first_characters' as macro_name,
    example
from results
where
    {{ differs('actual_beginning', 'expected_beginning') }}
    or {{ differs('actual_whole', 'given') }}

union all

select
    'character_count' as macro_name,
    example
from results
where {{ differs('actual_count', 'expected_count') }}

union all

select
    'lower_case' as macro_name,
    example
from results
where {{ differs('actual_lower_case', 'expected_lower_case') }}

union all

select
    'starts_with' as macro_name,
    example
from prefix_results
where {{ differs('actual', 'expected') }}

union all

select
    'line_break' as macro_name,
    1 as example
from line_breaks
where {{ differs(text_hash('two_lines'), "'" ~ local_md5('a\nb') ~ "'") }}
