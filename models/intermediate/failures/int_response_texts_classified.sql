{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='replace_answers',
    unique_key='event_id',
    meta={'history': 'by_event'}
) }}
{%- set since = earliest_load_of_new_events('response_length is not null', this) %}

{#- Rules on the text of an answer, for frameworks that report a failure only there. Only the id of
    the event and the rule leave this model, never the text. -#}
{%- set text_sources = {
    'ai_agent_step_completed': ('agent_steps_completed', 'response_text'),
    'ai_agent_session_completed': ('agent_sessions_completed', 'response_text'),
    'ai_agent_response_received': ('agent_responses', 'response_text'),
    'ai_interaction_completed': ('interactions_completed', 'final_response_text'),
    'ai_response_received': ('answers', 'response_text')
} -%}

with rules as (

    select * from {{ ref('failure_mode_rules') }}
    where match_field = 'response_text'

),

matches as (

    {% for source_table, (name, text_column) in text_sources.items() -%}
    select
        events.id as event_id,
        rules.rule_id,
        rules.priority
    from {{ raw_events_since(ref('base_rudderstack__' ~ name), source_table, since, 'events') }}
    inner join rules
        on {{ matches_rule(lower_case('events.' ~ text_column), 'failure_mode_rules') }}
    where
        events.{{ text_column }} is not null
        and {{ is_of_new_events('events.id') }}
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
    rules.severity as rule_severity,
    rules.is_billed
from ranked
inner join rules on ranked.rule_id = rules.rule_id
where ranked.rule_rank = 1
