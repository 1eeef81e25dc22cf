-- Every match is replaced, and nothing else.
{%- set examples = [
    ("'a1b22c333'", '[0-9]+', '#', 'a#b#c#'),
    ("'a1b22c333'", '[0-9]', '', 'abc'),
    ("'nothing to do'", '[0-9]+', '#', 'nothing to do'),
    ("'a  b' || " ~ line_break() ~ " || ' c'", '[ \\t\\n\\r\\f]+', '_', 'a_b_c'),
    ("'t n r f'", '[ \\t\\n\\r\\f]+', '_', 't_n_r_f'),
    (text_literal('C:\\new\\table'), '\\\\', '/', 'C:/new/table'),
    (text_literal('1.5 and 15'), '1\\.5', 'x', 'x and 15'),
    ("'Error ERROR error'", 'error', 'x', 'Error ERROR x'),
    (text_literal('say "hi" to `it`'), '["`][^"`]*["`]', '<quoted>', 'say <quoted> to <quoted>'),
    ("'id 0123456789abcdef'", '[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16,}', '<id>', 'id <id>'),
    ("'ababab'", '^ab', '', 'abab'),
    ("'ababab'", 'ab$', '', 'abab'),
    ("'grün und grün'", 'ü', 'ue', 'gruen und gruen'),
    ("'x'", 'x', "it's", "it's"),
    ("''", 'x', 'y', ''),
    ('null', 'x', 'y', none),
] %}

with results as (

    {% for given, pattern, replacement, expected in examples -%}
    select
        {{ loop.index }} as example,
        {{ replace_pattern('given', pattern, replacement) }} as actual,
        cast({{ text_literal(expected) if expected is not none else 'null' }} as {{ type_text() }}) as expected
    from (
        select cast({{ given }} as {{ type_text() }}) as given
    ) as one_text
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select * from results
where {{ differs('actual', 'expected') }}
