-- A text reaches the engine as it was, whatever a quote, a backslash or a placeholder means there.
{%- set texts = [
    "it's",
    "''",
    'say "hi"',
    'C:\\new\\table',
    'one \\ two \\\\ three \\\\\\',
    "both \\' and '\\",
    '\\.',
    '100% of _all_ %s',
    '${variable} {braces} ?',
    'über 😀',
    '-- no comment /* none */ ; select',
    ' spaces ',
] %}

with results as (

    {% for text in texts -%}
    select
        {{ loop.index }} as example,
        {{ text_hash('cast(' ~ text_literal(text) ~ ' as ' ~ type_text() ~ ')') }} as actual,
        '{{ local_md5(text) }}' as expected,
        {{ character_count('cast(' ~ text_literal(text) ~ ' as ' ~ type_text() ~ ')') }} as actual_count,
        {{ text | length }} as expected_count
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select * from results
where
    {{ differs('actual', 'expected') }}
    or {{ differs('actual_count', 'expected_count') }}
