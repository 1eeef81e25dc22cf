{#- A start that is stamped after its session's end is believed by neither, so sessions say when they ended. -#}
{%- set abandoned_before = add_minutes('data_end.newest_event_at', -1 * whole_number_setting('run_abandoned_after_minutes')) -%}
{%- set last_event_at -%}
coalesce(
            greatest(
                coalesce(runs.last_event_at, session_times.last_session_ended_at),
                coalesce(session_times.last_session_ended_at, runs.last_event_at)
            ),
            runs.last_event_of_all_at
        )
{%- endset -%}

with run_events as (

    select * from {{ ref('int_runs_events') }}

),

prompts as (

    select * from {{ ref('int_events_accepted') }}
    where source_table = 'ai_user_prompt_created'

),

completions as (

    select * from {{ ref('int_events_accepted') }}
    where {{ ends_a_run() }}

),

session_times as (

    select
        run_key,
        min(started_at) as first_session_started_at,
        max(ended_at) as last_session_ended_at,
        {{ dbt.bool_or('has_clock_skew') }} as has_clock_skew
    from {{ ref('int_agent_sessions_assembled') }}
    group by run_key

),

runs as (

    select
        run_key,
        -- what the key is made of is the same in all rows
        {{ dbt.any_value('conversation_id') }} as conversation_id,
        {{ dbt.any_value('interaction_id') }} as interaction_id,
        min(parent_interaction_id) as sent_parent_interaction_id,
        -- who asked is known best by the prompt, then by the completion
        {%- for column in ['user_id', 'anonymous_id', 'plan_name'] + passthrough_columns() | list %}
        coalesce(
            min(case when source_rank = 1 then {{ column }} end),
            min(case when source_rank = 2 then {{ column }} end),
            min({{ column }})
        ) as {{ column }},
        {%- endfor %}
        min(source_id) as source_id,
        min(workflow_name) as workflow_name,
        min(environment) as environment,
        min(trigger_type) as sent_trigger_type,
        min(execution_mode) as sent_execution_mode,
        -- what users do comes after the run, and a run that is known by it alone has no other times
        coalesce(min(case when source_rank != 6 then first_event_at end), min(first_event_at)) as first_event_at,
        max(case when source_rank not in (3, 6) then last_event_at end) as last_event_at,
        max(last_event_at) as last_event_of_all_at,
        {{ dbt.bool_or('has_clock_skew') }} as has_clock_skew
    from run_events
    group by run_key

),

-- a run may be older than all runs of this build, so it is looked for among all events
parents as (

    select distinct run_key
    from {{ ref('int_events') }}
    where
        event_disposition = 'accepted'
        and run_key in (
            select {{ run_key('runs.conversation_id', 'runs.sent_parent_interaction_id') }}
            from runs
            where runs.sent_parent_interaction_id is not null
        )

),

data_end as (

    {{ newest_event_at() }}

),

-- only what decides the rank is sorted; the other columns are joined afterwards
prompts_ranked as (

    select
        event_id,
        row_number() over (partition by run_key order by event_at, received_at nulls last, event_id) as prompt_rank,
        count(*) over (partition by run_key) as prompt_count
    from {{ ref('int_events_accepted') }}
    where source_table = 'ai_user_prompt_created'

),

first_prompts as (

    select
        prompts.*,
        prompts_ranked.prompt_count
    from prompts
    inner join prompts_ranked on prompts.event_id = prompts_ranked.event_id
    where prompts_ranked.prompt_rank = 1

),

-- different completions of one run are not duplicates: the latest one counts
completions_ranked as (

    select
        event_id,
        row_number() over (
            partition by run_key order by event_at desc, received_at desc nulls last, event_id desc
        ) as completion_rank,
        count(*) over (partition by run_key) as completion_count
    from {{ ref('int_events_accepted') }}
    where {{ ends_a_run() }}

),

last_completions as (

    select
        completions.*,
        completions_ranked.completion_count
    from completions
    inner join completions_ranked on completions.event_id = completions_ranked.event_id
    where completions_ranked.completion_rank = 1

),

assembled as (

    select
        runs.run_key as run_key,
        runs.conversation_id as conversation_id,
        runs.interaction_id as interaction_id,
        runs.sent_parent_interaction_id,
        parents.run_key as parent_run_key,
        runs.user_id as user_id,
        runs.anonymous_id as anonymous_id,
        runs.plan_name as plan_name,
        {%- for column in passthrough_columns() %}
        runs.{{ column }} as {{ column }},
        {%- endfor %}
        runs.source_id as source_id,
        runs.workflow_name as workflow_name,
        runs.environment as environment,
        runs.first_event_at as first_event_at,
        {{ last_event_at }} as last_event_at,
        session_times.first_session_started_at,
        runs.has_clock_skew or coalesce(session_times.has_clock_skew, false) as has_clock_skew,
        data_end.newest_event_at,
        case
            when runs.sent_trigger_type in ('schedule', 'scheduled', 'cron') then 'schedule'
            when runs.sent_trigger_type is not null then runs.sent_trigger_type
            when first_prompts.event_id is not null then 'user'
            when runs.sent_parent_interaction_id is not null then 'agent'
            else 'unknown'
        end as trigger_type,
        runs.sent_execution_mode,

        first_prompts.event_id as prompt_event_id,
        first_prompts.event_id is not null as has_prompt,
        first_prompts.event_at as prompted_at,
        first_prompts.input_method as input_method,
        coalesce(first_prompts.intent, last_completions.intent) as intent,
        first_prompts.request_category as sent_request_category,
        first_prompts.prompt_hash as prompt_hash,
        first_prompts.prompt_length as prompt_length,
        coalesce(first_prompts.prompt_count, 0) as prompt_count,

        last_completions.event_id as completion_event_id,
        last_completions.event_at as completed_at,
        coalesce(last_completions.completion_count, 0) > 1 as has_conflicting_completions,
        case
            when last_completions.event_id is not null
                then coalesce(last_completions.event_status, 'unknown')
            when {{ last_event_at }} > {{ abandoned_before }}
                then 'in_progress'
            else 'abandoned'
        end as run_status,
        last_completions.sent_status as sent_status,
        last_completions.duration_ms as reported_duration_ms,
        {{ is_suspect_duration('last_completions.duration_ms') }} as has_suspect_duration,
        last_completions.reported_agents_count as reported_agents_count,
        last_completions.reported_steps_count as reported_steps_count,
        last_completions.response_length as response_length,
        last_completions.output_type as output_type,
        last_completions.result_location as result_location,
        {{ plausible_token_count('last_completions.sent_prompt_tokens') }} as sent_prompt_tokens,
        {{ plausible_token_count('last_completions.sent_completion_tokens') }} as sent_completion_tokens,
        {{ plausible_token_count('last_completions.sent_cache_read_tokens') }} as sent_cache_read_tokens,
        {{ plausible_token_count('last_completions.sent_cache_write_tokens') }} as sent_cache_write_tokens,
        {{ plausible_token_count('last_completions.sent_cache_write_1h_tokens') }} as sent_cache_write_1h_tokens,
        {{ plausible_token_count('last_completions.sent_reasoning_tokens') }} as sent_reasoning_tokens,
        {{ plausible_token_count('last_completions.sent_total_tokens') }} as sent_total_tokens,
        last_completions.reported_cost_usd as reported_cost_usd,
        last_completions.service_tier as service_tier,
        coalesce(last_completions.is_cache_hit, false) as is_cache_hit,
        last_completions.library_name as library_name,
        last_completions.failure_signal_key as failure_signal_key,
        last_completions.error_type as error_type,
        last_completions.finish_reason as finish_reason
    from runs
    left join first_prompts on runs.run_key = first_prompts.run_key
    left join last_completions on runs.run_key = last_completions.run_key
    left join session_times on runs.run_key = session_times.run_key
    left join parents
        on
            {{ run_key('runs.conversation_id', 'runs.sent_parent_interaction_id') }} = parents.run_key
            and runs.run_key != parents.run_key
    cross join data_end

),

timed as (

    select
        *,
        least(
            first_event_at,
            coalesce(first_session_started_at, first_event_at),
            coalesce({{ add_milliseconds('completed_at', '-' ~ plausible_duration('reported_duration_ms')) }}, first_event_at)
        ) as started_at,
        coalesce(completed_at, last_event_at) as ended_at
    from assembled

),

ended as (

    select
        *,
        coalesce(sent_execution_mode, case
            when trigger_type = 'user' then 'sync'
            when trigger_type != 'unknown' then 'async'
        end) as execution_mode,
        coalesce(
            reported_duration_ms,
            {{ milliseconds_between('started_at', 'ended_at') }}
        ) as duration_ms,
        case when reported_duration_ms is not null then 'reported' else 'derived' end as duration_source
    from timed

),

workflow_catalog as (

    select
        workflow_name as catalog_workflow_name,
        execution_mode as catalog_execution_mode,
        latency_slo_ms
    from {{ ref('workflow_catalog') }}

)

-- the most telling entry of the catalogue that has one: workflow before any workflow, mode before any mode
select
    ended.*,
    cast(
        coalesce(
            workflow_and_mode.latency_slo_ms,
            workflow_any_mode.latency_slo_ms,
            any_workflow.latency_slo_ms,
            (
                select max(any_mode.latency_slo_ms)
                from workflow_catalog as any_mode
                where
                    any_mode.catalog_workflow_name = '*'
                    and any_mode.catalog_execution_mode = '*'
            )
        ) as {{ dbt.type_bigint() }}
    ) as slo_ms
from ended
left join workflow_catalog as workflow_and_mode
    on
        ended.workflow_name = workflow_and_mode.catalog_workflow_name
        and ended.execution_mode = workflow_and_mode.catalog_execution_mode
left join workflow_catalog as workflow_any_mode
    on
        ended.workflow_name = workflow_any_mode.catalog_workflow_name
        and workflow_any_mode.catalog_execution_mode = '*'
left join workflow_catalog as any_workflow
    on
        ended.execution_mode = any_workflow.catalog_execution_mode
        and any_workflow.catalog_workflow_name = '*'
