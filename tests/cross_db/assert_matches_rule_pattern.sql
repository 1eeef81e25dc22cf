-- A value is held against the pattern of the failure rule in the same row.
{%- set examples = [
    ('cancelled_type', 'aborterror', 'true'),
    ('cancelled_type', 'openai.aborterror', 'true'),
    ('cancelled_type', 'aborterrors', 'false'),
    ('cancelled_type', 'quota exceeded for project', 'false'),
    ('quota_per_minute_message', 'quota exceeded for project', 'true'),
    ('quota_per_minute_message', 'resource exhausted', 'true'),
    ('quota_per_minute_message', 'aborterror', 'false'),
    ('quota_per_minute_message', none, 'null'),
] %}

with examples as (

    {% for rule_id, given, expected in examples -%}
    select
        {{ loop.index }} as example,
        {{ text_literal(rule_id) }} as rule_name,
        cast({{ text_literal(given) if given is not none else 'null' }} as {{ type_text() }}) as given,
        cast({{ expected }} as {{ dbt.type_boolean() }}) as expected
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

results as (

    select
        examples.example,
        examples.expected,
        {{ matches_rule_pattern('examples.given') }} as actual,
        rules.rule_id
    from examples
    left join {{ ref('failure_mode_rules') }} as rules on examples.rule_name = rules.rule_id

)

select
    example,
    rule_id,
    expected,
    actual
from results
where
    rule_id is null
    or {{ differs('actual', 'expected') }}
