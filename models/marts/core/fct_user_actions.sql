{{ config(fact_by_run('action_date', 'action_key')) }}

with actions as (

    select * from {{ ref('int_user_actions_rated') }}

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
    feedback_status,
    rating,
    is_latest_rating,
    feedback_text_length,
    acted_at,
    {{ reporting_date('acted_at') }} as action_date,
    has_clock_skew
from actions
