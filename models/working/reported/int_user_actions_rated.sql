with actions as (

    select * from {{ ref('int_events_accepted') }}
    where source_table = 'ai_user_action'

),

scales as (

    select * from {{ ref('feedback_scales') }}

),

numbered as (

    select
        *,
        {{ text_to_double('feedback_value') }} as feedback_number
    from actions

),

rated as (

    select
        numbered.event_key as action_key,
        numbered.event_id as action_id,
        numbered.run_key,
        numbered.conversation_id,
        numbered.interaction_id,
        numbered.user_id,
        numbered.anonymous_id,
        case
            when numbered.action_type = 'copied_response' then 'copied'
            else numbered.action_type
        end as action_type,
        numbered.feedback_type as feedback_type,
        numbered.feedback_text_length,
        cast(
            coalesce(
                labels.rating,
                case
                    -- a value outside of its scale is of another scale: no rating beats a guess
                    when
                        numbered.feedback_number between least(ranges.worst_value, ranges.best_value)
                        and greatest(ranges.worst_value, ranges.best_value)
                        then
                            (numbered.feedback_number - ranges.worst_value)
                            / nullif(ranges.best_value - ranges.worst_value, 0)
                end
            ) as {{ type_double() }}
        ) as rating,
        numbered.event_at as acted_at,
        numbered.has_clock_skew
    from numbered
    left join scales as ranges
        on
            numbered.feedback_type = ranges.feedback_type
            and ranges.value_label is null
    left join scales as labels
        on
            numbered.feedback_type = labels.feedback_type
            and numbered.feedback_value = labels.value_label

)

select * from rated
