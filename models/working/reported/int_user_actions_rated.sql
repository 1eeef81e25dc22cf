{#- Of several ratings of one type by one user for one run the latest counts. -#}
{%- set of_user -%}
partition by run_key, coalesce(user_id, anonymous_id, '')
{%- endset -%}

with actions as (

    select * from {{ ref('int_events_accepted') }}
    where source_table = 'ai_user_action'

),

scales as (

    select * from {{ ref('feedback_scales') }}

),

labels as (

    select
        feedback_type,
        {{ feedback_label('value_label') }} as value_label,
        min(rating) as rating
    from scales
    where value_label is not null
    group by
        feedback_type,
        {{ feedback_label('value_label') }}

),

read as (

    select
        *,
        {{ text_to_double('feedback_value') }} as feedback_number,
        case
            when feedback_value like '%/%' then {{ text_to_double(item_of_list("replace(feedback_value, '/', ',')", '1')) }}
        end as feedback_numerator,
        case
            when feedback_value like '%/%' then {{ text_to_double(item_of_list("replace(feedback_value, '/', ',')", '2')) }}
        end as feedback_denominator,
        case
            when right(feedback_value, 1) = '%' then {{ text_to_double("replace(feedback_value, '%', '')") }}
        end as feedback_percentage
    from actions

),

scaled as (

    select
        read.event_key as action_key,
        read.event_id as action_id,
        read.run_key,
        read.conversation_id,
        read.interaction_id,
        read.user_id,
        read.anonymous_id,
        case
            when read.action_type = 'copied_response' then 'copied'
            else read.action_type
        end as action_type,
        read.action_type in (
            {%- for action in retracting_actions() %}
            '{{ action }}'{{ ',' if not loop.last }}
            {%- endfor %}
        ) as is_retraction,
        read.feedback_type as feedback_type,
        read.feedback_value,
        read.feedback_text_length,
        ranges.feedback_type is not null as has_known_scale,
        ranges.worst_value,
        ranges.best_value,
        labels.rating as label_rating,
        -- a fraction of the best value is a value of the scale
        case
            when read.feedback_denominator = greatest(ranges.worst_value, ranges.best_value) then read.feedback_numerator
            else read.feedback_number
        end as value_on_scale,
        case
            when ranges.feedback_type is null then null
            when read.feedback_value in ('true', 'yes') then 1
            when read.feedback_value in ('false', 'no') then 0
            when read.feedback_percentage between 0 and 100 then read.feedback_percentage / 100
            when
                read.feedback_denominator > 0
                and read.feedback_numerator between 0 and read.feedback_denominator
                then read.feedback_numerator / read.feedback_denominator
        end as share_of_best,
        read.event_at as acted_at,
        read.received_at,
        read.has_clock_skew
    from read
    left join scales as ranges
        on
            read.feedback_type = ranges.feedback_type
            and ranges.value_label is null
    left join labels
        on
            read.feedback_type = labels.feedback_type
            and read.feedback_value = labels.value_label

),

rated as (

    select
        *,
        cast(
            case
                when is_retraction then null
                when label_rating is not null then label_rating
                -- a value outside of its scale is of another scale: no rating beats a guess
                when value_on_scale between least(worst_value, best_value) and greatest(worst_value, best_value)
                    then (value_on_scale - worst_value) / nullif(best_value - worst_value, 0)
                else share_of_best
            end as {{ type_double() }}
        ) as rating,
        row_number() over (
            {{ of_user }} order by acted_at, received_at nulls last, action_id
        ) as action_number
    from scaled

),

latest as (

    select
        *,
        max(case when rating is not null or is_retraction then action_number end) over (
            {{ of_user }}, feedback_type
        ) as last_number_of_type,
        -- without a type all ratings of the user are taken back
        max(case when is_retraction and feedback_type is null then action_number end) over (
            {{ of_user }}
        ) as last_retraction_number
    from rated

)

select
    action_key,
    action_id,
    run_key,
    conversation_id,
    interaction_id,
    user_id,
    anonymous_id,
    action_type,
    feedback_type,
    feedback_value,
    feedback_text_length,
    rating,
    rating is not null
    and action_number = last_number_of_type
    and action_number > coalesce(last_retraction_number, 0) as is_latest_rating,
    case
        when is_retraction then 'retracted'
        when feedback_type is null and feedback_value is null then null
        when rating is not null then 'rated'
        when not has_known_scale then 'unknown_type'
        when feedback_value is null then 'no_value'
        else 'unknown_value'
    end as feedback_status,
    acted_at,
    has_clock_skew
from latest
