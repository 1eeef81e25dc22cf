{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='replace_answers',
    unique_key='event_id',
    meta={'history': 'by_event'}
) }}
{%- set since = earliest_load_of_new_events('prompt_length is not null', this) %}

with rules as (

    select * from {{ ref('request_rules') }}
    where match_field = 'prompt_text'

),

matches as (

    select
        prompts.id as event_id,
        rules.priority,
        rules.rule_id,
        rules.request_category as request_category
    from {{ raw_events_since(ref('base_rudderstack__user_prompts'), 'ai_user_prompt_created', since, 'prompts') }}
    inner join rules
        on {{ matches_rule(lower_case('prompts.prompt_text'), 'request_rules') }}
    where
        prompts.prompt_text is not null
        and {{ is_of_new_events('prompts.id') }}

),

ranked as (

    select
        *,
        row_number() over (partition by event_id order by priority, rule_id) as rule_rank
    from matches

)

-- only the event and the rule leave this model, never the text
select
    event_id,
    priority,
    request_category
from ranked
where rule_rank = 1
