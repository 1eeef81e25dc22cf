-- No accepted event without its run, and no run without an accepted event.
{%- set identified_models = [
    'int_user_prompts_identified',
    'int_agent_responses_identified',
    'int_interactions_completed_identified',
    'int_user_actions_identified',
    'int_agent_sessions_started_identified',
    'int_agent_sessions_completed_identified',
    'int_agent_steps_completed_identified',
] %}

with accepted as (

    {% for model in identified_models -%}
    select distinct run_key
    from {{ ref(model) }}
    where
        event_disposition = 'accepted'
        and {{ of_tested_runs('event_at') }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

runs as (

    select run_key
    from {{ ref('fct_agent_runs') }}
    where {{ of_tested_runs('last_event_at') }}

)

select
    accepted.run_key as accepted_run_key,
    runs.run_key
from accepted
full outer join runs on accepted.run_key = runs.run_key
where
    accepted.run_key is null
    or runs.run_key is null
