with raw_events as (

    select * from {{ ref('base_rudderstack__agent_sessions_completed') }}

),

renamed as (

    select
        -- ids, context, times and data quality
        {{ renamed_event_columns() }},
        {{ renamed_agent_columns() }},

        -- what happened
        model_used as model_name,
        {{ word_label('status') }} as status_label,
        duration_ms,
        steps_count as reported_steps_count,
        {{ character_count('response_text') }} as response_length,

        -- usage and failure
        {{ renamed_usage_columns() }},
        {{ renamed_failure_columns("'session'", 'status') }}
    from raw_events

)

select * from renamed
