"""Facts built from generated events equal the truth written beside them, row by row.

Three data sets: clean payloads, payloads with every kind of dirt, and raw Parquet tables with every
kind of dirt. One assertion per set, table and column.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import pytest

from scripts import generate_events, load_events, superset_bundle
from scripts.reporting import numbers
from scripts.warehouse import PROJECT_DIR, quote_identifier, quote_literal
from tests.python.rollups import RECOMPUTED, difference
from tests.python.test_semantic_layer import EXPECTED
from tests.python.warehouses import WITHOUT_UNIT_TESTS, Warehouse, errors_of, lake_in_use

# Money is compared to a tenth of a millionth of a dollar: prices have six, sums nine decimals.
TOLERANCE = 1e-7

# Truth file -> fact, columns that name a row, columns that must be equal.
FACTS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "runs": (
        "analytics_marts.fct_agent_runs",
        ("conversation_id", "interaction_id"),
        (
            "run_status", "trigger_type", "duration_ms", "duration_source", "started_at",
            "ended_at", "covered_ms", "is_final", "agent_count", "agent_session_count",
            "step_count", "llm_call_count", "tool_call_count", "failed_step_count",
            "retried_step_count", "input_tokens", "output_tokens", "cache_read_tokens",
            "cache_write_tokens", "total_tokens", "reported_cost_usd", "sessions_cost_usd",
            "steps_cost_usd", "wasted_cost_usd", "cost_usd", "known_cost_usd",
            "cost_basis", "price_status",
            "rating", "rating_count", "regenerated_count", "copied_count", "shared_count",
            "has_conflicting_completions", "first_failing_agent", "first_failing_step_number",
            "is_multi_agent", "topology", "max_depth", "path_signature", "critical_path_ms",
            "sequential_sibling_ms", "handoff_count", "redundant_step_count", "has_loop",
        ),
    ),
    "agent_sessions": (
        "analytics_marts.fct_agent_sessions",
        ("conversation_id", "interaction_id", "agent_session_id", "agent_name", "ended_at"),
        (
            "started_at", "session_source", "session_status", "depth", "duration_ms", "llm_ms",
            "tool_ms", "canonical_model", "step_count", "llm_call_count", "tool_call_count",
            "failed_step_count", "retried_step_count", "input_tokens", "output_tokens",
            "cache_read_tokens", "cache_write_tokens", "total_tokens", "reported_cost_usd",
            "list_cost_usd", "steps_cost_usd", "cost_usd", "known_cost_usd",
            "cost_basis", "price_status",
            "has_conflicting_completions", "redundant_step_count",
        ),
    ),
    "steps": (
        "analytics_marts.fct_agent_steps",
        ("step_id",),
        (
            "conversation_id", "interaction_id", "agent_session_id", "agent_name", "step_number",
            "step_type", "step_status", "tool_name", "canonical_model", "is_retry", "is_fallback",
            "attempt_number", "duration_ms", "ended_at", "input_tokens", "output_tokens",
            "cache_read_tokens", "cache_write_tokens", "total_tokens", "reported_cost_usd",
            "list_cost_usd", "input_cost_usd", "output_cost_usd", "cache_read_cost_usd",
            "cache_write_cost_usd", "cost_usd", "known_cost_usd",
            "cost_basis", "price_status",
        ),
    ),
    "user_actions": (
        "analytics_marts.fct_user_actions",
        ("action_id",),
        (
            "conversation_id", "interaction_id", "action_type", "feedback_type", "rating",
            "acted_at",
        ),
    ),
    "ledger": (
        "analytics_audit.audit_event_ledger",
        ("source_table", "event_date"),
        ("raw_rows", "accepted_rows", "duplicate_rows", "quarantined_rows"),
    ),
}  # fmt: skip

# Name -> how the events are written, and whether the data tests run as well.
SETS: dict[str, tuple[list[str], bool]] = {
    "clean": (["--runs", "500", "--seed", "21"], False),
    "dirty": (["--runs", "1500", "--seed", "22", "--dirt-all"], True),
    "dirty_parquet": (
        ["--runs", "1500", "--seed", "23", "--dirt-all", "--format", "parquet"],
        False,
    ),
}
# What Parquet changes is tried elsewhere as well.
OFTEN = ("clean", "dirty")
IN_SETS = [
    pytest.param(
        name,
        marks=[
            pytest.mark.xdist_group(f"generated_{name}"),
            *([] if name in OFTEN else [pytest.mark.slow]),
        ],
    )
    for name in SETS
]


class Built:
    """A data set with the warehouse built from it."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.folder = folder
        self.connection = connection
        for name in (*FACTS, "quarantined"):
            file = quote_literal(str(folder / "truth" / f"{name}.csv"))
            connection.execute(
                f"create temp table truth_{name} as from read_csv({file}, all_varchar = true)"
            )

    def types(self, relation: str) -> dict[str, str]:
        return {
            row[0]: row[1] for row in self.connection.execute(f"describe {relation}").fetchall()
        }


def build(folder: Path, arguments: list[str], *, with_tests: bool) -> duckdb.DuckDBPyConnection:
    """Generate, load and build one data set; return a read-only connection to its warehouse."""
    events = folder / "events"
    assert generate_events.main(["--out", str(events), *arguments]) == 0
    warehouse = Warehouse(folder)
    warehouse.fresh()
    variables = None
    if "parquet" in arguments:
        variables = {"rudderstack_parquet_dir": lake_in_use(events)}
    else:
        # Second deliveries are a load of their own: one load never keeps an event twice.
        for file in sorted(events.glob("*.ndjson")):
            load = [str(file), "--warehouse", str(warehouse.path), "--mode", "append"]
            assert load_events.main(load) == 0
    command = ("build", *WITHOUT_UNIT_TESTS, "seed") if with_tests else ("run",)
    result = warehouse.dbt(*command, variables=variables)
    assert result.success, errors_of(result)
    connection = duckdb.connect(str(warehouse.path), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a function that builds a data set once and then hands out the same result."""
    sets: dict[str, Built] = {}

    def get(name: str) -> Built:
        if name not in sets:
            arguments, with_tests = SETS[name]
            folder = tmp_path_factory.mktemp(name)
            sets[name] = Built(folder / "events", build(folder, arguments, with_tests=with_tests))
        return sets[name]

    yield get
    for item in sets.values():
        item.connection.close()


def comparable(side: str, column: str, kind: str) -> str:
    """Return a column of one side as text, number or time that both sides can be compared by."""
    name = f"{side}.{quote_identifier(column)}"
    if kind.startswith("TIMESTAMP"):
        # Both kinds of timestamps, with and without zone, hold UTC.
        return f"epoch_ms(cast({name} as timestamp))"
    if kind == "DATE":
        return f"cast({name} as date)"
    if kind == "BOOLEAN":
        return f"cast({name} as boolean)"
    if kind == "VARCHAR":
        return name
    return f"cast({name} as double)"


def joined(item: Built, truth: str) -> str:
    """Return a full join of truth and fact on the columns that name a row."""
    relation, keys, _ = FACTS[truth]
    types = item.types(relation)
    same = " and ".join(
        f"{comparable('truth', key, types[key])} is not distinct from "
        f"{comparable('fact', key, types[key])}"
        for key in keys
    )
    return f"(select *, true as is_truth from truth_{truth}) as truth full join " + (
        f"(select *, true as is_fact from {relation}) as fact on {same}"
    )


@pytest.mark.parametrize("name", IN_SETS)
@pytest.mark.parametrize("truth", FACTS)
def test_every_row_of_the_truth_is_there_and_no_other(built, name, truth):
    item = built(name)
    keys = ", ".join(f"truth.{key}, fact.{key}" for key in FACTS[truth][1])
    strangers = item.connection.execute(
        f"select {keys} from {joined(item, truth)} "
        "where is_truth is null or is_fact is null limit 5"
    ).fetchall()
    assert strangers == []
    relation = FACTS[truth][0]
    counts = item.connection.execute(
        f"select (select count(*) from truth_{truth}), (select count(*) from {relation})"
    ).fetchall()
    assert counts[0][0] == counts[0][1] > 0


@pytest.mark.parametrize("name", IN_SETS)
@pytest.mark.parametrize(
    ("truth", "column"), [(truth, column) for truth in FACTS for column in FACTS[truth][2]]
)
def test_column_equals_truth(built, name, truth, column):
    item = built(name)
    relation, keys, _ = FACTS[truth]
    kind = item.types(relation)[column]
    left, right = comparable("truth", column, kind), comparable("fact", column, kind)
    different = f"{left} is distinct from {right}"
    if kind not in ("VARCHAR", "BOOLEAN", "DATE") and not kind.startswith("TIMESTAMP"):
        different = f"({different}) and coalesce(abs({left} - {right}) > {TOLERANCE}, true)"
    names = ", ".join(f"fact.{key}" for key in keys)
    wrong = item.connection.execute(
        f"select {names}, truth.{column} as truth, fact.{column} as fact "
        f"from {joined(item, truth)} where is_truth and is_fact and {different} limit 5"
    ).fetchall()
    assert wrong == []


@pytest.mark.xdist_group("generated_clean")
@pytest.mark.parametrize("truth", FACTS)
def test_every_truth_column_is_compared(built, truth):
    item = built("clean")
    with (item.folder / "truth" / f"{truth}.csv").open(newline="", encoding="utf-8") as handle:
        header = next(csv.reader(handle))
    _, keys, columns = FACTS[truth]
    assert sorted(header) == sorted((*keys, *columns))


@pytest.mark.parametrize("name", IN_SETS)
def test_quarantined_events_have_the_true_reasons(built, name):
    item = built(name)
    difference = item.connection.execute(
        """
        with counted as (
            select source_table, event_id, quarantine_reason, 1 as in_truth
            from truth_quarantined
            union all
            select source_table, event_id, quarantine_reason, -1
            from analytics_audit.audit_quarantined_events
        )
        select source_table, event_id, quarantine_reason, sum(in_truth)
        from counted
        group by all
        having sum(in_truth) != 0
        """
    ).fetchall()
    assert difference == []
    count = item.connection.execute("select count(*) from truth_quarantined").fetchall()[0][0]
    assert (count > 0) == (name != "clean")


@pytest.mark.parametrize("name", IN_SETS)
def test_no_planted_text_leaves_staging(built, name):
    """Canaries sit in every kind of sensitive property; no built table may show one."""
    item = built(name)
    canaries = (item.folder / "truth" / "canaries.txt").read_text(encoding="utf-8").split()
    assert (len(canaries) > 100) == (name != "clean")
    relations = item.connection.execute(
        """
        select table_schema, table_name, list(column_name)
        from information_schema.columns
        where table_schema like 'analytics%' and data_type = 'VARCHAR'
        group by table_schema, table_name
        """
    ).fetchall()
    assert sum(len(columns) for *_, columns in relations) > 100
    showing = []
    for schema, table, columns in relations:
        # all columns at once: a view is computed for each statement
        shown = ", ".join(
            f"count(*) filter (contains({quote_identifier(column)}, 'CANARY-'))"
            for column in columns
        )
        relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
        counts = item.connection.execute(f"select {shown} from {relation}").fetchone()
        showing += [
            f"{schema}.{table}.{column}"
            for column, count in zip(columns, counts, strict=True)
            if count
        ]
    assert showing == []


def test_statements_of_the_readme_have_an_answer(built):
    """Each question of README.md comes with a statement that runs, and most find something here."""
    text = (PROJECT_DIR / "README.md").read_text("utf-8")
    [block] = re.findall(r"(?ms)^```sql\n(.*?)^```$", text)
    setting, *statements = [part.strip() for part in block.split(";\n") if part.strip()]
    connection = built("clean").connection.cursor()
    connection.execute(setting)
    answers = [connection.execute(statement).fetchall() for statement in statements]
    assert len(answers) == 20
    assert sum(1 for rows in answers if rows) >= 18


@pytest.mark.xdist_group("generated_clean")
def test_the_report_says_what_the_marts_say(built):
    """Over the whole window the numbers of scripts/report.py, made from facts, are the marts'."""
    connection = built("clean").connection
    window = "analytics_intermediate.int_analysis_window"
    since, until = connection.execute(
        f"select window_start_date, window_end_date from {window}"
    ).fetchone()
    selection = numbers.Selection(since, until)
    said = {line.label: line.value for line in numbers.headlines(connection, selection)}
    [health] = connection.execute(
        "select sum(run_count), sum(successful_run_count) / sum(n_used), "
        "sum(failed_run_count) / sum(n_used), sum(cost_usd), "
        "sum(ended_cost_usd) / sum(costed_run_count), "
        "sum(ended_cost_usd) / sum(costed_successful_run_count) "
        f"from analytics_marts.mart_workflow_health, {window} "
        "where level = 'system' and run_date between window_start_date and window_end_date"
    ).fetchall()
    labels = (
        "Runs", "Success rate", "Failure rate", "Cost", "Cost per run", "Cost per successful run",
    )  # fmt: skip
    assert [float(said[label]) for label in labels] == pytest.approx([float(x) for x in health])
    names = "workflow_name, agent_name, step_type, tool_name, failure_mode, failed_run_count"
    found = numbers.rows(connection, selection, numbers.BREAKPOINTS)
    assert [tuple(row[name] for name in names.split(", ")) for row in found] == connection.execute(
        f"select {names} from analytics_marts.mart_breakpoints order by impact_rank limit 5"
    ).fetchall()
    assert len(found) == 5


@pytest.mark.xdist_group("generated_clean")
def test_metrics_of_superset_are_those_of_the_semantic_layer(built):
    """Every metric is there, and its SQL finds what the marts say."""
    connection = built("clean").connection
    files = superset_bundle.bundle(superset_bundle.described_tables(connection), "duckdb:///x")
    found = {}
    for file in files.values():
        for metric in file.get("metrics", []):
            statement = f"select {metric['expression']} from analytics_marts.{file['table_name']}"
            [(found[metric["metric_name"]],)] = connection.execute(statement).fetchall()
    assert set(found) == set(EXPECTED)
    for name, value in found.items():
        [(expected,)] = connection.execute(f"select {EXPECTED[name]}").fetchall()
        assert float(value) == pytest.approx(float(expected), rel=1e-9), name


@pytest.mark.xdist_group("generated_dirty")
@pytest.mark.parametrize("table", RECOMPUTED)
def test_rollup_is_what_the_facts_say(built, table):
    """Computed from the facts by another way than the model's, with every kind of dirt."""
    connection = built("dirty").connection
    assert connection.execute(difference(table)).fetchall() == []
    assert connection.execute(f"select count(*) from analytics_marts.{table}").fetchone() != (0,)
