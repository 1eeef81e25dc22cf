"""Seconds of a finished `dbt run`: in its nodes, and in the statements of the engine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scripts.benchmark.measure import Measurement
from scripts.warehouse import fail

# dbt writes what statement_seconds() reads: every statement that ended, in one file.
STATEMENT_LOG = {
    "DBT_LOG_LEVEL_FILE": "debug",
    "DBT_LOG_FORMAT_FILE": "json",
    "DBT_LOG_FILE_MAX_BYTES": "0",
}
STATEMENT_ENDED = "SQLQueryStatus"


@dataclass(frozen=True)
class Timing:
    """One repetition: the whole process, and seconds within it.

    `engine_seconds`: of dbt, from the start of the first node to the end of the last one, so also
    what dbt itself does between statements; of the reference script, from its first statement to
    the closed file. `statement_seconds`: in which the engine worked on a statement, commits
    included; opening and closing the file is outside. None for the reference script, which does
    nothing else.
    """

    process: Measurement
    engine_seconds: float
    statement_seconds: float | None = None


def engine_seconds(run_results: Path) -> float:
    """Return the seconds from the start of dbt's first node to the end of its last one."""
    nodes = json.loads(run_results.read_text("utf-8"))["results"]
    times = [
        (
            datetime.fromisoformat(timing["started_at"]),
            datetime.fromisoformat(timing["completed_at"]),
        )
        for node in nodes
        for timing in node["timing"]
        if timing["started_at"] and timing["completed_at"]
    ]
    return (max(end for _, end in times) - min(start for start, _ in times)).total_seconds()


def statement_seconds(log: Path) -> float:
    """Return the seconds in which at least one statement ran, from dbt's debug log in JSON.

    dbt says of each statement when it ended and how long it took; two threads overlap, and what
    overlaps counts once. Exits with one line when the log tells of no statement.
    """
    intervals = []
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            # Most of the log is the text of statements; only the lines looked for are parsed.
            if STATEMENT_ENDED not in line:
                continue
            event = json.loads(line)
            if event["info"]["name"] == STATEMENT_ENDED:
                end = datetime.fromisoformat(event["info"]["ts"]).timestamp()
                intervals.append((end - event["data"]["elapsed"], end))
    if not intervals:
        fail(f"{log} tells of no statement: dbt's log has another form than expected", 1)
    return covered_seconds(intervals)


def covered_seconds(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of intervals of (start, end)."""
    total = 0.0
    covered_until = float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, covered_until))
        covered_until = max(covered_until, end)
    return total
