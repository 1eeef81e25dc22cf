{{ config(
    materialized=incremental_where_possible(),
    incremental_strategy='append',
    meta={'history': 'by_event'}
) }}
{#- Changed words are classified anew: the ephemeral model between hides the seed. -#}
{%- do ref('status_words') -%}
{%- set since = earliest_load_of_new_events(
    'failure_signal_key is not null and failure_signal_key not in (select failure_signal_key from ' ~ this ~ ')'
) %}

{#- Each distinct combination of what the rules look at is classified once; only the key of the
    combination and the rule leave this model, never the message. -#}
{%- set signal_sources = {
    'ai_agent_step_completed': ('agent_steps_completed', 'step_type', 'status'),
    'ai_agent_session_completed': ('agent_sessions_completed', "'session'", 'status'),
    'ai_agent_response_received': ('agent_responses', "'session'", 'response_status'),
    'ai_interaction_completed': ('interactions_completed', "'run'", 'status'),
    'ai_response_received': ('answers', "'run'", 'response_status')
} -%}

with signals_by_source as (

    {% for source_table, (name, step_type, status) in signal_sources.items() -%}
    select distinct
        {{ failure_signal_key(step_type, status) }} as failure_signal_key,
        {{ word(step_type) }} as step_type,
        {{ word(status) }} as status,
        lower(error_type) as error_type,
        http_status,
        {{ word('finish_reason') }} as finish_reason,
        {{ comparable_message('error_message') }} as error_message
    from {{ raw_events_since(ref('base_rudderstack__' ~ name), source_table, since) }}
    where {{ has_failure_signal(status) }}
    {% if not loop.last %}
    union all

    {% endif -%}
    {% endfor %}

),

signals as (

    select distinct * from signals_by_source

),

status_words as (

    select
        word,
        status as status_meant
    from {{ ref('int_status_words') }}
    where status_label = word

),

rules as (

    select * from {{ ref('failure_mode_rules') }}
    where match_field != 'response_text'

),

applicable as (

    select
        signals.failure_signal_key,
        rules.rule_id,
        rules.priority,
        case when rules.match_field = 'status' then status_words.status_meant end as status_meant,
        case rules.match_field
            when 'status' then signals.status
            when 'error_type' then signals.error_type
            when 'http_status' then signals.http_status
            when 'finish_reason' then signals.finish_reason
            when 'error_message' then signals.error_message
        end as matched_value,
        -- rows that are no model or tool call borrow those rules, before the fall-backs
        case
            when signals.step_type in ('llm_call', 'tool_call') then rules.priority
            when rules.step_scope = 'tool_call' then 89 + rules.priority / 1000.0
            else rules.priority
        end as effective_priority
    from signals
    left join status_words on signals.status = status_words.word
    inner join rules
        on
            (
                rules.step_scope in ('any', signals.step_type)
                or (
                    coalesce(signals.step_type, '') not in ('llm_call', 'tool_call')
                    and (rules.step_scope = 'session' or rules.match_field != 'status')
                )
            )
            and (
                rules.match_field in ('status', 'finish_reason')
                or coalesce(status_words.status_meant, 'unknown') != 'success'
            )

),

matched as (

    select
        applicable.failure_signal_key,
        applicable.rule_id as rule_id,
        applicable.priority as priority,
        applicable.effective_priority
    from applicable
    inner join rules on applicable.rule_id = rules.rule_id
    where
        case rules.match_type
            when 'in'
                then
                    {{ dbt.position("('|' || applicable.matched_value || '|')", "('|' || rules.pattern || '|')") }} > 0
                    -- a rule on `error` means every word for it
                    or {{ dbt.position("('|' || coalesce(applicable.status_meant, '?') || '|')", "('|' || rules.pattern || '|')") }} > 0
            when 'contains' then {{ dbt.position('rules.pattern', 'applicable.matched_value') }} > 0
            when 'regex' then {{ matches_rule_pattern('applicable.matched_value') }}
        end

),

ranked as (

    select
        failure_signal_key,
        rule_id,
        row_number() over (
            partition by failure_signal_key order by effective_priority, priority, rule_id
        ) as rule_rank
    from matched

)

select
    ranked.failure_signal_key,
    ranked.rule_id as rule_id,
    rules.priority,
    rules.failure_mode,
    rules.failure_category,
    rules.failure_group,
    rules.severity as rule_severity,
    rules.is_billed
from ranked
inner join rules on ranked.rule_id = rules.rule_id
where ranked.rule_rank = 1
{% if is_incremental() -%}
    and ranked.failure_signal_key not in (select failure_signal_key from {{ this }})
{%- endif %}
