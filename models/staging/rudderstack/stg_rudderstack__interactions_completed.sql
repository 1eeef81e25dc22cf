with raw_events as (

    select * from {{ ref('base_rudderstack__interactions_completed') }}

),

renamed as (

    select
        -- ids, context, times and data quality
        {{ renamed_event_columns() }},

        -- what happened
        {{ word_label('status') }} as status_label,
        duration_ms,
        agents_count as reported_agents_count,
        steps_count as reported_steps_count,
        {{ character_count('final_response_text') }} as response_length,
        {{ word_label('output_type') }} as output_type,
        {{ location_without_secrets('result_location') }} as result_location,

        -- usage and failure
        {{ renamed_usage_columns() }},
        {{ renamed_failure_columns("'run'", 'status') }}
    from raw_events

)

select * from renamed
