with sessions as (

    select
        agent_session_key,
        outcome_event_id,
        session_status,
        failure_signal_key
    from {{ ref('int_agent_sessions_assembled') }}

),

signals as (

    select * from {{ ref('int_failure_signals_classified') }}

),

response_texts as (

    select * from {{ ref('int_response_texts_classified') }}

),

failing_steps as (

    select
        agent_session_key,
        failure_rule_id,
        failure_mode,
        failure_category,
        failure_group,
        failure_is_billed,
        row_number() over (
            partition by agent_session_key
            order by
                -- a failure that a later attempt repaired did not end the session
                case when is_retried then 1 else 0 end,
                ended_at nulls last,
                step_number nulls last,
                {{ key_order('step_key') }}
        ) as failure_rank
    from {{ ref('fct_agent_steps') }}
    where
        is_failed
        and {{ of_affected_runs('ended_at') }}

),

own_rules as (

    select
        sessions.agent_session_key,
        sessions.session_status,
        {{ first_matching('rule_id') }} as failure_rule_id,
        {{ first_matching('failure_mode') }} as failure_mode,
        {{ first_matching('failure_category') }} as failure_category,
        {{ first_matching('failure_group') }} as failure_group,
        {{ first_matching('rule_severity') }} as rule_severity,
        {{ first_matching('is_billed') }} as failure_is_billed
    from sessions
    left join signals on sessions.failure_signal_key = signals.failure_signal_key
    left join response_texts on sessions.outcome_event_id = response_texts.event_id
    where coalesce(signals.rule_id, response_texts.rule_id) is not null

),

-- a session that says no more than "error" is explained by the step that failed in it
explained as (

    select
        own_rules.agent_session_key as agent_session_key,
        own_rules.failure_category = 'unclassified' and failing_steps.failure_mode is not null as is_explained_by_step,
        own_rules.failure_rule_id as own_rule_id,
        own_rules.failure_mode as own_mode,
        own_rules.failure_category as own_category,
        own_rules.failure_group as own_group,
        own_rules.rule_severity as own_severity,
        own_rules.failure_is_billed as own_is_billed,
        failing_steps.failure_rule_id as step_rule_id,
        failing_steps.failure_mode as step_mode,
        failing_steps.failure_category as step_category,
        failing_steps.failure_group as step_group,
        failing_steps.failure_is_billed as step_is_billed
    from own_rules
    left join failing_steps
        on
            own_rules.agent_session_key = failing_steps.agent_session_key
            and failing_steps.failure_rank = 1

)

select
    agent_session_key,
    case when is_explained_by_step then step_rule_id else own_rule_id end as failure_rule_id,
    case when is_explained_by_step then step_mode else own_mode end as failure_mode,
    case when is_explained_by_step then step_category else own_category end as failure_category,
    case when is_explained_by_step then step_group else own_group end as failure_group,
    own_severity as rule_severity,
    case when is_explained_by_step then step_is_billed else own_is_billed end as failure_is_billed
from explained
