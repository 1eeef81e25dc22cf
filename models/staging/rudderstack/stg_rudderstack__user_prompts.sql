with raw_events as (

    select * from {{ ref('base_rudderstack__user_prompts') }}

),

renamed as (

    select
        -- ids, context, times and data quality
        {{ renamed_event_columns() }},

        -- the prompt, without its text
        lower(input_method) as input_method,
        intent,
        request_category,
        {{ salted_hash('prompt_text') }} as prompt_hash,
        {{ character_count('prompt_text') }} as prompt_length
    from raw_events

)

select * from renamed
