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
    ('abc', 'ab', true),
    ('abc', 'abc', true),
    ('abc', '', true),
    ('ab', 'abc', false),
    ('Abc', 'ab', false),
    ('cab', 'ab', false),
    ('abc', 'a_', false),
    ('a_c', 'a_', true),
    ('100', '1%', false),
    ('a.b', 'a.', true),
    ('axb', 'a.', false),
    ('Übung', 'Üb', true),
    ('Übung', 'Ub', false),
    (none, 'ab', none),
    ('abc', none, none),
] %}

with examples as (

    {{ example_rows(examples, {
        'given': type_text(),
        'expected_beginning': type_text(),
        'expected_count': dbt.type_bigint(),
        'expected_lower_case': type_text()
    }) }}

),

prefixes as (

    {{ example_rows(prefixes, {
        'given': type_text(),
        'beginning': type_text(),
        'expected': dbt.type_boolean()
    }) }}

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

    select
        1 as example,
        cast('a' || {{ line_break() }} || 'b' as {{ type_text() }}) as two_lines

)

{{ wrong_examples([
    ('first_characters', 'results', differs('actual_beginning', 'expected_beginning') ~ ' or ' ~ differs('actual_whole', 'given')),
    ('character_count', 'results', differs('actual_count', 'expected_count')),
    ('lower_case', 'results', differs('actual_lower_case', 'expected_lower_case')),
    ('starts_with', 'prefix_results', differs('actual', 'expected')),
    ('line_break', 'line_breaks', differs(text_hash('two_lines'), "'" ~ local_md5('a\nb') ~ "'"))
]) }}
