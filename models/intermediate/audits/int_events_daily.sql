{{ config(daily_rollup('event_date', 'by_event')) }}
{%- set where_on_days_of_new_events = where_on_days_of_new_events() %}

with events as (

    select
        source_table,
        -- an event without any time has no day; it is counted under the first day there is
        coalesce({{ reporting_date('event_at') }}, cast('1970-01-01' as date)) as event_date,
        event_disposition,
        not has_sent_conversation_id as has_no_conversation_id,
        not has_sent_interaction_id as has_no_interaction_id,
        has_clock_skew,
        case when event_disposition = 'accepted' then reported_cost_usd end as reported_cost_usd,
        coalesce(sent_prompt_tokens, sent_completion_tokens) as sent_tokens
    from {{ ref('int_events') }}
    {{ where_on_days_of_new_events }}

)

select
    source_table,
    event_date,
    count(*) as event_rows,
    {{ count_where("event_disposition = 'accepted'") }} as accepted_rows,
    {{ count_where("event_disposition = 'duplicate'") }} as duplicate_rows,
    {{ count_where("event_disposition = 'quarantined'") }} as quarantined_rows,
    {{ count_where('has_no_conversation_id') }} as no_conversation_id_rows,
    {{ count_where('has_no_interaction_id') }} as no_interaction_id_rows,
    {{ count_where('has_clock_skew') }} as clock_skew_rows,
    cast(count(reported_cost_usd) as {{ dbt.type_bigint() }}) as cost_rows,
    {{ count_where('reported_cost_usd < 0') }} as negative_cost_rows,
    {{ count_where('reported_cost_usd = 0 and sent_tokens > 0') }} as zero_cost_with_tokens_rows,
    {{ count_where('reported_cost_usd != round(reported_cost_usd)') }} as fractional_cost_rows
from events
group by
    source_table,
    event_date
