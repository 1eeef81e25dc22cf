"""Warehouses built from generated events, with the truth beside them; several tests share one."""

from __future__ import annotations

from pathlib import Path

import duckdb

from scripts import generate_events, load_events
from scripts.warehouse import quote_literal
from tests.python.warehouses import WITHOUT_UNIT_TESTS, Warehouse, errors_of

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
            "user_id", "plan_name",
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
            "has_conflicting_completions", "redundant_step_count", "agent_version",
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

# The same of marts: what was played is counted row by row where they sum days.
MARTS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "mart_agent_versions": (
        "analytics_marts.mart_agent_versions",
        ("agent_name", "agent_version"),
        (
            "session_count", "successful_session_count", "n_used", "cost_usd",
            "costed_session_count", "cost_per_session_usd", "p95_duration_ms", "first_seen_at",
            "last_seen_at",
        ),
    ),
    "mart_model_switches": (
        "analytics_marts.mart_model_switches",
        ("agent_name", "switched_on"),
        (
            "from_model", "to_model",
            *(
                f"{name}_{side}"
                for side in ("before", "after")
                for name in (
                    "session_count", "cost_usd", "finished_session_count",
                    "successful_session_count",
                )
            ),
        ),
    ),
    "mart_parallelization": (
        "analytics_marts.mart_parallelization",
        ("workflow_name", "agent_name", "next_agent_name"),
        (
            "n_all", "n_used", "sequential_run_count", "overlapping_run_count",
            "reversed_run_count", "savable_ms", "verdict",
        ),
    ),
    "mart_repeated_steps": (
        "analytics_marts.mart_repeated_steps",
        ("run_date", "workflow_name", "agent_name", "step_type", "tool_name"),
        (
            "n_all", "repeated_signature_count", "redundant_step_count", "loop_run_count",
            "max_repeats",
        ),
    ),
    "mart_retry_rates": (
        "analytics_marts.mart_retry_rates",
        ("step_date", "agent_name", "step_type", "tool_name", "canonical_model"),
        (
            "attempt_count", "operation_count", "retried_operation_count",
            "recovered_operation_count", "exhausted_operation_count", "fallback_count",
        ),
    ),
    "mart_business_outcomes": (
        "analytics_marts.mart_business_outcomes",
        ("run_date", "workflow_name", "outcome"),
        ("n_all", "run_user_count", "outcome_user_count", "outcome_value_usd"),
    ),
    "mart_user_retention": (
        "analytics_marts.mart_user_retention",
        ("cohort_week", "week_number"),
        ("cohort_user_count", "active_user_count", "run_count"),
    ),
    "mart_unit_economics": (
        "analytics_marts.mart_unit_economics",
        ("month_start_date", "user_id"),
        (
            "run_count", "successful_run_count", "cost_usd", "plan_name", "plan_price_usd",
            "margin_usd",
        ),
    ),
    "dim_users": (
        "analytics_marts.dim_users",
        ("user_id",),
        ("first_run_at", "last_run_at", "run_count", "plan_name"),
    ),
    "run_judgements": (
        "analytics_marts.fct_agent_runs",
        ("conversation_id", "interaction_id"),
        (
            "is_reasked", "friction_count", "slo_ms", "is_slo_breached", "synthesis_ms",
            "orchestrator_cost_usd", "worker_cost_usd", "tool_cost_usd",
            "infrastructure_cost_usd", "full_cost_usd",
        ),
    ),
}  # fmt: skip
RELATIONS = FACTS | MARTS
# Files that no table has row by row.
PLANTED = ("planted_days", "planted_loops")

DIRTY = ("--runs", "1500", "--days", "60", "--pattern-all", "--dirt-all")
# Name -> how the events are written, and whether the data tests run as well.
SETS: dict[str, tuple[list[str], bool]] = {
    "clean": (["--runs", "3000", "--days", "70", "--seed", "21", "--pattern-all"], False),
    "dirty": ([*DIRTY, "--seed", "22"], True),
    "dirty_parquet": ([*DIRTY, "--seed", "23", "--format", "parquet"], False),
}


class Built:
    """A data set with the warehouse built from it."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.folder = folder
        self.connection = connection
        for name in (*RELATIONS, *PLANTED, "quarantined"):
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
        variables = {"rudderstack_parquet_dir": str(events)}
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
