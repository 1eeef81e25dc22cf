"""Rollups recomputed from the facts in plain DuckDB SQL, each by the shortest way there is.

Name of the table -> its columns that are compared, and a query for the same columns. What a query
says is written from the description of the table and from nothing else.
"""

import re

# ruff: noqa: E501 - a statement reads better in few lines

W = "coalesce(workflow_name, '(not set)')"
A = "coalesce(agent_name, '(not set)')"
M = "coalesce(canonical_model, model_name, '(none)')"
OK = "duration_ms between 0 and 2592000000"
WINDOW = (
    "run_date between (select max(run_date) - 89 from runs) and (select max(run_date) from runs)"
)

# What a row of advice says is rounded, money and counts are not.
FRACTION = re.compile(
    "^value$|^runs_per_|_coverage$|_(rate|share|low|high|difference|success|coefficient|z|ratio|minutes|rating|without)$|^mean_|^forecast_|_effect_usd$|^previous_cost|^marginal_cost"
)
FAILED = "run_status in ('error', 'timeout')"
ENDED = "session_status != 'in_progress'"
# Sessions of which it is known how long they took: a completion or a response says so.
MEASURED = (
    f"session_status not in ('in_progress', 'abandoned') and {OK} "
    "and (has_completed_event or session_source = 'response' or response_match_method is not null)"
)
DISCLOSED = "n_all, n_unpriced, n_partial"
COUNTS = "count(*), count(*) filter (price_status = 'unpriced'), count(*) filter (price_status = 'partial')"
ARRIVED = (
    "session_count, failed_session_count, with_start_count, with_completion_count, with_response_count, with_steps_count, with_tokens_count, "
    "with_cost_count, with_model_count, with_parent_count, with_duration_count, reported_steps_count, step_count"
)
TOKENS = "input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, total_tokens"
USEFUL = "case when is_product_success then 'useful' when not is_product_success then 'useless' else 'unknown' end"


def sums(columns):
    """Return SQL for the sum of each column."""
    return ", ".join(f"sum({column})" for column in columns.split(", "))


def money(amount):
    """Return SQL for an amount of floating point as marts keep it: half a billionth goes up."""
    return f"cast(cast({amount} as decimal(38, 12)) as decimal(38, 9))"


def percentiles(column, condition, *shares):
    """Return SQL for the percentiles of a column in the rows for which a condition holds."""
    found = [
        f"quantile_cont(cast({column} as double), {share}) filter ({condition})" for share in shares
    ]
    return ", ".join(map(money, found) if column.endswith("_usd") else found)


def wilson(k, n, sign):
    """Return SQL for an end of the 95 % interval of k of n (Wilson, 1927)."""
    z, p = 1.959964, f"({k} / nullif({n}, 0))"
    root = f"sqrt({p} * (1 - {p}) / {n} + {z * z} / (4 * {n} * {n}))"
    return f"(({p} + {z * z} / (2 * {n})) {sign} {z} * {root}) / (1 + {z * z} / {n})"


def newcombe(k1, n1, k2, n2):
    """Return SQL for both ends of the interval of a difference of rates (Newcombe, 1998, 10)."""
    p1, p2 = f"{k1} / {n1}", f"{k2} / {n2}"
    low1, high1 = wilson(k1, n1, "-"), wilson(k1, n1, "+")
    low2, high2 = wilson(k2, n2, "-"), wilson(k2, n2, "+")
    return (
        f"{p1} - {p2} - sqrt(({p1} - {low1}) ** 2 + ({high2} - {p2}) ** 2) as low, "
        f"{p1} - {p2} + sqrt(({high1} - {p1}) ** 2 + ({p2} - {low2}) ** 2) as high"
    )


RECOMPUTED = {
    "mart_cost_by_agent": (
        f"session_date, agent_name, canonical_model, session_count, {DISCLOSED}, n_used, successful_session_count, cost_usd, known_cost_usd, full_cost_usd, "
        f"cost_per_session_usd, {TOKENS}",
        f"select session_date, {A}, {M}, count(*), {COUNTS}, count(cost_usd) filter ({ENDED}), count(*) filter (is_successful), "
        f"{sums('cost_usd, known_cost_usd, full_cost_usd')}, {money(f'avg(cost_usd) filter ({ENDED})')}, {sums(TOKENS)} from sessions group by all",
    ),
    "mart_cost_per_interaction": (
        f"run_date, workflow_name, trigger_type, run_count, {DISCLOSED}, n_used, n_unfinished, successful_run_count, failed_run_count, cancelled_run_count, "
        "cost_usd, known_cost_usd, ended_cost_usd, pending_cost_usd, reported_cost_usd, wasted_cost_usd, cost_per_run_usd, cost_per_successful_run_usd, "
        f"p50_cost_usd, p90_cost_usd, p95_cost_usd, p99_cost_usd, max_cost_usd, unpriced_tokens, {TOKENS}",
        f"select run_date, {W}, trigger_type, count(*), {COUNTS}, count(cost_usd) filter (is_final), count(*) filter (not is_final), "
        f"count(*) filter (is_successful), count(*) filter ({FAILED}), count(*) filter (run_status = 'cancelled'), {sums('cost_usd, known_cost_usd')}, "
        "sum(cost_usd) filter (is_final), sum(cost_usd) filter (not is_final), sum(reported_cost_usd), sum(wasted_cost_usd), "
        f"{money('avg(cost_usd) filter (is_final)')}, {money('sum(cost_usd) filter (is_final) / nullif(count(cost_usd) filter (is_final and is_successful), 0)')}, "
        f"{percentiles('cost_usd', 'is_final', 0.5, 0.9, 0.95, 0.99)}, max(cost_usd) filter (is_final), "
        f"sum(total_tokens) filter (price_status = 'unpriced'), {sums(TOKENS)} from runs group by all",
    ),
    "mart_unit_economics": (
        "month_start_date, user_id, run_count, successful_run_count, cost_usd",
        "select cast(date_trunc('month', run_date) as date), user_id, count(*), count(*) filter (is_successful), sum(cost_usd) "
        "from runs where user_id is not null group by all",
    ),
    "mart_agent_latency": (
        f"session_date, agent_name, {DISCLOSED}, n_used, n_without_step_times, mean_duration_ms, p50_duration_ms, p90_duration_ms, p95_duration_ms, "
        "p99_duration_ms, max_duration_ms, duration_ms, llm_ms, tool_ms, other_ms, critical_path_session_count",
        f"with measured as (select sessions.*, {MEASURED} as is_used, {MEASURED} and coalesce(llm_ms, tool_ms) is not null as is_split from sessions) "
        f"select session_date, {A}, {COUNTS}, count(*) filter (is_used), count(*) filter (is_used and not is_split), avg(duration_ms) filter (is_used), "
        f"{percentiles('duration_ms', 'is_used', 0.5, 0.9, 0.95, 0.99)}, max(duration_ms) filter (is_used), sum(duration_ms) filter (is_used), "
        "sum(coalesce(llm_ms, 0)) filter (is_split), sum(coalesce(tool_ms, 0)) filter (is_split), sum(other_ms) filter (is_used), "
        "count(*) filter (is_used and is_on_critical_path) from measured group by all",
    ),
    "mart_tool_performance": (
        "step_date, tool_name, call_count, failed_call_count, retried_call_count, timed_call_count, mean_duration_ms, p50_duration_ms, p90_duration_ms, "
        "p95_duration_ms, p99_duration_ms, max_duration_ms, tool_ms",
        f"select step_date, tool_name, count(*), count(*) filter (is_failed), count(*) filter (is_retried), count(*) filter ({OK}), "
        f"avg(duration_ms) filter ({OK}), {percentiles('duration_ms', OK, 0.5, 0.9, 0.95, 0.99)}, max(duration_ms) filter ({OK}), sum(duration_ms) filter ({OK}) "
        "from steps where tool_name is not null group by all",
    ),
    "mart_model_performance": (
        "step_date, canonical_model, agent_name, call_count, failed_call_count, timed_call_count, mean_duration_ms, p50_duration_ms, p90_duration_ms, "
        f"p95_duration_ms, p99_duration_ms, {TOKENS}, reasoning_tokens, cost_usd, known_cost_usd, cache_hit_share",
        f"select step_date, coalesce(canonical_model, model_name, '(not set)'), {A}, count(*), count(*) filter (is_failed), count(*) filter ({OK}), "
        f"avg(duration_ms) filter ({OK}), {percentiles('duration_ms', OK, 0.5, 0.9, 0.95, 0.99)}, {sums(TOKENS)}, {sums('reasoning_tokens, cost_usd, known_cost_usd')}, "
        "sum(cache_read_tokens) / nullif(sum(coalesce(input_tokens, 0) + cache_read_tokens + coalesce(cache_write_tokens, 0)), 0) "
        "from steps where step_type = 'llm_call' or total_tokens is not null group by all",
    ),
    "mart_retry_rates": (
        "step_date, tool_name, operation_count, retried_operation_count",
        "select step_date, coalesce(tool_name, '(none)'), count(*), count(*) filter (attempts > 1) from ("
        "select operation_key, max(attempt_number) as attempts, arg_max(step_date, step_number) as step_date, "
        "arg_max(coalesce(tool_name, '(none)'), step_number) as tool_name from steps group by all) group by all",
    ),
    "mart_repeated_steps": (
        "run_date, workflow_name, agent_name, step_type, tool_name, n_all, n_used, repeated_signature_count, redundant_step_count, loop_run_count, max_repeats",
        f"select run_date, w, a, kind, tool, sum(steps), sum(n), count(*) filter (n > 1), sum(greatest(n - 1, 0)), count(distinct run_key) filter (n >= 5), "
        f"max(nullif(n, 0)) from (select run_date, {W} as w, {A} as a, coalesce(step_type, '(none)') as kind, coalesce(tool_name, '(none)') as tool, run_key, "
        "signature_hash, count(*) as steps, count(signature_hash) as n from (select run_key, agent_name, step_type, tool_name, "
        "case when not is_retry then signature_hash end as signature_hash from steps) inner join runs using (run_key) group by all) group by all",
    ),
    "mart_quality": (
        f"run_date, workflow_name, run_count, {DISCLOSED}, rated_run_count, feedback_coverage, mean_rating, copied_run_count, shared_run_count, "
        "regenerated_run_count, cancelled_run_count, success_useful_count, success_useless_count, failed_unknown_count",
        f"select run_date, {W}, count(*), {COUNTS}, count(rating), count(rating) / count(*), avg(rating), count(*) filter (copied_count > 0), "
        "count(*) filter (shared_count > 0), count(*) filter (regenerated_count > 0), count(*) filter (run_status = 'cancelled'), "
        f"count(*) filter (is_successful and {USEFUL} = 'useful'), count(*) filter (is_successful and {USEFUL} = 'useless'), "
        f"count(*) filter ({FAILED} and {USEFUL} = 'unknown') from runs group by all",
    ),
    "mart_run_volume": (
        "run_date, workflow_name, trigger_type, run_count, active_user_count, conversation_count, "
        "max_actions_per_run, p50_actions_per_run, p95_actions_per_run, action_count, run_with_user_count, run_without_user_count, runs_per_active_user, "
        "runs_per_conversation",
        f"select run_date, {W}, trigger_type, count(*), count(distinct user_id), "
        f"count(distinct conversation_id), max(step_count) filter (is_final), {percentiles('step_count', 'is_final', 0.5, 0.95)}, sum(step_count) filter (is_final), count(user_id), "
        "count(*) - count(user_id), count(user_id) / nullif(count(distinct user_id), 0), count(*) / count(distinct conversation_id) from runs group by all",
    ),
    "mart_workflow_health": (
        "level, run_date, workflow_name, run_count, successful_run_count, success_rate, failed_run_count, failure_rate, cancelled_run_count, "
        "unclassified_run_count, p50_duration_ms, p95_duration_ms, slo_breach_count, cost_usd, known_cost_usd, ended_cost_usd, costed_run_count, "
        "costed_successful_run_count, total_tokens",
        f"select if(grouping(w) = 1, 'system', 'workflow'), run_date, w, count(*), "
        "count(*) filter (is_successful), count(*) filter (is_successful) / nullif(count(*) filter (is_final), 0), "
        f"count(*) filter ({FAILED}), count(*) filter ({FAILED}) / nullif(count(*) filter (is_final), 0), count(*) filter (run_status = 'cancelled'), "
        f"count(*) filter ({FAILED} and failure_category = 'unclassified'), {percentiles('duration_ms', f'{OK} and is_final', 0.5, 0.95)}, "
        f"count(*) filter (is_slo_breached), {sums('cost_usd, known_cost_usd')}, sum(cost_usd) filter (is_final), count(cost_usd) filter (is_final), "
        f"count(cost_usd) filter (is_final and is_successful), sum(total_tokens) from (select *, {W} as w from runs) group by grouping sets ((run_date, w), (run_date))",
    ),
    "mart_user_retention": (
        "cohort_week, week_number, active_user_count, run_count",
        "select cohort, date_diff('week', cohort, week), count(distinct user_id), count(*) from (select user_id, "
        "cast(date_trunc('week', run_date) as date) as week, min(cast(date_trunc('week', run_date) as date)) over (partition by user_id) as cohort "
        "from runs where user_id is not null) group by all",
    ),
    "mart_orchestration": (
        "run_date, workflow_name, multi_agent_run_count, single_run_count, linear_run_count, fan_out_run_count, nested_run_count, loop_run_count, "
        "agent_session_count, busy_ms, covered_ms, gap_ms, critical_path_ms, sequential_sibling_ms, synthesis_ms, handoff_count",
        f"select run_date, {W}, count(*) filter (is_multi_agent), count(*) filter (topology = 'single'), count(*) filter (topology = 'linear'), "
        "count(*) filter (topology = 'fan_out'), count(*) filter (topology = 'nested'), count(*) filter (topology = 'loop'), "
        f"{sums('agent_session_count, busy_ms, covered_ms, gap_ms, critical_path_ms, sequential_sibling_ms, synthesis_ms, handoff_count')} from runs "
        "where is_final and agent_session_count > 0 group by all",
    ),
    "mart_paths": (
        f"workflow_name, path_signature, run_count, {DISCLOSED}, successful_run_count, cost_usd, known_cost_usd, cost_per_run_usd, mean_duration_ms",
        f"select {W}, coalesce(path_signature, '(none)'), count(*), {COUNTS}, count(*) filter (is_successful), {sums('cost_usd, known_cost_usd')}, "
        f"{money('avg(cost_usd) filter (is_final)')}, avg(duration_ms) filter (is_final and {OK}) from runs where {WINDOW} group by all",
    ),
    "mart_input_patterns": (
        "workflow_name, request_category, input_method, n_unfinished, run_count, failed_run_count, out_of_scope_count, costed_run_count, total_cost_usd, known_cost_usd",
        f"select {W}, coalesce(request_category, '(not set)'), coalesce(input_method, '(not set)'), count(*) filter (not is_final), count(*), "
        f"count(*) filter ({FAILED}), count(*) filter (failure_category = 'input_validation' or failure_mode like '%refus%'), "
        f"count(cost_usd) filter (is_final), {sums('cost_usd, known_cost_usd')} from runs where {WINDOW} group by all",
    ),
    "fct_conversations": (
        "conversation_id, run_count, final_run_count, success_count, failed_run_count, n_unpriced, n_partial, cost_usd, known_cost_usd, friction_count",
        "select conversation_id, count(*), count(*) filter (is_final), count(*) filter (is_successful), "
        f"count(*) filter ({FAILED}), count(*) filter (price_status = 'unpriced'), count(*) filter (price_status = 'partial'), {sums('cost_usd, known_cost_usd, friction_count')} "
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
        f"agent_name, {ARRIVED}",
        f"select {A}, count(*), count(*) filter (session_status in ('error', 'timeout')), count(*) filter (has_started_event), "
        "count(*) filter (has_completed_event), count(*) filter (session_source = 'response' or response_match_method is not null), "
        "count(*) filter (step_count > 0), count(total_tokens), count(cost_usd), count(model_name), count(parent_agent_session_key), count(duration_ms), "
        "sum(reported_steps_count), sum(step_count) filter (reported_steps_count is not null) from sessions where session_date "
        "between (select max(run_date) - 89 from runs) and (select max(run_date) from runs) group by all",
    ),
    "mart_failure_modes": (
        "failure_date, grain, agent_name, failure_mode, failure_count, wasted_cost_usd, lost_minutes",
        f"select step_date, 'step', {A}, failure_mode, count(*), sum(cost_usd), sum(duration_ms) filter ({OK}) / 60000 from steps "
        "where failure_mode is not null group by all union all "
        f"select session_date, 'session', {A}, failure_mode, count(*), sum(cost_usd), sum(duration_ms) filter ({OK}) / 60000 from sessions "
        "where failure_mode is not null group by all union all "
        "select run_date, 'run', coalesce(first_failing_agent, '(not set)'), failure_mode, count(*), sum(wasted_cost_usd), "
        f"sum(duration_ms) filter ({OK}) / 60000 from runs where failure_mode is not null group by all",
    ),
    "mart_agent_budgets": (
        "month_start_date, agent_name, budget_usd, cost_to_date_usd, elapsed_day_count, day_count, forecast_usd, is_breached, breach_date",
        "with newest as (select max(run_date) as newest from runs), days as (select agent_name, session_date, "
        "cast(date_trunc('month', session_date) as date) as month, sum(cost_usd) as cost from sessions group by all), "
        "spent as (select *, sum(cost) over (partition by agent_name, month order by session_date) as so_far from days), "
        "months as (select month, agent_name, monthly_budget_usd as budget, sum(cost) as cost, min(session_date) filter (so_far > monthly_budget_usd) as passed, "
        "day(last_day(month)) as length, least(date_diff('day', month, (from newest)) + 1, day(last_day(month))) as elapsed "
        "from spent inner join analytics_seeds.agent_budgets as budgets using (agent_name) "
        "where last_day(month) >= valid_from and last_day(month) < coalesce(valid_to, date '9999-12-31') group by all) "
        "select month, agent_name, budget, cost, elapsed, length, cost / elapsed * length, cost > budget, coalesce(passed, "
        "case when cost / elapsed * length > budget then month + cast(floor(budget / (cost / elapsed)) as integer) end) from months",
    ),
    "mart_cost_concentration": (
        "month_start_date, level, workflow_name, decile, run_count, cost_usd, cumulative_cost_share, top_1_percent_cost_share, "
        "top_10_percent_cost_share, gini_coefficient",
        f"with used as (select *, cast(date_trunc('month', run_date) as date) as month, {W} as w from runs where is_final and cost_usd is not null), "
        "levels as (select 'workflow' as level, * from used union all select 'system', * replace ('(all)' as w) from used), "
        "ranked as (select *, row_number() over dearest as i, count(*) over groups as n, sum(cost_usd) over groups as total from levels "
        "window groups as (partition by level, month, w), dearest as (partition by level, month, w order by cost_usd desc, run_key)), "
        "tenths as (select *, if(i <= (n % 10) * (n // 10 + 1), ceil(i / (n // 10 + 1)), n % 10 + ceil((i - (n % 10) * (n // 10 + 1)) / (n // 10))) as decile, "
        "sum(cost_usd) filter (i <= ceil(n / 100)) over groups / total as top_1, sum(cost_usd) filter (i <= ceil(n / 10)) over groups / total as top_10, "
        "2 * sum(cast((n - i + 1) * cost_usd as double)) over groups / nullif(n * total, 0) - (n + 1) / n as gini from ranked "
        "window groups as (partition by level, month, w)) "
        "select month, level, w, cast(decile as bigint), count(*), sum(cost_usd), sum(sum(cost_usd)) over (partition by level, month, w order by decile) / any_value(total), "
        "any_value(top_1), any_value(top_10), any_value(if(total = 0, null, gini)) from tenths group by month, level, w, decile",
    ),
    "mart_cost_outliers": (
        "run_key, workflow_name, n_used, baseline_median_usd, baseline_mad_usd, robust_z, cost_ratio",
        f"with used as (select *, {W} as w from runs where is_final and cost_usd is not null), "
        "judged as (select judged.run_key, judged.w, any_value(judged.cost_usd) as x, count(*) as n, median(before.cost_usd) as m, "
        "list(before.cost_usd) as costs from used as judged inner join used as before on judged.w = before.w "
        "and before.run_date between judged.run_date - 28 and judged.run_date - 1 group by all having count(*) >= 30), "
        "spread as (select *, list_median([abs(cost - m) for cost in costs]) as mad from judged) "
        "select run_key, w, n, cast(m as decimal(38, 9)), cast(mad as decimal(38, 9)), 0.6745 * (x - m) / nullif(mad, 0), x / nullif(m, 0) from spread "
        "where if(mad = 0, x > 3 * m, 0.6745 * (x - m) / mad > 3.5 and x > 2 * m)",
    ),
    "mart_cost_bridge": (
        "month_start_date, workflow_name, agent_name, canonical_model, previous_cost_usd, volume_effect_usd, mix_effect_usd, "
        "intensity_effect_usd, price_effect_usd",
        f"with groups as (select cast(date_trunc('month', session_date) as date) as month, {W} as w, {A} as a, "
        f"{M} as m, count(cost_usd) as n, sum(cost_usd) as c, sum(total_tokens) filter (cost_usd is not null) as t, count(*) as n_all "
        "from (select sessions.*, workflow_name from sessions inner join runs using (run_key)) group by all), "
        "before as (select * replace (cast(month + interval 1 month as date) as month) from groups where n > 0), "
        "pairs as (select month, w, a, m, coalesce(now.n, 0) as n1, coalesce(before.n, 0) as n0, coalesce(now.c, 0)::double as c1, coalesce(before.c, 0)::double as c0, "
        "coalesce(now.t, 0) as t1, coalesce(before.t, 0) as t0, sum(n1) over (partition by month) as total1, sum(n0) over (partition by month) as total0, "
        "if((n1 > 0 and t1 = 0) or (n0 > 0 and t0 = 0), 1, t1 / n1) as u1, if((n1 > 0 and t1 = 0) or (n0 > 0 and t0 = 0), 1, t0 / n0) as u0 "
        "from groups as now full outer join before using (month, w, a, m) where month <= (select max(month) from groups)), "
        "effects as (select *, case when total0 = 0 then c1 when n0 = 0 then 0 else (total1 - total0) * c0 / total0 end as volume, "
        "case when total0 = 0 then 0 when n0 = 0 then c1 when n1 = 0 then -c0 - volume else total1 * (n1 / total1 - n0 / total0) * c0 / n0 end as mix, "
        "if(n1 > 0 and n0 > 0, n1 * (u1 - u0) * c0 / (n0 * u0), 0) as intensity, if(n1 > 0 and n0 > 0, c1 - n1 * u1 * c0 / (n0 * u0), 0) as price from pairs) "
        "select month, w, a, m, c0, volume, mix, intensity, price from effects where month > (select min(month) from groups)",
    ),
    "mart_marginal_steps": (
        "workflow_name, unit, k, run_count, successful_run_count, success_rate, mean_cost_usd, reached_run_count, marginal_cost_usd, marginal_success",
        f"with of_window as (select *, {W} as w from runs where {WINDOW}), units as ("
        "select run_key, 'step' as unit, count(*) as k from steps group by all union all "
        "select run_key, 'tool_call', count(*) from steps where step_type = 'tool_call' group by all union all "
        "select run_key, 'agent_session', count(*) from sessions group by all), "
        "counted as (select * from of_window inner join units using (run_key)), "
        "numbers as (select w, unit, unnest(range(1, max(k) + 1)) as k from counted group by w, unit), "
        "exact as (select numbers.w, numbers.unit, numbers.k, count(*) filter (is_final) as runs, count(*) filter (is_final and is_successful) as good, "
        "good / nullif(count(is_successful) filter (is_final), 0) as rate, cast(avg(cost_usd) filter (is_final) as decimal(38, 9)) as cost "
        "from numbers left join counted on numbers.w = counted.w and numbers.unit = counted.unit and numbers.k = counted.k group by all) "
        "select w, unit, k, runs, good, rate, cost, sum(runs) over (partition by w, unit order by k desc), "
        "cost - lag(cost ignore nulls) over lower, rate - lag(rate ignore nulls) over lower from exact window lower as (partition by w, unit order by k)",
    ),
    "mart_step_influence": (
        "workflow_name, agent_name, step_type, step_count, cost_usd, cost_share, run_count_with, run_count_without, success_difference, "
        "success_difference_low, success_difference_high, verdict",
        f"with of_window as (select *, {W} as w, is_final and is_successful is not null as counts from runs where {WINDOW}), "
        "workflows as (select w, count(*) filter (counts) as n, count(*) filter (counts and is_successful) as k, sum(known_cost_usd) as money from of_window group by all), "
        f"of_steps as (select w, {A} as a, coalesce(step_type, '(not set)') as kind, count(*) as steps, sum(steps.cost_usd) as cost, sum(steps.known_cost_usd) as known, "
        "count(distinct run_key) filter (counts) as n1, count(distinct run_key) filter (counts and of_window.is_successful) as k1 "
        "from steps inner join of_window using (run_key) group by all), "
        "sides as (select *, n - n1 as n0, k - k1 as k0, known / nullif(money, 0) as share from of_steps inner join workflows using (w)), "
        f"ends as (select *, {newcombe('k1', 'n1', 'k0', 'n0')} from sides) "
        "select w, a, kind, steps, cost, share, n1, n0, k1 / nullif(n1, 0) - k0 / nullif(n0, 0), low, high, "
        "case when least(n1, n0) < 30 then 'unclear' when low > 0 then 'helps' when high < 0 then 'hurts' "
        "when share >= 0.2 and least(n1, n0) >= 100 then 'costly_without_effect' else 'unclear' end from ends",
    ),
    "mart_routes": (
        "workflow_name, request_category, first_specialist, run_count, run_share, successful_run_count, rerouted_run_count, regenerated_run_count, cost_per_run_usd",
        f"select {W}, coalesce(request_category, '(not set)'), coalesce(first_specialist, '(none)'), count(*), "
        f"count(*) / sum(count(*)) over (partition by {W}, coalesce(request_category, '(not set)')), count(*) filter (is_successful), "
        "count(*) filter (is_rerouted), count(*) filter (regenerated_count > 0), cast(avg(cost_usd) filter (is_final) as decimal(38, 9)) "
        f"from runs where {WINDOW} group by {W}, coalesce(request_category, '(not set)'), coalesce(first_specialist, '(none)')",
    ),
    "mart_breakpoints": (
        "workflow_name, agent_name, step_type, tool_name, failure_mode, failed_run_count, user_count, wasted_cost_usd, lost_minutes, "
        "week_failed_run_count, previous_week_failed_run_count",
        f"select {W}, coalesce(first_failing_agent, '(not set)'), coalesce(first_failing_step_type, '(none)'), coalesce(first_failing_tool, '(none)'), "
        "coalesce(failure_mode, '(none)'), count(*), count(distinct coalesce('user ' || user_id, 'device ' || anonymous_id)), sum(wasted_cost_usd), "
        f"sum(duration_ms) filter ({OK}) / 60000, count(*) filter (run_date > newest - 7), count(*) filter (run_date between newest - 13 and newest - 7) "
        f"from runs, (select max(run_date) as newest from runs) where {WINDOW} and run_status in ('error', 'timeout') group by all",
    ),
    "mart_agent_quality": (
        "run_date, agent_name, run_count, rated_run_count, mean_rating, rated_run_count_without, mean_rating_without, copied_run_count, cancelled_run_count, "
        "success_useful_count, failed_useless_count, other_unknown_count",
        f"with part as (select distinct run_key, {A} as agent_name from sessions), days as (select run_date, count(rating) as n, sum(rating) as total from runs group by all) "
        "select run_date, agent_name, count(*), count(rating), avg(rating), any_value(n) - count(rating), "
        "if(any_value(n) > count(rating), (any_value(total) - coalesce(sum(rating), 0)) / (any_value(n) - count(rating)), null), "
        "count(*) filter (copied_count > 0), count(*) filter (run_status = 'cancelled'), "
        f"count(*) filter (run_status = 'success' and {USEFUL} = 'useful'), count(*) filter (run_status in ('error', 'timeout') and {USEFUL} = 'useless'), "
        f"count(*) filter (run_status not in ('success', 'error', 'timeout') and {USEFUL} = 'unknown') "
        "from runs inner join part using (run_key) inner join days using (run_date) group by run_date, agent_name",
    ),
    "mart_parallelization": (
        "workflow_name, agent_name, next_agent_name, sequential_run_count, overlapping_run_count, reversed_run_count, independence_share, savable_ms",
        f"with parents as (select to_agent_session_key as child, from_agent_session_key as parent from analytics_marts.fct_agent_handoffs "
        "where not is_inferred and not is_cross_run), "
        f"siblings as (select sessions.*, {W} as w, max_depth, is_final, row_number() over (partition by run_key, parent order by session_number) as i, parent "
        f"from sessions inner join (from runs where {WINDOW}) using (run_key) left join parents on agent_session_key = child), "
        "pairs as (select a.run_key, a.w, a.is_final, a.session_number as i, a.agent_name as one, least(one, b.agent_name) as x, greatest(one, b.agent_name) as y, "
        "epoch_ms(least(a.ended_at, b.ended_at)) - epoch_ms(b.started_at) as shared, "
        "least(epoch_ms(a.ended_at) - epoch_ms(a.started_at), epoch_ms(b.ended_at) - epoch_ms(b.started_at)) as shorter, "
        "coalesce(if(a.max_depth > 0, shared > 0, 10 * shared > shorter), false) and shorter > 0 as is_beside, "
        "if(a.duration_ms is null or b.duration_ms is null, null, least(a.duration_ms, b.duration_ms)) as savable "
        "from siblings as a inner join siblings as b on a.run_key = b.run_key and a.parent is not distinct from b.parent and b.i = a.i + 1 "
        "where a.agent_name is not null and b.agent_name is not null), "
        "of_runs as (select w, run_key, x, y, bool_or(is_beside) as is_beside, arg_min(one = x, i) as is_forward, "
        "sum(savable) filter (not is_beside) as savable from pairs where is_final group by w, run_key, x, y), "
        "summed as (select w, x, y, count(*) as n, count(*) filter (is_beside) as beside, count(*) filter (not is_beside and is_forward) as forward, "
        "n - beside - forward as backward, sum(savable) as savable from of_runs group by w, x, y) "
        "select w, if(forward >= backward, x, y), if(forward >= backward, y, x), greatest(forward, backward), beside, least(forward, backward), "
        "(beside + least(forward, backward)) / n, savable from summed",
    ),
    # of all pairs of models those that are in the table: which ones are cheaper, its unit tests say
    "mart_model_right_sizing": (
        "agent_name, current_model, candidate_model, session_count, current_cost_usd, current_successful_session_count, candidate_session_count, "
        "success_difference, success_difference_low, success_difference_high, verdict, largest_call_tokens",
        f"with known as (select {A} as a, {M} as m, count(total_tokens) filter (cost_usd is not null) as used, "
        "sum(if(cost_usd is null, 0, coalesce(input_tokens, 0))) as input, sum(if(cost_usd is null, 0, coalesce(output_tokens, 0))) as output, "
        "sum(if(cost_usd is null, 0, coalesce(cache_read_tokens, 0))) as reads, sum(if(cost_usd is null, 0, coalesce(cache_write_tokens, 0))) as writes, count(is_successful) as n, count(*) filter (is_successful) as k "
        f"from sessions where {WINDOW.replace('run_date between', 'session_date between', 1)} group by all), "
        f"calls as (select {A} as a, coalesce(canonical_model, model_name, '(none)') as m, max(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)) as largest "
        f"from steps where {WINDOW.replace('run_date between', 'step_date between', 1)} group by all), "
        "costs as (select a, m, cast((known.input * p.input + known.output * p.output + reads * coalesce(p.cache_read, p.input) + writes * coalesce(p.cache_write, p.input)) / 1000000 as decimal(38, 9)) as cost "
        "from known inner join (select canonical_model as m, columns('(.*)_usd_per_million_tokens') as '\\1' from analytics_marts.dim_models) as p using (m)), "
        "pairs as (select advice.*, now.used, costs.cost, now.n as n0, now.k as k0, coalesce(new.n, 0) as n1, coalesce(new.k, 0) as k1, largest "
        "from analytics_marts.mart_model_right_sizing as advice inner join known as now on now.a = agent_name and now.m = current_model "
        "inner join costs on costs.a = agent_name and costs.m = current_model left join known as new on new.a = agent_name and new.m = candidate_model left join calls on calls.a = agent_name and calls.m = current_model), "
        f"ends as (select *, {newcombe('k1', 'n1', 'k0', 'n0')} from pairs) "
        "select agent_name, current_model, candidate_model, used, cost, k0, n1, k1 / nullif(n1, 0) - k0 / nullif(n0, 0), low, high, "
        "case when candidate_cost_usd >= current_cost_usd or (high < 0 and least(n0, n1) >= 30) then 'keep' "
        "when least(n0, n1) >= 100 and low >= -0.02 then 'switch' else 'pilot' end, largest from ends",
    ),
    "mart_metric_anomalies": (
        "metric, workflow_name, metric_date, value, n",
        f"with labelled as (select *, {W} as w, run_status in ('error', 'timeout') as is_failure from runs), "
        "retries as (select w, run_date, count(*) filter (n > 1) as retried, count(*) as operations from (select w, run_date, operation_key, max(attempt_number) as n "
        "from steps inner join labelled using (run_key) group by all) group by all), "
        "days as (select w, run_date, count(*) as runs, count(*) filter (is_final) as ended, count(*) filter (is_successful) as good, "
        "avg(cost_usd) filter (is_final) as cost, count(cost_usd) filter (is_final) as costed, "
        f"quantile_cont(cast(duration_ms as double), 0.95) filter (is_final and {OK}) as p95, count(*) filter (is_failure) as failed, "
        "count(*) filter (is_failure and failure_category = 'unclassified') as unclassified, count(*) filter (price_status = 'unpriced') as unpriced, "
        "avg(total_tokens) as tokens, count(total_tokens) as counted from labelled group by all) "
        "from (select 'runs', w, run_date, runs, runs from days union all select 'success_rate', w, run_date, good / ended, ended from days where ended > 0 "
        "union all select 'cost_per_run_usd', w, run_date, cost, costed from days where costed > 0 "
        "union all select 'p95_duration_ms', w, run_date, p95, ended from days where p95 is not null "
        "union all select 'retry_rate', w, run_date, retried / operations, operations from retries "
        "union all select 'unclassified_share', w, run_date, unclassified / failed, failed from days where failed > 0 "
        "union all select 'unpriced_share', w, run_date, unpriced / runs, runs from days "
        "union all select 'tokens_per_run', w, run_date, tokens, counted from days where counted > 0)",
    ),
}
# Tables that the real traces of the window leave empty: no budget, no failed run, too few runs a day.
ONLY_GENERATED = {"mart_agent_budgets", "mart_cost_outliers", "mart_breakpoints"}
# Rows of a table that a query speaks of, where that is not all of them.
PART_OF = {
    # days of attempts whose operation ended elsewhere, and of runs without sessions
    "mart_retry_rates": "operation_count > 0",
    "mart_orchestration": "agent_session_count > 0",
    "mart_cost_tree": "cost_component in ('tool', 'infrastructure')",
    "mart_user_retention": "active_user_count > 0",
    "dim_agents": "session_count > 0",
    # of what was before the first month nothing is known
    "mart_cost_bridge": "volume_effect_usd is not null",
}
# Columns of a table that are added up over what its rows are told apart by beside the compared ones.
SUMMED = {
    "mart_retry_rates": ("operation_count", "retried_operation_count"),
    "mart_input_patterns": (
        "n_unfinished",
        "run_count",
        "failed_run_count",
        "out_of_scope_count",
        "costed_run_count",
        "total_cost_usd",
        "known_cost_usd",
    ),
    "mart_cost_tree": ("cost_usd",),
    "mart_instrumentation_coverage": tuple(ARRIVED.split(", ")),
    "mart_failure_modes": ("failure_count", "wasted_cost_usd", "lost_minutes"),
}


def difference(table):
    """Return SQL for the rows that only one side has: of the table, or of what the facts say."""
    columns, query = RECOMPUTED[table]
    names = columns.split(", ")
    shown = [f"sum({name}) as {name}" if name in SUMMED.get(table, ()) else name for name in names]
    grouped = "group by all" if table in SUMMED else ""
    facts = ", ".join(
        f"{name} as (from analytics_marts.fct_agent_{name})"
        for name in ("runs", "sessions", "steps")
    )
    there = f"select {', '.join(shown)} from analytics_marts.{table} where {PART_OF.get(table, '1 = 1')} {grouped}"
    texts = [
        f"cast({f'round(cast({name} as double), 6) + 0' if FRACTION.search(name) else name} as varchar)"
        for name in names
    ]
    rounded = f"select {', '.join(texts)} from {{}}"
    return (
        f"with {facts}, there as ({there}), expected({columns}) as (from ({query})) "
        f"(select 'table' as side, * from ({rounded.format('there')} except all {rounded.format('expected')})) "
        f"union all "
        f"(select 'facts' as side, * from ({rounded.format('expected')} except all {rounded.format('there')}))"
    )
