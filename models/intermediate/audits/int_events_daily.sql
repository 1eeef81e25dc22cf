{{ config(materialized=incremental_where_possible(), unique_key='event_date', incremental_strategy='delete+insert') }}

{#- Written again on the days of the events this build identified. -#}
{%- for table in event_tables().values() -%}{%- do ref('int_' ~ table.name ~ '_identified') -%}{%- endfor -%}
{%- set where_on_these_days = where_on_days_of_new_events() %}
{%- set with_cost = ['agent_responses', 'interactions_completed', 'agent_sessions_completed', 'agent_steps_completed'] -%}

with events as (

    {% for source_table, table in event_tables().items() -%}
    select
        '{{ source_table }}' as source_table,
        -- an event without any time has no day; it is counted under the first day there is
        coalesce({{ reporting_date('event_at') }}, cast('1970-01-01' as date)) as event_date,
        event_disposition,
        not has_sent_conversation_id as has_no_conversation_id,
        {{ 'not has_sent_interaction_id' if table.has_agent_session else 'interaction_id is null' }} as has_no_interaction_id,
        {% if table.name in with_cost -%}
        case when event_disposition = 'accepted' then reported_cost_usd end as reported_cost_usd,
        coalesce(sent_prompt_tokens, sent_completion_tokens) as sent_tokens
        {%- else -%}
        cast(null as {{ type_usd() }}) as reported_cost_usd,
        cast(null as {{ dbt.type_bigint() }}) as sent_tokens
        {%- endif %}
    from {{ ref('int_' ~ table.name ~ '_identified') }}
    {{ where_on_these_days }}

    {% if not loop.last %}union all
    {% endif %}
    {% endfor %}

)

select
    source_table,
    event_date,
    count(*) as identified_rows,
    {{ count_where("event_disposition = 'accepted'") }} as accepted_rows,
    {{ count_where("event_disposition = 'duplicate'") }} as duplicate_rows,
    {{ count_where("event_disposition = 'quarantined'") }} as quarantined_rows,
    {{ count_where('has_no_conversation_id') }} as no_conversation_id_rows,
    {{ count_where('has_no_interaction_id') }} as no_interaction_id_rows,
    cast(count(reported_cost_usd) as {{ dbt.type_bigint() }}) as cost_rows,
    {{ count_where('reported_cost_usd < 0') }} as negative_cost_rows,
    {{ count_where('reported_cost_usd = 0 and sent_tokens > 0') }} as zero_cost_with_tokens_rows,
    {{ count_where('reported_cost_usd != round(reported_cost_usd)') }} as fractional_cost_rows
from events
group by
    source_table,
    event_date
