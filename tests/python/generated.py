"""Warehouses built from generated events, with the truth beside them; several tests share one."""

from __future__ import annotations

from pathlib import Path

import duckdb

from scripts import generate_events, load_events
from scripts.warehouse import quote_literal
from tests.python.warehouses import WITHOUT_UNIT_TESTS, Warehouse, errors_of, lake_in_use

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
