{{ config(fact_by_run('session_date', 'agent_session_key')) }}

with assembled_sessions as (

    select * from {{ ref('int_agent_sessions_assembled') }}

),

runs as (

    select
        run_key as key_of_run,
        run_status
    from {{ ref('int_runs_assembled') }}

),

sessions as (

    select
        assembled_sessions.*,
        -- no outcome arrived: the session shares the fate of a run that has none either
        coalesce(
            assembled_sessions.session_status,
            case when runs.run_status in ('in_progress', 'abandoned') then runs.run_status end,
            'unknown'
        ) as final_status
    from assembled_sessions
    inner join runs on assembled_sessions.run_key = runs.key_of_run

),

tree as (

    select * from {{ ref('int_agent_sessions_critical_path') }}

),

step_totals as (

    select * from {{ ref('int_agent_sessions_step_totals') }}

),

priced_sessions as (

    select * from {{ ref('int_agent_sessions_priced') }}

),

classified_sessions as (

    select * from {{ ref('int_agent_sessions_classified') }}

),

descendants as (

    select
        ancestors.ancestor_agent_session_key as agent_session_key,
        {{ usd_sum('priced_sessions.cost_usd') }} as descendants_cost_usd,
        {{ count_where('priced_sessions.has_unknown_cost') }} as unknown_cost_descendant_count
    from {{ ref('int_agent_sessions_ancestors') }} as ancestors
    inner join {{ ref('int_agent_sessions_priced') }} as priced_sessions
        on ancestors.agent_session_key = priced_sessions.agent_session_key
    group by ancestors.ancestor_agent_session_key

)

select
    -- ids
    sessions.agent_session_key as agent_session_key,
    sessions.run_key as run_key,
    sessions.conversation_id,
    sessions.interaction_id,
    sessions.agent_session_id,
    tree.parent_agent_session_key,
    tree.root_agent_session_key,

    -- what
    sessions.agent_name,
    sessions.agent_version,
    sessions.agent_role,
    cast(tree.depth as {{ dbt.type_bigint() }}) as depth,
    tree.session_number,
    sessions.final_status as session_status,
    sessions.sent_status,
    case
        when sessions.final_status = 'success' then true
        when sessions.final_status in ('error', 'timeout', 'cancelled', 'partial_success', 'abandoned') then false
    end as is_successful,
    sessions.session_source,
    sessions.response_match_method,
    sessions.model_name,
    priced_sessions.canonical_model,
    sessions.service_tier,
    tree.is_on_critical_path,
    sessions.has_started_event,
    sessions.has_completed_event,
    sessions.has_conflicting_completions,
    tree.has_unknown_parent,
    tree.has_parent_cycle,

    -- failure
    classified_sessions.failure_mode,
    classified_sessions.failure_category,
    classified_sessions.failure_group,
    classified_sessions.rule_severity as failure_rule_severity,
    classified_sessions.failure_is_billed,
    sessions.error_type,
    sessions.error_message_class,
    sessions.finish_reason,

    -- time
    sessions.started_at,
    sessions.ended_at as ended_at,
    {{ reporting_date('sessions.started_at') }} as session_date,
    sessions.duration_ms,
    sessions.duration_source,
    sessions.has_suspect_duration,
    sessions.has_clock_skew,
    step_totals.llm_ms,
    step_totals.tool_ms,
    {{ plausible_duration('sessions.duration_ms') }}
    - coalesce(step_totals.llm_ms, 0) - coalesce(step_totals.tool_ms, 0) as other_ms,

    -- steps
    coalesce(step_totals.step_count, 0) as step_count,
    sessions.reported_steps_count,
    coalesce(step_totals.llm_call_count, 0) as llm_call_count,
    coalesce(step_totals.tool_call_count, 0) as tool_call_count,
    coalesce(step_totals.failed_step_count, 0) as failed_step_count,
    coalesce(step_totals.retried_step_count, 0) as retried_step_count,
    coalesce(step_totals.fallback_step_count, 0) as fallback_step_count,
    coalesce(step_totals.silent_failure_count, 0) as silent_failure_count,
    case when step_totals.signed_step_count > 0 then step_totals.redundant_step_count end as redundant_step_count,

    -- usage and money
    priced_sessions.input_tokens as input_tokens,
    priced_sessions.output_tokens as output_tokens,
    priced_sessions.cache_read_tokens as cache_read_tokens,
    priced_sessions.cache_write_tokens as cache_write_tokens,
    priced_sessions.total_tokens as total_tokens,
    priced_sessions.cost_usd as cost_usd,
    priced_sessions.known_cost_usd as known_cost_usd,
    priced_sessions.cost_basis,
    priced_sessions.price_status,
    priced_sessions.is_price_extrapolated,
    priced_sessions.cost_includes_children,
    sessions.reported_cost_usd as reported_cost_usd,
    priced_sessions.list_cost_usd as list_cost_usd,
    priced_sessions.list_cost_today_usd as list_cost_today_usd,
    {% for class in token_classes() -%}
    priced_sessions.{{ class }}_cost_usd as {{ class }}_cost_usd,
    {% endfor -%}
    step_totals.cost_usd as steps_cost_usd,
    cast(
        case
            when priced_sessions.cost_usd is null and descendants.descendants_cost_usd is null then null
            else coalesce(priced_sessions.cost_usd, 0) + coalesce(descendants.descendants_cost_usd, 0)
        end as {{ type_usd() }}
    ) as inclusive_cost_usd,
    step_totals.tool_cost_usd as tool_cost_usd,
    sessions.infrastructure_cost_usd as infrastructure_cost_usd,
    -- where no rate is known nothing is added
    cast(
        priced_sessions.cost_usd + coalesce(step_totals.tool_cost_usd, 0) + coalesce(sessions.infrastructure_cost_usd, 0)
        as {{ type_usd() }}
    ) as full_cost_usd,
    coalesce(descendants.unknown_cost_descendant_count, 0)
    + case when priced_sessions.has_unknown_cost then 1 else 0 end as inclusive_unknown_cost_count,
    sessions.response_length
from sessions
inner join tree on sessions.agent_session_key = tree.agent_session_key
inner join priced_sessions on sessions.agent_session_key = priced_sessions.agent_session_key
left join step_totals on sessions.agent_session_key = step_totals.agent_session_key
left join classified_sessions on sessions.agent_session_key = classified_sessions.agent_session_key
left join descendants on sessions.agent_session_key = descendants.agent_session_key
