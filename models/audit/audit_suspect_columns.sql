{%- set converted_columns = {
    'ai_user_prompt_created': ('user_prompts', ['timestamp', 'received_at', 'uuid_ts']),
    'ai_agent_response_received': ('agent_responses', ['duration_ms', 'steps_count', 'cost', 'prompt_tokens', 'completion_tokens', 'cache_read', 'cache_write', 'timestamp', 'received_at']),
    'ai_interaction_completed': ('interactions_completed', ['duration_ms', 'agents_count', 'steps_count', 'cost', 'prompt_tokens', 'completion_tokens', 'cache_read', 'cache_write', 'timestamp', 'received_at']),
    'ai_user_action': ('user_actions', ['timestamp', 'received_at', 'uuid_ts']),
    'ai_agent_session_started': ('agent_sessions_started', ['timestamp', 'received_at', 'uuid_ts']),
    'ai_agent_session_completed': ('agent_sessions_completed', ['duration_ms', 'steps_count', 'cost', 'prompt_tokens', 'completion_tokens', 'cache_read', 'cache_write', 'timestamp', 'received_at']),
    'ai_agent_step_completed': ('agent_steps_completed', ['duration_ms', 'cost', 'prompt_tokens', 'completion_tokens', 'cache_read', 'cache_write', 'step_index', 'attempt_number', 'timestamp', 'received_at'])
} -%}
{%- set cost_tables = {
    'ai_agent_response_received': 'agent_responses',
    'ai_interaction_completed': 'interactions_completed',
    'ai_agent_session_completed': 'agent_sessions_completed',
    'ai_agent_step_completed': 'agent_steps_completed'
} -%}

with unconverted as (

    {% for source_table, (name, columns) in converted_columns.items() -%}
    {% for column in columns -%}
    select
        '{{ source_table }}' as source_table,
        '{{ column }}' as column_name,
        'values that do not convert to the type of the column' as problem,
        {{ count_where(dbt.position("'," ~ column ~ ",'", "(',' || unconverted_columns)") ~ ' > 0') }} as row_count
    from {{ ref('int_' ~ name ~ '_identified') }}
    where unconverted_columns != ''
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor -%}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

costs as (

    {% for source_table, name in cost_tables.items() -%}
    select
        '{{ source_table }}' as source_table,
        cast(count(reported_cost_usd) as {{ dbt.type_bigint() }}) as cost_count,
        {{ count_where('reported_cost_usd < 0') }} as negative_count,
        {{ count_where('reported_cost_usd = 0 and coalesce(sent_prompt_tokens, sent_completion_tokens) > 0') }} as zero_with_tokens_count,
        {{ count_where('reported_cost_usd != round(reported_cost_usd)') }} as fractional_count
    from {{ ref('int_' ~ name ~ '_identified') }}
    where event_disposition = 'accepted'
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

suspects as (

    select
        source_table,
        column_name,
        problem,
        row_count
    from unconverted
    where row_count > 0

    union all

    select
        source_table,
        'cost' as column_name,
        'negative costs' as problem,
        negative_count as row_count
    from costs
    where negative_count > 0

    union all

    select
        source_table,
        'cost' as column_name,
        'cost of zero beside tokens' as problem,
        zero_with_tokens_count as row_count
    from costs
    where zero_with_tokens_count > 0

    -- the first value made the column an integer: RudderStack cuts every later fraction silently
    union all

    select
        source_table,
        'cost' as column_name,
        'whole numbers only' as problem,
        cost_count as row_count
    from costs
    where
        cost_count > 0
        and fractional_count = 0

)

select
    {{ text_hash("source_table || '|' || column_name || '|' || problem") }} as suspect_column_key,
    source_table,
    column_name,
    problem,
    row_count
from suspects
