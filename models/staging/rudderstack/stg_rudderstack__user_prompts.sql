{%- set expected_columns = standard_event_columns() + [
    {'name': 'prompt_text', 'type': 'text'},
    {'name': 'input_method', 'type': 'text'},
    {'name': 'intent', 'type': 'text', 'raw_names': ['intent', 'request_category']}
] -%}

with raw_events as (

    {{ typed_source('rudderstack', 'ai_user_prompt_created', expected_columns) }}

),

renamed as (

    select
        -- ids, context, times and data quality
        {{ renamed_event_columns() }},

        -- the prompt, without its text
        lower(input_method) as input_method,
        intent,
        {{ salted_hash('prompt_text') }} as prompt_hash,
        {{ character_count('prompt_text') }} as prompt_length
    from raw_events

)

select * from renamed
