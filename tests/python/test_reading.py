"""An incremental build skips the raw files in which nothing is new.

Whether it does is seen in the profile of its statements: a scan that skips a file gives none of its
rows. What is read makes no difference to what comes out, so no other test would notice.
"""

import json
from pathlib import Path

import duckdb
import pytest

from scripts import generate_events
from scripts.warehouse import quote_literal
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("reading")

READS_FEW_EVENTS = ("int_events", "int_response_texts_classified")


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    """Build on two files per table, then on a third; return it and the steps of the last two."""
    folder = tmp_path_factory.mktemp("reading")
    events, lake = folder / "events", folder / "lake"
    arguments = ["--out", str(events), "--runs", "200", "--days", "40", "--seed", "3"]
    assert generate_events.main([*arguments, "--format", "parquet"]) == 0
    warehouse = Warehouse(folder)
    warehouse.fresh()
    # what reads raw files, and what that reads
    command = ("run", "--select", *(f"+{model}" for model in READS_FEW_EVENTS))
    ages = ("age > 12", "age between 1 and 12", "age < 1")
    old, middle, new = (write_part(events, lake, number, age) for number, age in enumerate(ages))
    new_files = list(lake.glob("*/2.parquet"))
    for file in new_files:
        file.rename(file.with_suffix(".later"))
    variables = {"rudderstack_parquet_dir": str(lake)}
    assert warehouse.dbt(*command, variables=variables).success
    for file in new_files:
        file.with_suffix(".later").rename(file)
    assert warehouse.dbt(*command, variables=variables).success
    assert old > middle + new > 0
    return warehouse, middle + new


def write_part(events, lake, number, condition):
    """Write the events of one age in days to one file per table; return the number of steps."""
    steps = 0
    with duckdb.connect() as connection:
        newest = f"(select max(epoch_us(uuid_ts)) from {quote_literal(str(events / '*.parquet'))})"
        for file in sorted(events.glob("*.parquet")):
            part = lake / file.stem / f"{number}.parquet"
            part.parent.mkdir(parents=True, exist_ok=True)
            (rows,) = connection.execute(
                f"copy (select * exclude (age) from (select *, "
                f"({newest} - epoch_us(uuid_ts)) / 86400e6 as age from {quote_literal(str(file))}) "
                f"where {condition}) to {quote_literal(str(part))} (format parquet)"
            ).fetchone()
            steps += rows if file.stem == "ai_agent_step_completed" else 0
    return steps


@pytest.mark.parametrize("model", READS_FEW_EVENTS)
def test_files_without_new_events_are_skipped(model, continued):
    """The scans of steps give rows of the newer files only."""
    warehouse, newer_steps = continued
    [statement] = [
        path.read_text("utf-8")
        for path in Path(warehouse.folder, "target", "compiled").rglob(f"{model}.sql")
    ]
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        profile = connection.execute(f"explain (analyze, format json) {statement}").fetchone()[1]
    scans = list(scans_of("ai_agent_step_completed", json.loads(profile)))
    assert scans
    assert max(scans) <= newer_steps


def scans_of(table, operator):
    """Yield how many rows each scan of a table's files gave."""
    if operator.get("operator_name", "").strip() == "READ_PARQUET":
        details = json.dumps(operator.get("extra_info", {}))
        if table in details or "step_type" in details or "agent_session_id" in details:
            yield operator["operator_cardinality"]
    for child in operator.get("children", []):
        yield from scans_of(table, child)
