"""Each metric of the semantic layer is what the tables for readers say."""

from __future__ import annotations

import csv
import os
import re
import subprocess

import pytest
import yaml

from scripts import generate_events, load_events
from scripts.warehouse import PROJECT_DIR
from tests.python.warehouses import Warehouse, copy_of_project, errors_of

RUNS, SESSIONS, STEPS = (
    f"analytics_marts.fct_agent_{grain}" for grain in ("runs", "sessions", "steps")
)
PER_INTERACTION = "analytics_marts.mart_cost_per_interaction"
HEALTH = "analytics_marts.mart_workflow_health where level = 'system'"
ENDED = "percentile_cont({}) within group (order by duration_ms) from {} where {}"
# What is asked of the rollups, and of a fact where no rollup has the figure over all time.
EXPECTED = {
    "runs": f"sum(run_count) from {PER_INTERACTION}",
    "successful_runs": f"sum(successful_run_count) from {PER_INTERACTION}",
    "failed_runs": f"sum(failed_run_count) from {PER_INTERACTION}",
    "cancelled_runs": f"sum(cancelled_run_count) from {PER_INTERACTION}",
    "judged_runs": f"sum(n_used) from {HEALTH}",
    "completed_runs": f"sum(n_all) - (select count(*) from {RUNS} where run_status in "
    f"('error', 'timeout', 'abandoned', 'in_progress')) from {PER_INTERACTION}",
    "success_rate": f"sum(successful_run_count) / sum(n_used) from {HEALTH}",
    "failure_rate": f"sum(failed_run_count) / sum(n_used) from {HEALTH}",
    "completion_rate": "count(*) filter (run_status in ('success', 'partial_success', "
    f"'cancelled', 'unknown')) / count(*) from {RUNS}",
    "cancelled_rate": f"sum(cancelled_run_count) / sum(n_all) from {HEALTH}",
    "cost_usd": f"sum(cost_usd) from {PER_INTERACTION}",
    "ended_cost_usd": f"sum(ended_cost_usd) from {PER_INTERACTION}",
    "costed_runs": f"sum(n_used) from {PER_INTERACTION}",
    "costed_successful_runs": f"count(*) filter (is_successful and is_final) from {RUNS} "
    "where cost_usd is not null",
    "cost_per_run": f"sum(ended_cost_usd) / sum(n_used) from {PER_INTERACTION}",
    "cost_per_successful_run": f"sum(ended_cost_usd) / (select count(*) from {RUNS} where "
    f"is_successful and cost_usd is not null) from {PER_INTERACTION}",
    "wasted_cost_usd": f"sum(wasted_cost_usd) from {PER_INTERACTION}",
    "wasted_cost_share": f"sum(wasted_cost_usd) / sum(cost_usd) from {PER_INTERACTION}",
    "full_cost_usd": f"sum(full_cost_usd) from {RUNS}",
    "input_tokens": f"sum(input_tokens) from {PER_INTERACTION}",
    "output_tokens": f"sum(output_tokens) from {PER_INTERACTION}",
    "cache_read_tokens": f"sum(cache_read_tokens) from {PER_INTERACTION}",
    "cache_write_tokens": f"sum(cache_write_tokens) from {PER_INTERACTION}",
    "total_tokens": f"sum(total_tokens) from {PER_INTERACTION}",
    "p50_run_duration_ms": ENDED.format(0.5, RUNS, "is_final and not has_suspect_duration"),
    "p95_run_duration_ms": ENDED.format(0.95, RUNS, "is_final and not has_suspect_duration"),
    "gap_ms": f"sum(gap_ms) from {HEALTH}",
    "gap_base_ms": f"sum(gap_base_ms) from {HEALTH}",
    "gap_share": f"sum(gap_ms) / sum(gap_base_ms) from {HEALTH}",
    "active_users": "count(*) from analytics_marts.dim_users",
    "runs_with_user": "sum(run_with_user_count) from analytics_marts.mart_run_volume",
    "runs_per_active_user": "sum(run_count) / count(*) from analytics_marts.dim_users",
    "conversations": "count(*) from analytics_marts.fct_conversations",
    "rating": "sum(mean_rating * rated_run_count) / sum(rated_run_count) "
    "from analytics_marts.mart_quality",
    "rated_runs": "sum(rated_run_count) from analytics_marts.mart_quality",
    "feedback_coverage": "sum(rated_run_count) / sum(n_all) from analytics_marts.mart_quality",
    "unpriced_runs": f"sum(n_unpriced) from {PER_INTERACTION}",
    "unpriced_share": f"sum(n_unpriced) / sum(n_all) from {PER_INTERACTION}",
    "slo_breaches": f"sum(slo_breach_count) from {HEALTH}",
    "runs_with_slo": f"sum(n_with_slo) from {HEALTH}",
    "slo_breach_rate": f"sum(slo_breach_count) / sum(n_with_slo) from {HEALTH}",
    "agent_sessions": "sum(session_count) from analytics_marts.dim_agents",
    "agent_cost_usd": "sum(cost_usd) from analytics_marts.mart_cost_by_agent",
    "p95_agent_duration_ms": ENDED.format(
        0.95,
        SESSIONS,
        "session_status not in ('in_progress', 'abandoned') and not has_suspect_duration",
    ),
    "steps": f"count(*) from {STEPS}",
    "operations": "sum(operation_count) from analytics_marts.mart_retry_rates",
    "retried_operations": "sum(retried_operation_count) from analytics_marts.mart_retry_rates",
    "retry_rate": "sum(retried_operation_count) / sum(operation_count) "
    "from analytics_marts.mart_retry_rates",
    "judged_tool_calls": f"count(is_successful) from {STEPS} where step_type = 'tool_call'",
    "successful_tool_calls": f"count(*) from {STEPS} where step_type = 'tool_call' "
    "and step_status = 'success'",
    "tool_success_rate": f"avg(cast(is_successful as int)) from {STEPS} "
    "where step_type = 'tool_call'",
    "user_actions": "count(*) from analytics_marts.fct_user_actions",
}

# Page of a dashboard -> columns of its answer, and the same ones of the rollups.
PAGES = {
    "overview": (
        "metric_time__day, runs, success_rate, cost_usd, p95_run_duration_ms",
        "run_date, n_all, successful_run_count / nullif(n_used, 0), cost_usd, p95_duration_ms "
        f"from {HEALTH}",
    ),
    "cost": (
        "metric_time__day, run__workflow_name, cost_usd, wasted_cost_usd, total_tokens, "
        "cost_per_run",
        "run_date, nullif(workflow_name, '(not set)'), sum(cost_usd), sum(wasted_cost_usd), "
        "sum(total_tokens), sum(ended_cost_usd) / nullif(sum(n_used), 0) "
        f"from {PER_INTERACTION} group by all",
    ),
    "latency": (
        "metric_time__day, run__workflow_name, p95_run_duration_ms, gap_share, slo_breach_rate",
        "run_date, nullif(workflow_name, '(not set)'), p95_duration_ms, "
        "gap_ms / nullif(gap_base_ms, 0), slo_breach_count / nullif(n_with_slo, 0) "
        "from analytics_marts.mart_workflow_health where level = 'workflow'",
    ),
    "failures": (
        "metric_time__day, failed_runs, failure_rate, cancelled_rate",
        "run_date, failed_run_count, failed_run_count / nullif(n_used, 0), "
        f"cancelled_run_count / n_all from {HEALTH}",
    ),
    "quality": (
        "metric_time__day, run__workflow_name, rating, rated_runs, feedback_coverage",
        "run_date, nullif(workflow_name, '(not set)'), mean_rating, rated_run_count, "
        "rated_run_count / n_all from analytics_marts.mart_quality",
    ),
    "usage": (
        "metric_time__week, runs, active_users, conversations",
        "cast(date_trunc('week', run_date) as date), count(*), count(distinct user_id), "
        f"count(distinct conversation_id) from {RUNS} group by all",
    ),
}

pytestmark = [
    pytest.mark.timeout(0),
    pytest.mark.xdist_group("semantic_layer"),
    # of a library inside dbt
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),
]


def metrics():
    """Return the metrics that stand beside the facts."""
    file = PROJECT_DIR / "models/marts/core/_core__models.yml"
    content = yaml.safe_load(file.read_text("utf-8"))
    beside_models = [metric for model in content["models"] for metric in model.get("metrics", [])]
    return beside_models + content["metrics"]


def test_models_and_entries_beside_metrics_can_be_changed(tmp_path):
    """dbt goes on from what it has parsed, and finds no metric a second time."""
    warehouse = Warehouse(tmp_path, copy_of_project(tmp_path / "project"))
    assert warehouse.dbt("parse").success
    core = warehouse.project / "models/marts/core"
    for name, old, new in (
        ("fct_agent_runs.sql", "select", "-- changed\nselect"),
        ("_core__models.yml", "One row per", "One row for each"),
        ("_core__models.yml", "type: ratio", "type: ratio\n    # changed"),
    ):
        file = core / name
        text = file.read_text("utf-8")
        file.write_text(text.replace(old, new, 1), "utf-8")
        assert file.read_text("utf-8") != text
        result = warehouse.dbt("parse")
        assert result.success, result.exception
        assert len(result.result.metrics) == len(EXPECTED)


def test_every_metric_is_labelled_and_compared():
    found = metrics()
    assert {metric["name"] for metric in found} == set(EXPECTED)
    assert all(metric["label"] and metric["description"] for metric in found)


def test_every_page_is_labelled_and_compared():
    file = PROJECT_DIR / "models/marts/_marts__saved_queries.yml"
    queries = yaml.safe_load(file.read_text("utf-8"))["saved_queries"]
    assert {query["name"] for query in queries} == set(PAGES)
    assert all(query["label"] and query["description"] for query in queries)
    assert {name for query in queries for name in query["query_params"]["metrics"]} <= set(EXPECTED)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Return a warehouse of generated runs and the answers of mf, by metric."""
    folder = tmp_path_factory.mktemp("semantic_layer")
    warehouse = Warehouse(folder, copy_of_project(folder / "project"))
    events = folder / "events"
    assert generate_events.main(["--out", str(events), "--runs", "150", "--seed", "4"]) == 0
    arguments = [str(events / "events.ndjson"), "--warehouse", str(warehouse.path)]
    assert load_events.main(arguments) == 0
    result = warehouse.dbt("build", "--resource-type", "seed", "--resource-type", "model")
    assert result.success, errors_of(result)
    environment = os.environ | {
        "AGENT_ANALYTICS_DUCKDB_PATH": str(warehouse.path),
        "DBT_PROFILES_DIR": str(warehouse.project),
    }
    bin_folder = PROJECT_DIR / ".venv/bin"
    options = {"cwd": warehouse.project, "env": environment, "capture_output": True}
    subprocess.run([bin_folder / "dbt", "parse", "--quiet"], check=True, **options)
    file = folder / "answer.csv"
    names = ",".join(metric["name"] for metric in metrics())
    subprocess.run(
        [bin_folder / "mf", "query", "--metrics", names, "--csv", file], check=True, **options
    )
    with file.open(newline="") as stream:
        [answers] = csv.DictReader(stream)

    def ask(*command):
        """Run a command where the answers were asked, and return what it prints."""
        return subprocess.run(command, check=True, text=True, **options).stdout

    return warehouse, answers, ask


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_metric_is_what_the_tables_say(asked, name):
    warehouse, answers, _ = asked
    [(expected,)] = warehouse.query(f"select {EXPECTED[name]}")
    assert expected is not None
    assert float(answers[name]) == pytest.approx(float(expected), rel=1e-9)


def comparable(rows):
    """Return rows in order, numbers rounded to nine digits and empty texts as nothing."""

    def value(item):
        if item in (None, ""):
            return ""
        try:
            return f"{float(item):.9g}"
        except (TypeError, ValueError):
            return str(item)

    return sorted([str(first)[:10], *map(value, others)] for first, *others in rows)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_page_is_what_the_tables_say(asked, page, tmp_path):
    """Each day and workflow of the answer, with the figures that a rollup has too."""
    warehouse, _, ask = asked
    columns, expected = PAGES[page]
    file = tmp_path / "answer.csv"
    ask(PROJECT_DIR / ".venv/bin/mf", "query", "--saved-query", page, "--csv", file)
    answer = warehouse.query(
        f"select {columns} from read_csv('{file}', all_varchar = true, nullstr = '')"
    )
    assert comparable(answer) == comparable(warehouse.query(f"select {expected}"))


@pytest.mark.slow
def test_make_asks_a_metric_and_a_page(asked):
    warehouse, answers, ask = asked
    for name in ("Makefile", ".venv"):
        (warehouse.project / name).symlink_to(PROJECT_DIR / name)
    # what the lock file says is no matter here
    make = ("make", "--silent", "--old-file", ".venv/.ready")
    by_trigger = ask(*make, "metric", "NAME=runs", "BY=run__trigger_type")
    counts = dict(
        warehouse.query(f"select trigger_type, count(*) from {RUNS} group by trigger_type")
    )
    assert sum(counts.values()) == float(answers["runs"])
    for trigger, count in counts.items():
        assert re.search(rf"(?m)^\s*{trigger}\s+{count}\s*$", by_trigger), by_trigger
    where = "{{ Dimension('run__trigger_type') }} = 'schedule'"
    scheduled = ask(*make, "metric", "NAME=runs", "BY=run__trigger_type", f"WHERE={where}")
    assert re.search(rf"(?m)^\s*schedule\s+{counts['schedule']}\s*$", scheduled)
    assert "user" not in scheduled
    assert "active_users" in ask(*make, "page", "NAME=usage")
