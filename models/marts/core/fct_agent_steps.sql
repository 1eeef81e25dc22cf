{{ config(fact_by_run('step_date', 'step_key')) }}

with steps as (

    select * from {{ ref('int_agent_steps_priced') }}

)

select
    -- ids
    steps.step_key as step_key,
    steps.step_id,
    steps.agent_session_key,
    steps.run_key,
    steps.conversation_id,
    steps.interaction_id,
    steps.agent_session_id,
    steps.operation_key,

    -- what
    steps.agent_name,
    steps.agent_version,
    steps.step_number,
    steps.step_type,
    steps.step_status,
    steps.sent_status,
    steps.is_failed,
    steps.is_successful,
    steps.model_name,
    steps.canonical_model,
    steps.tool_name,
    steps.service_tier,
    steps.attempt_number,
    steps.is_retry,
    steps.is_retried,
    steps.is_fallback,
    steps.is_silent_failure,
    cast(steps.merged_event_count as {{ dbt.type_bigint() }}) as merged_event_count,

    -- failure
    steps.error_type,
    steps.error_message_class,
    steps.http_status,
    steps.finish_reason,
    steps.failure_mode,
    steps.failure_category,
    steps.failure_group,
    steps.rule_severity as failure_rule_severity,
    steps.failure_rule_id,
    steps.failure_is_billed,

    -- time
    steps.started_at,
    steps.ended_at,
    {{ reporting_date('steps.ended_at') }} as step_date,
    steps.duration_ms,
    steps.time_to_first_token_ms,
    steps.has_suspect_duration,
    steps.has_clock_skew,

    -- usage and money
    steps.input_tokens,
    steps.output_tokens,
    steps.cache_read_tokens,
    steps.cache_write_tokens,
    steps.total_tokens,
    steps.sent_reasoning_tokens as reasoning_tokens,
    steps.cost_usd,
    steps.known_cost_usd,
    steps.cost_basis,
    steps.price_status,
    steps.is_price_extrapolated,
    steps.has_unknown_cost,
    steps.reported_cost_usd,
    steps.list_cost_usd,
    steps.list_cost_today_usd,
    steps.input_cost_usd,
    steps.output_cost_usd,
    steps.cache_read_cost_usd,
    steps.cache_write_cost_usd,
    steps.tool_cost_usd,

    -- structure of the texts
    steps.response_length,
    steps.tool_input_hash,
    steps.tool_input_length,
    steps.tool_output_length,
    -- two blanks stand in no name
    case
        when steps.tool_input_hash is not null
            then {{ key_of(
                "steps.tool_input_hash || '  ' || coalesce(steps.agent_name, '') || '  ' || coalesce(steps.step_type, '')"
                ~ " || '  ' || coalesce(steps.tool_name, steps.model_name, '')"
            ) }}
    end as signature_hash
from steps
