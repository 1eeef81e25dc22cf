-- Patterns match anywhere in a text unless they are anchored, with upper and lower case apart.
{%- set examples = [
    ('connection refused', 'refuse', 'true'),
    ('connection refused', '^conn', 'true'),
    ('connection refused', '^refused', 'false'),
    ('connection refused', 'refused$', 'true'),
    ('connection refused', 'connection$', 'false'),
    ('Connection Refused', 'refused', 'false'),
    ('connection refused', '(timeout|refused)', 'true'),
    ('connection refused', '^(timeout|refused)$', 'false'),
    ('timeout', '^(timeout|refused)$', 'true'),
    ('error 429', '[0-9]{3}', 'true'),
    ('error 42', '[0-9]{3}', 'false'),
    ('error 429', '^[^0-9]+$', 'false'),
    ('abc', 'a.c', 'true'),
    ('ac', 'a.c', 'false'),
    ('ac', 'a.?c', 'true'),
    ('abc', 'a[.]c', 'false'),
    ('a.c', 'a[.]c', 'true'),
    ('a.c', 'a\\.c', 'true'),
    ('abc', 'a\\.c', 'false'),
    ('C:\\new', '^C:\\\\new$', 'true'),
    ("can't", "can't", 'true'),
    ('a b', 'a[ ]b', 'true'),
    ('a-b_c', '^[a-z_-]+$', 'true'),
    ('über', '^ü', 'true'),
    ('tool_call: failed', '(^|[ _])call', 'true'),
    ('aab', '^(a|b){3}$', 'true'),
    ('refused\n', '^[a-z]+$', 'false'),
    ('refused\r\n', '^[a-z]+$', 'false'),
    ('refused\r', 'refused$', 'false'),
    ('\n', '^$', 'false'),
    ('', '^$', 'true'),
    ('', 'a', 'false'),
    (none, 'a', 'null'),
] %}
{#- Redshift takes a pattern as a literal only. -#}
{%- set takes_columns = target.type != 'redshift' %}

with results as (

    {% for given, pattern, expected in examples -%}
    select
        {{ loop.index }} as example,
        given,
        pattern,
        {{ text_matches('given', text_literal(pattern)) }} as actual,
        {% if takes_columns -%}
        {{ text_matches('given', 'pattern') }} as actual_by_column,
        {% endif -%}
        cast({{ expected }} as {{ dbt.type_boolean() }}) as expected
    from (
        select
            cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_text() }}) as given,
            cast({{ text_literal(pattern) }} as {{ type_text() }}) as pattern
    ) as one_text
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)

select * from results
where
    {{ differs('actual', 'expected') }}
    {% if takes_columns -%}
    or {{ differs('actual_by_column', 'expected') }}
    {% endif -%}
