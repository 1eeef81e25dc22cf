"""Real agent traces that arrive hour by hour, or table by table, give what one build of all gives.

The traces lie beside the project, in ../shared/realdata; without them these tests are skipped.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from scripts import load_events
from scripts.warehouse import RAW_SCHEMA, quote_literal
from tests.python.loads import Arrivals, contents, differences, load
from tests.python.warehouses import EVENT_TABLES, FACTS, Warehouse, errors_of

PROJECT = Path(__file__).resolve().parents[2]
REAL_DATA = PROJECT.parent / "shared" / "realdata"

# The events lie in 114 hours, which take half an hour of builds; hours are put together so that
# there are no more loads than this. 0: every hour is a load.
LOADS = int(os.environ.get("AGENT_ANALYTICS_REAL_LOADS", "6"))
FIRST_LOAD = datetime(2026, 3, 1, tzinfo=UTC)
# Steps come before anything they belong to, prompts after everything that answers them.
STEPS_FIRST = (
    "ai_agent_step_completed",
    "ai_agent_session_completed",
    "ai_agent_session_started",
    "ai_agent_response_received",
    "ai_interaction_completed",
    "ai_user_action",
    "ai_user_prompt_created",
)

pytestmark = [
    pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no real traces at {REAL_DATA}"),
    pytest.mark.slow,
    pytest.mark.timeout(0),
    pytest.mark.xdist_group("incremental_real"),
]


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory):
    """Load all real traces into a file of their own."""
    source = tmp_path_factory.mktemp("real_arrivals") / "source.duckdb"
    files = sorted(str(path) for path in REAL_DATA.glob("*.ndjson.gz"))
    assert load_events.main([*files, "--warehouse", str(source)]) == 0
    found = Arrivals(str(source), (RAW_SCHEMA,))
    assert {table for _, table in found.tables()} == set(EVENT_TABLES)
    return found


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """Return a warehouse that is built again and again."""
    return Warehouse(tmp_path_factory.mktemp("incremental_real"), keeps_artifacts=True)


def hours_of(arrivals):
    """Return every hour in which an event was received, in order."""
    tables = " union all ".join(f"select received_at from {s}.{t}" for s, t in arrivals.tables())
    with duckdb.connect(arrivals.source, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(
            f"select distinct date_trunc('hour', received_at) from ({tables}) order by all"
        ).fetchall()
    hours = [hour for (hour,) in rows]
    assert None not in hours
    return hours


def grouped(hours, count):
    """Put consecutive hours together into `count` loads; with 0 each is one."""
    count = min(count, len(hours)) or len(hours)
    bounds = [len(hours) * part // count for part in range(count + 1)]
    return [hours[start:end] for start, end in pairwise(bounds)]


def build(warehouse, *arguments):
    """Build all models."""
    result = warehouse.dbt("run", *arguments)
    assert result.success, errors_of(result)


def assert_equals_one_build(warehouse, arrivals, load_count):
    """Compare what the loads left with what one build makes of the same raw tables."""
    assert warehouse.query(
        "select count(distinct build_number), count(distinct build_number) "
        "filter (where is_full_build) from analytics_audit.audit_build_log"
    ) == [(load_count, 1)]
    with duckdb.connect(arrivals.source, read_only=True) as connection:
        for schema, table in arrivals.tables():
            count = f"select count(*) from {schema}.{table}"
            assert warehouse.query(count) == connection.execute(count).fetchall(), table
    incremental = contents(warehouse.path)
    assert all(incremental[f"analytics_marts.{fact}"][1] for fact in FACTS)
    build(warehouse, "--full-refresh")
    assert differences(incremental, contents(warehouse.path)) == []


def test_hour_by_hour_equals_one_build(arrivals, warehouse):
    """Events are loaded in the hours they were received in, each load followed by a build."""
    warehouse.fresh()
    loads = grouped(hours_of(arrivals), LOADS)
    for hours in loads:
        first, end = hours[0], hours[-1] + timedelta(hours=1)
        received = (
            f"received_at >= cast({quote_literal(str(first))} as timestamptz) "
            f"and received_at < cast({quote_literal(str(end))} as timestamptz)"
        )
        load(warehouse, arrivals, lambda *_, received=received: received, end)
        build(warehouse)
    assert_equals_one_build(warehouse, arrivals, len(loads))


@pytest.mark.parametrize("order", [STEPS_FIRST, STEPS_FIRST[::-1]], ids=["steps", "prompts"])
def test_table_by_table_equals_one_build(order, arrivals, warehouse):
    """Each raw table arrives in a load of its own; the order names the one that comes first."""
    assert set(order) == set(EVENT_TABLES)
    warehouse.fresh()
    for number, arriving in enumerate(order):
        load(
            warehouse,
            arrivals,
            lambda _, table, arriving=arriving: "true" if table == arriving else None,
            FIRST_LOAD + timedelta(hours=number),
        )
        build(warehouse)
    assert_equals_one_build(warehouse, arrivals, len(order))
