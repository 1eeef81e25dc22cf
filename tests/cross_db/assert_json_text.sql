-- What lies at a path of JSON comes as text, and null where there is nothing or no JSON.
{%- set examples = [
    ('{"error": "no"}', ['error'], 'no'),
    ('{"error": ""}', ['error'], ''),
    ('{"a": {"b": {"c": "deep"}}}', ['a', 'b', 'c'], 'deep'),
    ('{"a": {"b": "x"}}', ['a', 'c'], none),
    ('{"a": {"b": "x"}}', ['b'], none),
    ('{"a": "x"}', ['a', 'b'], none),
    ('{"tokens": 5}', ['tokens'], '5'),
    ('{"tokens": -1.5}', ['tokens'], '-1.5'),
    ('{"tokens": 12345678901}', ['tokens'], '12345678901'),
    ('{"ok": true}', ['ok'], 'true'),
    ('{"ok": false}', ['ok'], 'false'),
    ('{"ok": null}', ['ok'], none),
    ('{"ok": "null"}', ['ok'], 'null'),
    ('{"list": [1, 2, 3]}', ['list'], '[1,2,3]'),
    ('{"list": ["a", {"b": null}]}', ['list'], '["a",{"b":null}]'),
    ('{"list": []}', ['list'], '[]'),
    ('{"object": {"code": "x"}}', ['object'], '{"code":"x"}'),
    ('{"text": "say_\\"hi\\""}', ['text'], 'say_"hi"'),
    ('{"text": "C:\\\\new"}', ['text'], 'C:\\new'),
    ('{"text": "it\'s"}', ['text'], "it's"),
    ('{"text": "\\u00fcber"}', ['text'], 'über'),
    ('{"text": "grün 😀"}', ['text'], 'grün 😀'),
    ('{"A": "x"}', ['a'], none),
    ('  {"a" : "x"}  ', ['a'], 'x'),
    ('[{"a": "x"}]', ['a'], none),
    ('"a"', ['a'], none),
    ('5', ['a'], none),
    ('null', ['a'], none),
    ('{}', ['a'], none),
    ('{"a": "x", ', ['a'], none),
    ('{"a": ', ['a'], none),
    ('{a: x}', ['a'], none),
    ('a', ['a'], none),
    ('', ['a'], none),
    (none, ['a'], none),
] %}
{#- A value of the engine's own type, where it has one. -#}
{%- set parse = {
    'duckdb': 'cast(% as json)',
    'postgres': 'cast(% as jsonb)',
    'redshift': 'json_parse(%)',
    'snowflake': 'parse_json(%)',
    'bigquery': 'parse_json(%)',
    'databricks': 'parse_json(%)',
}.get(target.type) %}
{%- set values = [
    ('{"error": "no"}', ['error'], 'no'),
    ('{"error": {"code": 5}}', ['error', 'code'], '5'),
    ('{"error": "no"}', ['code'], none),
    ('"plain"', [], 'plain'),
    ('{"error":"no"}', [], '{"error":"no"}'),
    ('[1,2]', [], '[1,2]'),
    ('5', [], '5'),
    ('true', [], 'true'),
] if parse else [] %}

with results as (

    {% for given, path, expected in examples -%}
    select
        {{ loop.index }} as example,
        {{ json_text('given', path, is_text=true) }} as actual,
        cast({{ text_literal(expected) if expected is not none else 'null' }} as {{ type_text() }}) as expected
    from (
        select cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_text() }}) as given
    ) as one_text
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}
    {%- for given, path, expected in values %}
    union all

    select
        {{ 100 + loop.index }} as example,
        {{ json_text('given', path, is_text=false) }} as actual,
        cast({{ text_literal(expected) if expected is not none else 'null' }} as {{ type_text() }}) as expected
    from (
        select {{ parse | replace('%', text_literal(given)) }} as given
    ) as one_value
    {% endfor %}

)

select * from results
-- engines differ in the spaces of the JSON they write
where {{ differs("replace(actual, ' ', '')", "replace(expected, ' ', '')") }}
