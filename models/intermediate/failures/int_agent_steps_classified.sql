with steps as (

    select * from {{ ref('int_agent_steps_priced') }}

),

signals as (

    select * from {{ ref('int_failure_signals_classified') }}

),

response_texts as (

    select * from {{ ref('int_response_texts_classified') }}

),

classified as (

    select
        steps.step_key,
        case when {{ response_text_rule_wins() }} then response_texts.rule_id else signals.rule_id end as failure_rule_id,
        case when {{ response_text_rule_wins() }} then response_texts.failure_mode else signals.failure_mode end as failure_mode,
        case when {{ response_text_rule_wins() }} then response_texts.failure_category else signals.failure_category end as failure_category,
        case when {{ response_text_rule_wins() }} then response_texts.failure_group else signals.failure_group end as failure_group,
        case when {{ response_text_rule_wins() }} then response_texts.rule_severity else signals.rule_severity end as rule_severity
    from steps
    left join signals on steps.failure_signal_key = signals.failure_signal_key
    left join response_texts on steps.step_id = response_texts.event_id
    where coalesce(signals.rule_id, response_texts.rule_id) is not null

)

select * from classified
