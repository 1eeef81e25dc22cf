-- A value is held against the pattern of the failure rule in the same row.
{%- set examples = [
    ('cancelled_type', 'aborterror', true),
    ('cancelled_type', 'openai.aborterror', true),
    ('cancelled_type', 'aborterrors', false),
    ('cancelled_type', 'quota exceeded for project', false),
    ('quota_per_minute_message', 'quota exceeded for project', true),
    ('quota_per_minute_message', 'resource exhausted', true),
    ('quota_per_minute_message', 'aborterror', false),
    ('quota_per_minute_message', none, none),
] %}

with examples as (

    {{ example_rows(examples, {
        'rule_name': type_text(),
        'given': type_text(),
        'expected': dbt.type_boolean()
    }) }}

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

select * from results
where
    rule_id is null
    or {{ differs('actual', 'expected') }}
