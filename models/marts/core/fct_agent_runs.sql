{{ config(fact_by_run('run_date', 'run_key')) }}

with runs as (

    select * from {{ ref('int_runs_assembled') }}

),

priced_runs as (

    select * from {{ ref('int_runs_priced') }}

),

session_totals as (

    select * from {{ ref('int_runs_session_totals') }}

),

classified_runs as (

    select * from {{ ref('int_runs_classified') }}

),

failing_steps as (

    select * from {{ ref('int_runs_failing_steps') }}

),

user_actions as (

    select * from {{ ref('int_runs_user_actions') }}

),

topologies as (

    select * from {{ ref('int_runs_topology') }}

),

categorized as (

    select * from {{ ref('int_runs_categorized') }}

)

select
    -- ids
    runs.run_key as run_key,
    runs.conversation_id,
    runs.interaction_id,
    runs.user_id,
    runs.anonymous_id,
    runs.parent_run_key,
    runs.source_id,

    -- what
    runs.workflow_name,
    runs.environment,
    runs.trigger_type,
    runs.execution_mode,
    runs.input_method,
    runs.intent,
    categorized.request_category,
    categorized.request_category_source,
    runs.output_type,
    runs.result_location,
    runs.plan_name,
    {%- for column, property in passthrough_columns().items() %}
    runs.{{ column }} as {{ property }},
    {%- endfor %}
    runs.run_status,
    runs.sent_status,
    case
        when runs.run_status = 'success' then true
        when runs.run_status in ('error', 'timeout', 'cancelled', 'partial_success', 'abandoned') then false
    end as is_successful,
    -- what users did says whether it helped; without a sign nobody knows
    case
        when user_actions.rating is not null then user_actions.rating >= 0.5
        when user_actions.regenerated_count > 0 or classified_runs.is_reasked then false
        when user_actions.copied_count > 0 or user_actions.shared_count > 0 then true
        when runs.run_status in ('error', 'timeout') then false
    end as is_product_success,
    runs.run_status != 'in_progress' as is_final,
    runs.has_prompt,
    runs.has_conflicting_completions,
    runs.sent_parent_interaction_id is not null and runs.parent_run_key is null as has_unknown_parent,
    classified_runs.is_reasked,
    cast(
        case when classified_runs.is_reasked then 1 else 0 end
        + coalesce(user_actions.regenerated_count, 0)
        + case when runs.run_status = 'cancelled' then 1 else 0 end
        + case when classified_runs.has_ended_conversation then 1 else 0 end
        as {{ dbt.type_bigint() }}
    ) as friction_count,

    -- failure
    classified_runs.failure_mode,
    classified_runs.failure_category,
    classified_runs.failure_severity,
    classified_runs.failure_explained_by,
    failing_steps.first_failing_agent,
    failing_steps.first_failing_step_number,
    failing_steps.first_failing_step_key,
    failing_steps.first_failing_step_type,
    failing_steps.first_failing_tool,
    failing_steps.first_failing_model,
    failing_steps.first_failing_canonical_model,
    failing_steps.first_failing_position,
    failing_steps.cost_after_first_failure_usd,

    -- time
    runs.started_at,
    runs.ended_at,
    runs.prompted_at,
    runs.last_event_at,
    {{ reporting_date('runs.started_at') }} as run_date,
    runs.duration_ms,
    runs.duration_source,
    runs.has_suspect_duration,
    runs.has_clock_skew,
    session_totals.busy_ms,
    session_totals.covered_ms,
    {{ plausible_duration('runs.duration_ms') }} - session_totals.covered_ms as gap_ms,
    {{ ratio('session_totals.busy_ms', 'session_totals.covered_ms') }} as parallelism,
    topologies.critical_path_ms,
    topologies.sequential_sibling_ms,
    -- a worker that ended after its run had another clock
    case
        when runs.run_status != 'in_progress' and topologies.last_worker_ended_at <= runs.ended_at
            then {{ milliseconds_between('topologies.last_worker_ended_at', 'runs.ended_at') }}
    end as synthesis_ms,
    runs.slo_ms,
    -- nobody waits for a run that was abandoned, and none that runs in the background will end any more
    case
        when runs.slo_ms is null or runs.run_status = 'in_progress' then null
        when runs.run_status = 'abandoned' then case when runs.execution_mode = 'async' then true end
        else {{ plausible_duration('runs.duration_ms') }} > runs.slo_ms
    end as is_slo_breached,
    coalesce(runs.run_status = 'abandoned' and runs.execution_mode = 'async', false) as is_never_finished,

    -- how its agents worked together
    coalesce(topologies.is_multi_agent, false) as is_multi_agent,
    topologies.topology,
    topologies.max_depth,
    topologies.path_signature,
    topologies.first_specialist,
    coalesce(topologies.is_rerouted, false) as is_rerouted,
    coalesce(topologies.handoff_count, 0) as handoff_count,
    topologies.redundant_step_count,
    coalesce(topologies.has_loop, false) as has_loop,

    -- counts
    coalesce(session_totals.agent_session_count, 0) as agent_session_count,
    coalesce(session_totals.agent_count, 0) as agent_count,
    coalesce(session_totals.step_count, 0) as step_count,
    coalesce(session_totals.llm_call_count, 0) as llm_call_count,
    coalesce(session_totals.tool_call_count, 0) as tool_call_count,
    coalesce(session_totals.failed_step_count, 0) as failed_step_count,
    coalesce(session_totals.retried_step_count, 0) as retried_step_count,
    coalesce(session_totals.silent_failure_count, 0) as silent_failure_count,
    runs.reported_agents_count,
    runs.reported_steps_count,

    -- usage and money
    priced_runs.input_tokens as input_tokens,
    priced_runs.output_tokens as output_tokens,
    priced_runs.cache_read_tokens as cache_read_tokens,
    priced_runs.cache_write_tokens as cache_write_tokens,
    priced_runs.total_tokens as total_tokens,
    priced_runs.cost_usd,
    priced_runs.known_cost_usd,
    priced_runs.cost_basis,
    priced_runs.price_status,
    priced_runs.is_price_extrapolated,
    priced_runs.reported_cost_usd as reported_cost_usd,
    priced_runs.list_cost_usd as list_cost_usd,
    priced_runs.list_cost_today_usd as list_cost_today_usd,
    {% for class in token_classes() -%}
    priced_runs.{{ class }}_cost_usd as {{ class }}_cost_usd,
    {% endfor -%}
    priced_runs.sessions_cost_usd as sessions_cost_usd,
    priced_runs.steps_cost_usd as steps_cost_usd,
    cast(priced_runs.cost_usd - priced_runs.sessions_cost_usd as {{ type_usd() }}) as unexplained_cost_usd,
    cast(
        case
            when runs.run_status in ('error', 'timeout', 'cancelled', 'abandoned') then priced_runs.cost_usd
            when coalesce(priced_runs.wasted_step_count, 0) = 0 then 0
            else priced_runs.wasted_steps_cost_usd
        end as {{ type_usd() }}
    ) as wasted_cost_usd,
    topologies.orchestrator_cost_usd,
    topologies.worker_cost_usd,
    topologies.tool_cost_usd,
    topologies.infrastructure_cost_usd,
    -- where no rate is known nothing is added
    cast(
        priced_runs.cost_usd + coalesce(topologies.tool_cost_usd, 0) + coalesce(topologies.infrastructure_cost_usd, 0)
        as {{ type_usd() }}
    ) as full_cost_usd,

    -- quality
    user_actions.rating,
    coalesce(user_actions.rating_count, 0) as rating_count,
    coalesce(user_actions.regenerated_count, 0) as regenerated_count,
    coalesce(user_actions.copied_count, 0) as copied_count,
    coalesce(user_actions.shared_count, 0) as shared_count,

    -- structure of the texts
    runs.prompt_hash,
    runs.prompt_length,
    runs.response_length
from runs
inner join priced_runs on runs.run_key = priced_runs.run_key
inner join classified_runs on runs.run_key = classified_runs.run_key
left join categorized on runs.run_key = categorized.run_key
left join session_totals on runs.run_key = session_totals.run_key
left join failing_steps on runs.run_key = failing_steps.run_key
left join user_actions on runs.run_key = user_actions.run_key
left join topologies on runs.run_key = topologies.run_key
