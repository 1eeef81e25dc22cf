"""A build that failed half-way, mended by `dbt retry` or a new run, equals one build of everything.

`dbt retry` goes on where the build broke off: models that were done are not made again, so what
arrived since is for the build after it.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts import generate_events, load_events
from scripts.warehouse import RAW_SCHEMA
from tests.python.loads import Arrivals, contents, differences, load
from tests.python.warehouses import FACTS, UP_TO_FACTS, Warehouse, errors_of, failed_nodes

FIRST_LOAD = datetime(2026, 3, 1, tzinfo=UTC)
PARTS = 3
# A seed and the column that is missing from it, from the first models to the last.
DAMAGES = {
    "model_pricing": "canonical_model",
    "failure_mode_rules": "failure_mode",
    "feedback_scales": "rating",
    "agent_catalog": "latency_slo_ms",
}
RUN = ("run", *UP_TO_FACTS, "+mart_agent_latency")
REPAIRS = {"run": RUN, "retry": ("retry",)}

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("retry")]


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory):
    """Generate events with every kind of dirt."""
    folder = tmp_path_factory.mktemp("retry_arrivals")
    arguments = ["--out", str(folder), "--runs", "40", "--days", "30", "--seed", "7"]
    assert generate_events.main([*arguments, "--dirt-all"]) == 0
    source = folder / "source.duckdb"
    files = sorted(str(path) for path in folder.glob("*.ndjson"))
    assert load_events.main([*files, "--warehouse", str(source), "--mode", "append"]) == 0
    return Arrivals(str(source), (RAW_SCHEMA,))


def arrive(warehouse, arrivals, *parts):
    """Load parts of the events, one after the other."""
    for part in parts:

        def is_of_part(_, table, part=part):
            identity = "row_id" if table == "rudder_discards" else "id"
            return f"hash(coalesce(cast({identity} as varchar), '')) % {PARTS} = {part}"

        load(warehouse, arrivals, is_of_part, FIRST_LOAD + part * timedelta(hours=1))


@pytest.fixture(scope="module")
def built(tmp_path_factory, arrivals):
    """Return a warehouse, its file with the first part built, and what all parts give."""
    warehouse = Warehouse(tmp_path_factory.mktemp("retry"), keeps_artifacts=True)
    warehouse.fresh()
    arrive(warehouse, arrivals, 0)
    succeeds(warehouse, *RUN)
    first_part = warehouse.path.with_name("first_part.duckdb")
    shutil.copyfile(warehouse.path, first_part)
    arrive(warehouse, arrivals, *range(1, PARTS))
    succeeds(warehouse, *RUN, "--full-refresh")
    return warehouse, first_part, contents(warehouse.path)


@pytest.fixture
def warehouse(built):
    """Return the warehouse with the first part built."""
    found, first_part, _ = built
    shutil.copyfile(first_part, found.path)
    Path(f"{found.path}.wal").unlink(missing_ok=True)
    return found


def succeeds(warehouse, *arguments):
    """Run dbt and return the names of the models it ran."""
    result = warehouse.dbt(*arguments)
    assert result.success, errors_of(result)
    return {node.node.name for node in result.result}


def breaks_off(warehouse, seed, *arguments):
    """Run a build that fails where a seed is read, and mend the seed; return what succeeded."""
    table, column = f"analytics_seeds.{seed}", DAMAGES[seed]
    warehouse.query(f"alter table {table} rename column {column} to no_more")
    result = warehouse.dbt(*RUN, *arguments)
    warehouse.query(f"alter table {table} rename column no_more to {column}")
    assert not result.success and failed_nodes(result)
    done = {node.node.name for node in result.result if node.status == "success"}
    assert done and "mart_agent_latency" not in done
    return done


def assert_equals_one_build(warehouse, built):
    """Compare with one build of everything."""
    expected = built[2]
    assert all(expected[f"analytics_marts.{fact}"][1] for fact in FACTS)
    assert differences(contents(warehouse.path), expected) == []


@pytest.mark.parametrize(
    ("seed", "repair"),
    [
        pytest.param("model_pricing", "retry", marks=pytest.mark.slow),
        ("failure_mode_rules", "retry"),
        pytest.param("feedback_scales", "retry", marks=pytest.mark.slow),
        # CI sees a build after a broken one among the commands of test_incremental
        pytest.param("feedback_scales", "run", marks=pytest.mark.slow),
        pytest.param("agent_catalog", "retry", marks=pytest.mark.slow),
    ],
)
def test_failed_build_is_repaired(seed, repair, built, warehouse, arrivals):
    """Wherever an incremental build fails, retry finishes it, and so does another build."""
    arrive(warehouse, arrivals, *range(1, PARTS))
    done = breaks_off(warehouse, seed)
    again = succeeds(warehouse, *REPAIRS[repair])
    assert "mart_agent_latency" in again
    # a retry that rebuilds everything would be a run
    assert (repair == "run") == ("int_events" in again & done)
    assert_equals_one_build(warehouse, built)


@pytest.mark.slow
@pytest.mark.parametrize("repair", ["retry", "run"])
def test_failed_full_refresh_is_repaired(repair, built, warehouse, arrivals):
    """Facts that a full refresh has made and those it has not are brought together."""
    arrive(warehouse, arrivals, *range(1, PARTS))
    breaks_off(warehouse, "agent_catalog", "--full-refresh")
    succeeds(warehouse, *REPAIRS[repair])
    assert_equals_one_build(warehouse, built)


@pytest.mark.parametrize(
    "seed", [pytest.param("model_pricing", marks=pytest.mark.slow), "agent_catalog"]
)
def test_what_arrives_before_a_retry_is_not_lost(seed, built, warehouse, arrivals):
    """Rows that come between failure and retry are built by the retry or by the build after it."""
    arrive(warehouse, arrivals, 1)
    breaks_off(warehouse, seed)
    arrive(warehouse, arrivals, *range(2, PARTS))
    succeeds(warehouse, "retry")
    succeeds(warehouse, *RUN)
    assert_equals_one_build(warehouse, built)
