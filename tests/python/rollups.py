"""Rollups recomputed from the facts in plain DuckDB SQL, each by the shortest way there is.

Name of the table -> its columns that are compared, and a query for the same columns. What a query
says is written from the description of the table and from nothing else.
"""

# ruff: noqa: E501 - a statement reads better in few lines

W = "coalesce(workflow_name, '(not set)')"
A = "coalesce(agent_name, '(not set)')"
M = "coalesce(canonical_model, model_name, '(none)')"
OK = "duration_ms between 0 and 2592000000"
WINDOW = (
    "run_date between (select max(run_date) - 89 from runs) and (select max(run_date) from runs)"
)

RECOMPUTED = {
    "mart_cost_by_agent": (
        "session_date, agent_name, canonical_model, session_count, cost_usd, total_tokens",
        f"select session_date, {A}, {M}, count(*), sum(cost_usd), sum(total_tokens) from sessions group by all",
    ),
    "mart_cost_per_interaction": (
        "run_date, workflow_name, trigger_type, run_count, cost_usd, wasted_cost_usd",
        f"select run_date, {W}, trigger_type, count(*), sum(cost_usd), sum(wasted_cost_usd) from runs group by all",
    ),
    "mart_unit_economics": (
        "month_start_date, user_id, run_count, successful_run_count, cost_usd",
        "select cast(date_trunc('month', run_date) as date), user_id, count(*), count(*) filter (is_successful), sum(cost_usd) "
        "from runs where user_id is not null group by all",
    ),
    "mart_agent_latency": (
        "session_date, agent_name, n_all, n_unpriced",
        f"select session_date, {A}, count(*), count(*) filter (price_status = 'unpriced') from sessions group by all",
    ),
    "mart_tool_performance": (
        "step_date, tool_name, call_count, failed_call_count, p95_duration_ms, tool_ms",
        f"select step_date, tool_name, count(*), count(*) filter (is_failed), "
        f"quantile_cont(cast(duration_ms as double), 0.95) filter ({OK}), sum(duration_ms) filter ({OK}) "
        "from steps where tool_name is not null group by all",
    ),
    "mart_model_performance": (
        "step_date, canonical_model, agent_name, call_count, p50_duration_ms, output_tokens, cost_usd",
        f"select step_date, coalesce(canonical_model, model_name, '(not set)'), {A}, count(*), "
        f"quantile_cont(cast(duration_ms as double), 0.5) filter ({OK}), sum(output_tokens), sum(cost_usd) "
        "from steps where step_type = 'llm_call' or total_tokens is not null group by all",
    ),
    "mart_retry_rates": (
        "step_date, tool_name, operation_count, retried_operation_count",
        "select step_date, coalesce(tool_name, '(none)'), count(*), count(*) filter (attempts > 1) from ("
        "select operation_key, count(*) as attempts, arg_max(step_date, step_number) as step_date, "
        "arg_max(coalesce(tool_name, '(none)'), step_number) as tool_name from steps group by all) group by all",
    ),
    "mart_repeated_steps": (
        "run_date, tool_name, repeated_signature_count, redundant_step_count",
        "select run_date, tool_name, count(*) filter (n > 1), sum(greatest(n - 1, 0)) from ("
        "select run_date, coalesce(tool_name, '(none)') as tool_name, run_key, signature_hash, "
        "count(signature_hash) as n from (select run_key, tool_name, case when not is_retry then signature_hash end "
        "as signature_hash from steps) inner join runs using (run_key) group by all) group by all",
    ),
    "mart_quality": (
        "run_date, workflow_name, run_count, rated_run_count, copied_run_count, regenerated_run_count",
        f"select run_date, {W}, count(*), count(rating), count(*) filter (copied_count > 0), "
        "count(*) filter (regenerated_count > 0) from runs group by all",
    ),
    "mart_run_volume": (
        "run_date, workflow_name, trigger_type, run_count, active_user_count, conversation_count, "
        "max_actions_per_run",
        f"select run_date, {W}, trigger_type, count(*), count(distinct user_id), "
        "count(distinct conversation_id), max(step_count) from runs group by all",
    ),
    "mart_workflow_health": (
        "level, run_date, workflow_name, run_count, successful_run_count, p95_duration_ms, cost_usd",
        f"select if(grouping(w) = 1, 'system', 'workflow'), run_date, w, count(*), "
        f"count(*) filter (is_successful), quantile_cont(cast(duration_ms as double), 0.95) filter ({OK} and is_final), "
        f"sum(cost_usd) from (select *, {W} as w from runs) group by grouping sets ((run_date, w), (run_date))",
    ),
    "mart_user_retention": (
        "cohort_week, week_number, active_user_count, run_count",
        "select cohort, date_diff('week', cohort, week), count(distinct user_id), count(*) from (select user_id, "
        "cast(date_trunc('week', run_date) as date) as week, min(cast(date_trunc('week', run_date) as date)) over (partition by user_id) as cohort "
        "from runs where user_id is not null) group by all",
    ),
    "mart_orchestration": (
        "run_date, workflow_name, agent_session_count, busy_ms, handoff_count",
        f"select run_date, {W}, sum(agent_session_count), sum(busy_ms), sum(handoff_count) from runs "
        "where is_final and agent_session_count > 0 group by all",
    ),
    "mart_paths": (
        "workflow_name, path_signature, run_count",
        f"select {W}, coalesce(path_signature, '(none)'), count(*) from runs where {WINDOW} group by all",
    ),
    "mart_input_patterns": (
        "workflow_name, input_method, run_count",
        f"select {W}, coalesce(input_method, '(not set)'), count(*) from runs where {WINDOW} group by all",
    ),
    "fct_conversations": (
        "conversation_id, run_count, success_count, cost_usd, friction_count",
        "select conversation_id, count(*), count(*) filter (is_successful), sum(cost_usd), sum(friction_count) "
        "from runs group by all",
    ),
    "dim_tools": (
        "tool_name, call_count, agent_count",
        "select tool_name, count(*), count(distinct agent_name) from steps where tool_name is not null group by all",
    ),
    "dim_agents": (
        "agent_name, session_count",
        f"select {A}, count(*) from sessions group by all",
    ),
    "mart_cost_tree": (
        "run_date, cost_component, cost_usd",
        "select run_date, 'tool', sum(tool_cost_usd) from runs where tool_cost_usd is not null group by all "
        "union all select run_date, 'infrastructure', sum(infrastructure_cost_usd) from runs "
        "where infrastructure_cost_usd is not null group by all",
    ),
    "mart_instrumentation_coverage": (
        "agent_name, session_count, with_tokens_count, with_parent_count",
        f"select {A}, count(*), count(total_tokens), count(parent_agent_session_key) from sessions where session_date "
        "between (select max(run_date) - 89 from runs) and (select max(run_date) from runs) group by all",
    ),
    "mart_failure_modes": (
        "failure_date, agent_name, failure_mode, failure_count",
        f"select step_date, {A}, failure_mode, count(*) from steps where failure_mode is not null group by all",
    ),
}
# Rows of a table that a query speaks of, where that is not all of them.
PART_OF = {
    "mart_cost_tree": "cost_component in ('tool', 'infrastructure')",
    "mart_failure_modes": "grain = 'step'",
    "mart_user_retention": "active_user_count > 0",
    "dim_agents": "session_count > 0",
}
# Columns of a table that are added up over what its rows are told apart by beside the compared ones.
SUMMED = {
    "mart_retry_rates": ("operation_count", "retried_operation_count"),
    "mart_repeated_steps": ("repeated_signature_count", "redundant_step_count"),
    "mart_input_patterns": ("run_count",),
    "mart_cost_tree": ("cost_usd",),
    "mart_instrumentation_coverage": ("session_count", "with_tokens_count", "with_parent_count"),
    "mart_failure_modes": ("failure_count",),
}


def difference(table):
    """Return SQL for the rows that only one side has: of the table, or of what the facts say."""
    columns, query = RECOMPUTED[table]
    shown = [
        f"sum({name}) as {name}" if name in SUMMED.get(table, ()) else name
        for name in columns.split(", ")
    ]
    grouped = "group by all" if table in SUMMED else ""
    facts = ", ".join(
        f"{name} as (from analytics_marts.fct_agent_{name})"
        for name in ("runs", "sessions", "steps")
    )
    there = f"select {', '.join(shown)} from analytics_marts.{table} where {PART_OF.get(table, '1 = 1')} {grouped}"
    rounded = "select columns(*)::varchar from (select columns(*) from {})"
    return (
        f"with {facts}, there as ({there}), expected({columns}) as ({query}) "
        f"(select 'table' as side, * from ({rounded.format('there')} except all {rounded.format('expected')})) "
        f"union all "
        f"(select 'facts' as side, * from ({rounded.format('expected')} except all {rounded.format('there')}))"
    )
