-- Every kind of raw column becomes every logical type, and what does not convert becomes null.
{%- set given_at = '2026-01-31 23:59:59.750' %}
{%- set physical = {
    'text': ('varchar', type_text()),
    'integer': ('bigint', dbt.type_bigint()),
    'decimal': ('double', type_double()),
    'money': ('numeric(28, 9)', type_usd()),
    'boolean': ('boolean', dbt.type_boolean()),
    'timestamp': ('timestamp', type_utc_timestamp()),
} %}
{%- set examples = {
    'text': [
        ('text', ' x ', ' x '), ('text', '   ', '   '), ('text', '', none), ('text', none, none),
        ('integer', '5', '5'), ('integer', '-9007199254740993', '-9007199254740993'), ('integer', none, none),
        ('decimal', '5', '5'), ('decimal', '-2', '-2'), ('decimal', '1.5', '1.5'), ('decimal', none, none),
        ('money', '3', '3'),
        ('boolean', 'true', 'true'), ('boolean', 'false', 'false'), ('boolean', none, none),
    ],
    'id': [
        ('text', ' x ', ' x '), ('text', '   ', none), ('text', '', none), ('text', '!', '!'), ('text', none, none),
        ('integer', '5', '5'), ('decimal', '12345678901', '12345678901'),
    ],
    'bigint': [
        ('text', '12', '12'), ('text', ' 12.5 ', '13'), ('text', 'abc', none), ('text', '1e30', none),
        ('text', '', none), ('text', none, none),
        ('integer', '9007199254740993', '9007199254740993'), ('integer', none, none),
        ('decimal', '2.5', '3'), ('decimal', '-2.5', '-3'), ('decimal', '1e30', none), ('decimal', none, none),
        ('text', '9007199254740992', '9007199254740992'), ('decimal', '9000000000000000000', '9000000000000000000'),
        ('money', '2.5', '3'),
        ('boolean', 'true', none), ('timestamp', given_at, none),
    ],
    'usd': [
        ('text', '0.29', '0.29'), ('text', '1e12', '1000000000000'), ('text', '2e12', none), ('text', 'free', none),
        ('text', none, none),
        ('integer', '3', '3'), ('integer', '2000000000000', none),
        ('decimal', '0.29', '0.29'), ('decimal', '0.0000000005', '0.000000001'), ('decimal', '1e30', none),
        ('money', '0.000000001', '0.000000001'), ('money', '-999999999999.123456789', '-999999999999.123456789'),
        ('boolean', 'true', none), ('timestamp', given_at, none),
    ],
    'double': [
        ('text', ' 1.5 ', '1.5'), ('text', 'abc', none), ('integer', '3', '3'), ('decimal', '0.1', '0.1'),
        ('money', '0.5', '0.5'), ('boolean', 'true', none), ('timestamp', given_at, none), ('decimal', none, none),
    ],
    'boolean': [
        ('text', 'TRUE', 'true'), ('text', ' yes ', 'true'), ('text', '1', 'true'), ('text', 't', 'true'),
        ('text', 'False', 'false'), ('text', 'no', 'false'), ('text', '0', 'false'), ('text', 'f', 'false'),
        ('text', 'maybe', none), ('text', '', none), ('text', none, none),
        ('integer', '2', 'true'), ('integer', '0', 'false'), ('integer', none, none),
        ('decimal', '0.5', 'true'), ('decimal', '0', 'false'),
        ('boolean', 'true', 'true'), ('boolean', 'false', 'false'), ('boolean', none, none),
        ('timestamp', given_at, none),
    ],
    'timestamp': [
        ('text', '2026-01-31T23:59:59.750Z', given_at), ('text', 'abc', none), ('text', '', none), ('text', none, none),
        ('timestamp', given_at, given_at), ('timestamp', none, none),
        ('integer', '1769903999', none), ('decimal', '1.5', none), ('boolean', 'true', none),
    ],
} %}

with {% for logical_type, rows in examples.items() -%}
{{ logical_type }}_results as (

    {% for kind, given, expected in rows -%}
    select
        {{ loop.index }} as example,
        {{ convert_column('given', physical[kind][0], logical_type) }} as actual,
        cast({{ text_literal(expected) if expected is not none else 'null' }} as {{ sql_type(logical_type) }}) as expected
    from (
        select cast({{ text_literal(given) if given is not none else 'null' }} as {{ physical[kind][1] }}) as given
    ) as one_value
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

)
{%- if not loop.last %},

{% endif -%}
{% endfor %}

{% for logical_type in examples -%}
select
    '{{ logical_type }}' as logical_type,
    example
from {{ logical_type }}_results
where {{ differs('actual', 'expected') }}
{% if not loop.last %}
union all

{% endif -%}
{% endfor %}
