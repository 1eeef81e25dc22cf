{%- set statuses = {
    'fct_agent_runs': 'run_status', 'fct_agent_sessions': 'session_status', 'fct_agent_steps': 'step_status'
} -%}

with statuses as (

    {% for fact, status in statuses.items() -%}
    select
        {{ text_literal(fact) }} as table_name,
        'status' as word_kind,
        sent_status as word,
        count(*) as row_count
    from {{ ref(fact) }}
    where {{ status }} = 'unknown'
    group by sent_status
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

tiers as (

    {% for fact in ['fct_agent_sessions', 'fct_agent_steps'] -%}
    select
        {{ text_literal(fact) }} as table_name,
        'service_tier' as word_kind,
        facts.service_tier as word,
        count(*) as row_count
    from {{ ref(fact) }} as facts
    left join {{ ref('service_tiers') }} as known on facts.service_tier = known.word
    where
        facts.service_tier is not null
        and known.word is null
    group by facts.service_tier
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

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

    select * from statuses
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
