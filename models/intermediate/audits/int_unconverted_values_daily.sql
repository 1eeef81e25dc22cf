{{ config(materialized=incremental_where_possible(), unique_key='event_date', incremental_strategy='delete+insert') }}

{%- set converted_columns = {
    'ai_user_prompt_created': ['timestamp', 'received_at', 'uuid_ts'],
    'ai_agent_response_received': ['duration_ms', 'steps_count', 'cost', 'prompt_tokens', 'completion_tokens', 'cache_read', 'cache_write', 'timestamp', 'received_at'],
    'ai_interaction_completed': ['duration_ms', 'agents_count', 'steps_count', 'cost', 'prompt_tokens', 'completion_tokens', 'cache_read', 'cache_write', 'timestamp', 'received_at'],
    'ai_user_action': ['timestamp', 'received_at', 'uuid_ts'],
    'ai_agent_session_started': ['timestamp', 'received_at', 'uuid_ts'],
    'ai_agent_session_completed': ['duration_ms', 'steps_count', 'cost', 'prompt_tokens', 'completion_tokens', 'cache_read', 'cache_write', 'timestamp', 'received_at'],
    'ai_agent_step_completed': ['duration_ms', 'cost', 'prompt_tokens', 'completion_tokens', 'cache_read', 'cache_write', 'step_index', 'attempt_number', 'timestamp', 'received_at']
} %}
{%- set where_on_these_days = where_on_days_of_new_events() %}

with unconverted as (

    {% for source_table, table in event_tables().items() -%}
    select
        '{{ source_table }}' as source_table,
        coalesce({{ reporting_date('event_at') }}, cast('1970-01-01' as date)) as event_date,
        unconverted_columns
    from {{ ref('int_' ~ table.name ~ '_identified') }}
    {{ where_on_these_days ~ ' and' if where_on_these_days else 'where' }} unconverted_columns != ''

    {% if not loop.last %}union all
    {% endif %}
    {% endfor %}

),

counted as (

    {% for source_table, columns in converted_columns.items() -%}
    {% set is_last_table = loop.last -%}
    {% for column in columns -%}
    select
        source_table,
        event_date,
        '{{ column }}' as column_name,
        {{ count_where(dbt.position("'," ~ column ~ ",'", "(',' || unconverted_columns)") ~ ' > 0') }} as row_count
    from unconverted
    where source_table = '{{ source_table }}'
    group by
        source_table,
        event_date

    {% if not (loop.last and is_last_table) %}union all
    {% endif %}
    {% endfor -%}
    {% endfor %}

)

select * from counted
where row_count > 0
