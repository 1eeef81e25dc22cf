{{ config(materialized='view') }}

with steps as (

    select * from {{ ref('int_agent_steps_accepted') }}

),

signals as (

    select * from {{ ref('int_failure_signals_classified') }}

),

response_texts as (

    select * from {{ ref('int_response_texts_classified') }}

),

classified as (

    select
        steps.event_key,
        {{ first_matching('rule_id') }} as failure_rule_id,
        {{ first_matching('failure_mode') }} as failure_mode,
        {{ first_matching('failure_category') }} as failure_category,
        {{ first_matching('failure_group') }} as failure_group,
        {{ first_matching('rule_severity') }} as rule_severity,
        {{ first_matching('is_billed') }} as failure_is_billed
    from steps
    left join signals on steps.failure_signal_key = signals.failure_signal_key
    left join response_texts on steps.step_id = response_texts.event_id
    where coalesce(signals.rule_id, response_texts.rule_id) is not null

)

select * from classified
