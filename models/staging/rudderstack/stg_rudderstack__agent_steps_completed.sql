with raw_events as (

    select * from {{ ref('base_rudderstack__agent_steps_completed') }}

),

renamed as (

    select
        -- ids, context, times and data quality
        {{ renamed_event_columns() }},
        {{ renamed_agent_columns() }},

        -- what happened
        model_name,
        tool_name,
        {{ word_label('step_type', ['llm_call', 'tool_call']) }} as step_type,
        {{ word_label('status') }} as status_label,
        duration_ms,
        time_to_first_token_ms,
        original_timestamp,
        -- one response may call several tools
        coalesce(step_id, case when coalesce({{ word('step_type') }}, '') != 'tool_call' then response_id end) as sent_step_id,
        step_index,
        attempt_number as sent_attempt_number,
        {{ character_count('response_text') }} as response_length,
        {{ salted_hash('tool_input') }} as tool_input_hash,
        {{ character_count('tool_input') }} as tool_input_length,
        {{ character_count('tool_output') }} as tool_output_length,
        {{ is_error_like_tool_output() }} as has_error_like_tool_output,

        -- usage and failure
        {{ renamed_usage_columns() }},
        {{ renamed_failure_columns("step_type", 'status') }}
    from raw_events

)

select * from renamed
