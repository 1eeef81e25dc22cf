{#- One event of RudderStack's AI SDKs tells of a whole answer and lists what each agent used of each model: one execution each. Where
    other events of the run tell of its executions, the list would count them again. -#}
{%- set counts = {
    'sent_prompt_tokens': ('input_tokens', dbt.type_bigint()),
    'sent_completion_tokens': ('output_tokens', dbt.type_bigint()),
    'sent_cache_read_tokens': ('cached_input_tokens', dbt.type_bigint()),
    'sent_cache_write_tokens': ('cache_write_tokens', dbt.type_bigint()),
    'sent_cache_write_1h_tokens': ('cache_write_1h_tokens', dbt.type_bigint()),
    'sent_reasoning_tokens': ('reasoning_tokens', dbt.type_bigint()),
    'sent_total_tokens': ('total_tokens', dbt.type_bigint()),
    'reported_steps_count': ('call_count', dbt.type_bigint()),
    'failed_call_count': ('error_count', dbt.type_bigint())
} -%}
{%- set used = ['model_name', 'service_tier', 'reported_cost_usd'] + counts | list | reject('equalto', 'failed_call_count') | list -%}
with events as (

    select * from {{ ref('int_events_accepted') }}
    where source_table = 'ai_response_received'

),

told_otherwise as (

    select distinct run_key as other_run_key
    from {{ ref('int_events_accepted') }}
    where source_table in ('ai_agent_session_started', 'ai_agent_session_completed', 'ai_agent_response_received')

),

-- different answers to one prompt are not duplicates: the latest one counts
answers_ranked as (

    select
        events.*,
        row_number() over (
            partition by events.run_key order by events.event_at desc, events.received_at desc nulls last, events.event_id desc
        ) as answer_rank
    from events
    left join told_otherwise on events.run_key = told_otherwise.other_run_key
    where told_otherwise.other_run_key is null

),

answers as (

    select * from answers_ranked
    where answer_rank = 1

),

items as (

    {{ json_items('answers', 'event_key', 'usage_breakdown') }}

),

entries as (

    select
        event_key as entry_event_key,
        item_position,
        count(*) over (partition by event_key) as entry_count,
        {{ tidy_name(json_text('item', ['agent_name'], is_text=true)) }} as agent_name,
        {{ json_text('item', ['model'], is_text=true) }} as model_name,
        {{ word_label(json_text('item', ['service_tier'], is_text=true)) }} as service_tier,
        {% for column, (name, type) in counts.items() -%}
        {{ convert_column(json_text('item', [name], is_text=true), 'text', 'bigint') }} as {{ column }},
        {% endfor -%}
        {{ convert_column(json_text('item', ['cost_usd'], is_text=true), 'text', 'usd') }} as reported_cost_usd
    from items

),

-- an answer that lists nothing but used a model is one execution
executions as (

    select
        answers.*,
        entries.item_position,
        entries.entry_count,
        entries.agent_name as entry_agent_name,
        {%- for column in used %}
        case
            when entries.entry_event_key is null then answers.{{ column }}
            else entries.{{ column }}
        end as used_{{ column }},
        {%- endfor %}
        entries.failed_call_count
    from answers
    left join entries on answers.event_key = entries.entry_event_key
    where
        entries.entry_event_key is not null
        or answers.model_name is not null
        or answers.sent_total_tokens > 0

)

select
    {{ agent_session_key(
        'conversation_id', 'interaction_id',
        "'answer:' || event_id || ':' || cast(coalesce(item_position, 0) as " ~ type_text() ~ ')'
    ) }} as lone_agent_session_key,
    run_key,
    conversation_id,
    interaction_id,
    entry_agent_name as agent_name,
    agent_version,
    used_model_name as model_name,
    has_clock_skew,
    event_id,
    case
        when coalesce(entry_count, 1) = 1 then event_status
        when failed_call_count > 0 and failed_call_count >= used_reported_steps_count then 'error'
        -- which of several executions an answer failed by is not told
        when event_status = 'success' then event_status
    end as event_status,
    sent_status,
    -- the time of an answer is that of its execution only when it had one
    case when coalesce(entry_count, 1) = 1 then duration_ms end as duration_ms,
    used_reported_steps_count as reported_steps_count,
    case when coalesce(entry_count, 1) = 1 then response_length end as response_length,
    used_sent_prompt_tokens as sent_prompt_tokens,
    used_sent_completion_tokens as sent_completion_tokens,
    used_sent_cache_read_tokens as sent_cache_read_tokens,
    used_sent_cache_write_tokens as sent_cache_write_tokens,
    used_sent_cache_write_1h_tokens as sent_cache_write_1h_tokens,
    used_sent_reasoning_tokens as sent_reasoning_tokens,
    used_sent_total_tokens as sent_total_tokens,
    used_reported_cost_usd as reported_cost_usd,
    used_service_tier as service_tier,
    is_cache_hit,
    source_id,
    library_name,
    case when coalesce(entry_count, 1) = 1 then error_type end as error_type,
    case when coalesce(entry_count, 1) = 1 then finish_reason end as finish_reason,
    case when coalesce(entry_count, 1) = 1 then error_message_class end as error_message_class,
    case when coalesce(entry_count, 1) = 1 then failure_signal_key end as failure_signal_key,
    event_at
from executions
