"""Runs read from OpenTelemetry and Langfuse files equal truth tables made from the same files.

The traces and their truth lie beside the project, in ../shared/traces; tests that need them are
skipped without them.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.importer import langfuse, otel
from scripts.importer.model import Counts, Run, Session

PROJECT = Path(__file__).resolve().parents[2]
TRACES = PROJECT.parent / "shared" / "traces"
TRUTH = TRACES / "truth"
TOKENS = ("input", "output", "cache_read", "cache_write")

needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason=f"no traces at {TRACES}")


def runs_of(reader, files, change=list) -> tuple[dict[str, Run], Counts]:
    """Read files and return their runs by trace; `change` may reorder or repeat the records."""
    counts = Counts()
    records = []
    for path in files:
        with path.open("rb") as lines:
            records += reader.read(path, lines, counts)
    groups = defaultdict(list)
    for record in change(records):
        groups[record.keys].append(record.fields)
    runs = [run for key in sorted(groups) for run in reader.assemble(groups[key], counts)]
    return {run.interaction_id: run for run in runs}, counts


def truth(name: str) -> list[dict[str, str]]:
    with (TRUTH / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def total(values) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def row_of_sessions(sessions: list[Session]) -> dict[str, object]:
    steps = [step for session in sessions for step in session.steps]
    row: dict[str, object] = {}
    for kind, column in (("llm_call", "llm_calls"), ("tool_call", "tool_calls")):
        statuses = [step.status for step in steps if step.step_type == kind]
        row[column] = len(statuses)
        row[f"failed_{column}"] = statuses.count("error")
    reports = [*steps, *sessions]
    for name in TOKENS:
        row[f"{name}_tokens"] = total(getattr(report.tokens, name) for report in reports)
    # A sum of zeros stands for nothing as often as for none.
    row["reasoning_tokens"] = total(report.tokens.reasoning for report in reports) or None
    cost = total(report.cost_usd for report in reports)
    row["reported_cost"] = None if cost is None else round(cost, 9)
    return row


def row_of_run(run: Run) -> dict[str, object]:
    at = datetime.fromtimestamp(run.started_at / 1000, UTC)
    return {
        "conversation_id": run.conversation_id,
        "user_id": run.user_id,
        "workflow_name": run.workflow_name,
        "agent_sessions": len(run.sessions),
        **row_of_sessions(run.sessions),
        "started_at": f"{at:%Y-%m-%dT%H:%M:%S}.{run.started_at % 1000:03d}Z",
        "duration_ms": run.duration_ms,
        "status": run.status,
    }


def expected(row: dict[str, str]) -> dict[str, object]:
    """Return a row of a truth table with the types of the rows made here."""
    typed: dict[str, object] = {}
    for column, value in row.items():
        if value == "":
            typed[column] = None
        elif column == "reported_cost":
            typed[column] = round(float(value), 9)
        elif column == "duration_ms" or column.endswith(("_calls", "_sessions", "_tokens")):
            typed[column] = int(float(value))
        else:
            typed[column] = value
    if "conversation_id" in typed:
        typed["conversation_id"] = typed["conversation_id"] or typed["run_id"]
    if "reasoning_tokens" in typed:
        typed["reasoning_tokens"] = typed["reasoning_tokens"] or None
    return typed


def equal_in_common(row: dict[str, object], of_truth: dict[str, object]) -> bool:
    columns = row.keys() & of_truth.keys()
    assert {column: row[column] for column in columns} == {
        column: of_truth[column] for column in columns
    }
    return True


def check_tools(runs: dict[str, Run], name: str) -> None:
    calls: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for run in runs.values():
        for session in run.sessions:
            for step in session.steps:
                if step.step_type == "tool_call":
                    calls[run.interaction_id, step.tool_name] += 1
                    failed[run.interaction_id, step.tool_name] += step.status == "error"
    rows = {(row["run_id"], row["tool"]): row for row in truth(name)}
    rows = {key: row for key, row in rows.items() if key[0] in runs}
    assert {key: (n, failed[key]) for key, n in calls.items()} == {
        key: (int(row["calls"]), int(row["failed"])) for key, row in rows.items()
    }


def otel_files() -> list[Path]:
    return sorted(path for path in (TRACES / "otel").rglob("*") if path.is_file())


@needs_traces
class TestOpenTelemetry:
    def test_runs(self):
        runs, _ = runs_of(otel.READER, otel_files())
        rows = truth("otel/runs.csv")
        assert runs.keys() == {row["run_id"] for row in rows}
        for row in rows:
            assert equal_in_common(row_of_run(runs[row["run_id"]]), expected(row))

    def test_sessions(self):
        runs, _ = runs_of(otel.READER, otel_files())
        sessions = {
            (run.interaction_id, session.agent_session_id): session
            for run in runs.values()
            for session in run.sessions
        }
        rows = truth("otel/agents.csv")
        assert sessions.keys() == {(row["run_id"], row["agent_session_id"]) for row in rows}
        for row in rows:
            session = sessions[row["run_id"], row["agent_session_id"]]
            of_session = {
                "agent_name": session.agent_name,
                "parent_agent_session_id": session.parent_agent_session_id,
                **row_of_sessions([session]),
                "duration_ms": session.duration_ms,
                "status": session.status,
            }
            assert equal_in_common(of_session, expected(row))

    def test_tools(self):
        check_tools(runs_of(otel.READER, otel_files())[0], "otel/tools.csv")


LANGFUSE = TRACES / "langfuse"


def files_below(*parts: str) -> list[Path]:
    return sorted(path for path in LANGFUSE.joinpath(*parts).rglob("*") if path.is_file())


def langfuse_shapes() -> dict[str, list[Path]]:
    return {
        "download": files_below("ui_download"),
        "api": files_below("api"),
        "blob": files_below("blob_export"),
        "blob_csv": files_below("blob_export_csv"),
        "all": files_below(),
    }


@needs_traces
class TestLangfuse:
    @pytest.mark.parametrize("shape", ["download", "api", "blob", "blob_csv", "all"])
    def test_runs(self, shape):
        runs, _ = runs_of(langfuse.READER, langfuse_shapes()[shape])
        rows = {row["run_id"]: row for row in truth("langfuse/runs.csv")}
        if shape == "download":
            names = {path.name for path in langfuse_shapes()[shape]}
            rows = {run_id: row for run_id, row in rows.items() if row["file"] in names}
        assert runs.keys() == rows.keys()
        for run_id, row in rows.items():
            assert equal_in_common(row_of_run(runs[run_id]), expected(row))

    @pytest.mark.parametrize("shape", ["download", "api", "blob", "blob_csv", "all"])
    def test_sessions(self, shape):
        runs, _ = runs_of(langfuse.READER, langfuse_shapes()[shape])
        rows = [row for row in truth("langfuse/agents.csv") if row["run_id"] in runs]
        found = sum(len(run.sessions) for run in runs.values())
        assert found == len(rows)
        for row in rows:
            sessions = {
                session.agent_session_id: session for session in runs[row["run_id"]].sessions
            }
            # Where no agent is known the truth has no id for the one session of the trace.
            session = sessions[row["agent_session_id"] or row["run_id"]]
            of_session = {
                "agent_name": session.agent_name,
                "parent_agent_session_id": session.parent_agent_session_id,
                **row_of_sessions([session]),
            }
            assert equal_in_common(of_session, expected(row))

    @pytest.mark.parametrize("shape", ["download", "api", "blob", "blob_csv", "all"])
    def test_tools(self, shape):
        check_tools(runs_of(langfuse.READER, langfuse_shapes()[shape])[0], "langfuse/tools.csv")
