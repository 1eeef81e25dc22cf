{#- Rules on the text of an answer, for frameworks that report a failure only there. Only the id of
    the event and the rule leave this model, never the text. -#}
{%- set text_sources = {
    'base_rudderstack__agent_steps_completed': 'response_text',
    'base_rudderstack__agent_sessions_completed': 'response_text',
    'base_rudderstack__agent_responses': 'response_text',
    'base_rudderstack__interactions_completed': 'final_response_text'
} -%}

with rules as (

    select * from {{ ref('failure_mode_rules') }}
    where match_field = 'response_text'

),

matches as (

    {% for model, text_column in text_sources.items() -%}
    select
        events.id as event_id,
        rules.rule_id,
        rules.priority
    from {{ ref(model) }} as events
    inner join rules
        on case rules.match_type
            when 'contains' then {{ dbt.position('rules.pattern', lower_case('events.' ~ text_column)) }} > 0
            when 'regex' then {{ matches_rule_pattern(lower_case('events.' ~ text_column)) }}
            when 'in'
                then {{ dbt.position("('|' || " ~ lower_case('events.' ~ text_column) ~ " || '|')", "('|' || rules.pattern || '|')") }} > 0
        end
    where events.{{ text_column }} is not null
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

ranked as (

    select
        event_id,
        rule_id,
        row_number() over (partition by event_id order by priority, rule_id) as rule_rank
    from matches

)

select
    ranked.event_id,
    ranked.rule_id as rule_id,
    rules.priority,
    rules.failure_mode,
    rules.failure_category,
    rules.failure_group,
    rules.severity as rule_severity
from ranked
inner join rules on ranked.rule_id = rules.rule_id
where ranked.rule_rank = 1
