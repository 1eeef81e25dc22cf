with raw_events as (

    select * from {{ ref('base_rudderstack__answers') }}

),

-- the names that other events have for the same things
named as (

    select
        {%- for column in standard_event_columns() | map(attribute='name') | reject('in', ['workflow_name', 'trigger_type']) %}
        {{ column }},
        {%- endfor %}
        raw_schema,
        unconverted_columns,
        coalesce(workflow_name, task_name, feature) as workflow_name,
        -- a system that answers was started by what it says, and by a system where it says nothing
        coalesce(
            trigger_type,
            case when lower(answer_trigger) = 'system' then coalesce(trigger_source, 'system') else answer_trigger end
        ) as trigger_type,
        response_status,
        response_text,
        latency_ms,
        llm_call_count,
        tool_call_count,
        primary_model,
        intent,
        usage_breakdown,
        prompt_tokens,
        completion_tokens,
        cache_read,
        cache_write,
        cache_write_1h_tokens,
        reasoning_tokens,
        total_tokens,
        cost,
        service_tier,
        is_cache_hit,
        error_type,
        error_message,
        http_status,
        finish_reason
    from raw_events

),

renamed as (

    select
        -- ids, context, times and data quality
        {{ renamed_event_columns() }},

        -- what happened
        {{ word_label('response_status') }} as status_label,
        latency_ms as duration_ms,
        llm_call_count + tool_call_count as reported_steps_count,
        primary_model as model_name,
        intent,
        usage_breakdown,
        {{ character_count('response_text') }} as response_length,

        -- usage and failure
        {{ renamed_usage_columns() }},
        {{ renamed_failure_columns("'run'", 'response_status') }}
    from named

)

select * from renamed
