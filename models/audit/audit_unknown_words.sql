with runs as (

    select
        'fct_agent_runs' as table_name,
        'status' as word_kind,
        sent_status as word,
        count(*) as row_count
    from {{ ref('fct_agent_runs') }}
    where run_status = 'unknown'
    group by sent_status

),

sessions as (

    select
        'fct_agent_sessions' as table_name,
        'status' as word_kind,
        sent_status as word,
        count(*) as row_count
    from {{ ref('fct_agent_sessions') }}
    where session_status = 'unknown'
    group by sent_status

),

steps as (

    select
        'fct_agent_steps' as table_name,
        'status' as word_kind,
        sent_status as word,
        count(*) as row_count
    from {{ ref('fct_agent_steps') }}
    where step_status = 'unknown'
    group by sent_status

),

tiers as (

    select
        'fct_agent_steps' as table_name,
        'service_tier' as word_kind,
        steps.service_tier as word,
        count(*) as row_count
    from {{ ref('fct_agent_steps') }} as steps
    left join {{ ref('service_tiers') }} as known on steps.service_tier = known.word
    where
        steps.service_tier is not null
        and known.word is null
    group by steps.service_tier

    union all

    select
        'fct_agent_sessions' as table_name,
        'service_tier' as word_kind,
        sessions.service_tier as word,
        count(*) as row_count
    from {{ ref('fct_agent_sessions') }} as sessions
    left join {{ ref('service_tiers') }} as known on sessions.service_tier = known.word
    where
        sessions.service_tier is not null
        and known.word is null
    group by sessions.service_tier

),

actions as (

    select
        'fct_user_actions' as table_name,
        case when feedback_status = 'unknown_type' then 'feedback_type' else 'feedback_value' end as word_kind,
        case
            when feedback_status = 'unknown_type' then feedback_type
            else feedback_type || '=' || feedback_value
        end as word,
        count(*) as row_count
    from {{ ref('fct_user_actions') }}
    where feedback_status in ('unknown_type', 'unknown_value')
    group by
        case when feedback_status = 'unknown_type' then 'feedback_type' else 'feedback_value' end,
        case
            when feedback_status = 'unknown_type' then feedback_type
            else feedback_type || '=' || feedback_value
        end

),

words as (

    select * from runs
    union all
    select * from sessions
    union all
    select * from steps
    union all
    select * from tiers
    union all
    select * from actions

)

select
    {{ text_hash("table_name || '|' || word_kind || '|' || " ~ text_hash("coalesce(word, '(not set)')")) }} as unknown_word_key,
    table_name,
    word_kind,
    coalesce(word, '(not set)') as word,
    row_count
from words
