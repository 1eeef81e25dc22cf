with runs as (

    select
        run_key,
        prompt_event_id,
        workflow_name,
        input_method,
        coalesce(sent_request_category, intent) as sent_category
    from {{ ref('int_runs_assembled') }}

),

-- the agent that began says what was asked for better than those it called
agents_ranked as (

    select
        run_key,
        agent_name,
        row_number() over (
            partition by run_key order by started_at nulls last, {{ key_order('agent_session_key') }}
        ) as session_rank
    from {{ ref('int_agent_sessions_assembled') }}

),

prompts as (

    select * from {{ ref('int_prompts_classified') }}

),

rules as (

    select * from {{ ref('request_rules') }}
    where match_field != 'prompt_text'

),

facts_of_runs as (

    select
        run_key,
        'workflow_name' as match_field,
        {{ lower_case('workflow_name') }} as matched_value
    from runs
    where workflow_name is not null

    union all

    select
        run_key,
        'input_method' as match_field,
        {{ lower_case('input_method') }} as matched_value
    from runs
    where input_method is not null

    union all

    select
        run_key,
        'agent_name' as match_field,
        {{ lower_case('agent_name') }} as matched_value
    from agents_ranked
    where
        session_rank = 1
        and agent_name is not null

),

-- few names, many runs: each name meets the rules once
names as (

    select distinct
        match_field,
        matched_value
    from facts_of_runs

),

names_ranked as (

    select
        names.match_field as match_field,
        names.matched_value as matched_value,
        rules.priority,
        rules.request_category,
        row_number() over (
            partition by names.match_field, names.matched_value order by rules.priority, rules.rule_id
        ) as rule_rank
    from names
    inner join rules
        on
            names.match_field = rules.match_field
            and {{ matches_rule('names.matched_value', 'request_rules') }}

),

candidates as (

    select
        facts_of_runs.run_key,
        names_ranked.priority,
        names_ranked.request_category
    from facts_of_runs
    inner join names_ranked
        on
            facts_of_runs.match_field = names_ranked.match_field
            and facts_of_runs.matched_value = names_ranked.matched_value
    where names_ranked.rule_rank = 1

    union all

    select
        runs.run_key,
        prompts.priority,
        prompts.request_category
    from runs
    inner join prompts on runs.prompt_event_id = prompts.event_id

),

candidates_ranked as (

    select
        run_key,
        request_category,
        row_number() over (partition by run_key order by priority, request_category) as candidate_rank
    from candidates

)

select
    runs.run_key as run_key,
    coalesce(runs.sent_category, candidates_ranked.request_category) as request_category,
    case
        when runs.sent_category is not null then 'sent'
        when candidates_ranked.request_category is not null then 'rule'
    end as request_category_source
from runs
left join candidates_ranked
    on
        runs.run_key = candidates_ranked.run_key
        and candidates_ranked.candidate_rank = 1
