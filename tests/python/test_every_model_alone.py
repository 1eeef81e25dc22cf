"""Each model built alone with `dbt run --select`: nothing is doubled, nothing is lost.

One after the other in the same warehouse, down the graph and up it: what one leaves behind is what
the next one meets. The build of everything that follows equals a full refresh.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from scripts import generate_events, load_events
from scripts.warehouse import RAW_SCHEMA
from tests.python.loads import Arrivals, contents, differences, load
from tests.python.warehouses import FACTS, Warehouse, assert_refused, errors_of

FIRST_LOAD = datetime(2026, 3, 1, tzinfo=UTC)
PARTS = 3
# Parts that are built, each by a build of its own, and parts that have arrived since.
STATES = {"full": (1, 0), "incremental": (2, 1)}
KEYS = dict(zip(FACTS, ("run_key", "agent_session_key", "step_key", "action_key"), strict=True))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(0),
    pytest.mark.xdist_group("every_model_alone"),
    # of a library inside dbt
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),
]


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory):
    """Generate events with every kind of dirt."""
    folder = tmp_path_factory.mktemp("alone_arrivals")
    arguments = ["--out", str(folder), "--runs", "40", "--days", "30", "--seed", "9"]
    assert generate_events.main([*arguments, "--dirt-all"]) == 0
    source = folder / "source.duckdb"
    files = sorted(str(path) for path in folder.glob("*.ndjson"))
    assert load_events.main([*files, "--warehouse", str(source), "--mode", "append"]) == 0
    return Arrivals(str(source), (RAW_SCHEMA,))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """Return a warehouse that is built again and again."""
    return Warehouse(tmp_path_factory.mktemp("every_model_alone"), keeps_artifacts=True)


def run(warehouse, *arguments):
    """Build models."""
    result = warehouse.dbt("run", *arguments)
    assert result.success, errors_of(result)


def is_of_part(part, _schema, table):
    """Return SQL that says which rows of a raw table arrive with a part."""
    identity = "row_id" if table == "rudder_discards" else "id"
    return f"hash(coalesce(cast({identity} as varchar), '')) % {PARTS} = {part}"


@pytest.fixture(scope="module", params=STATES)
def state(request, warehouse, arrivals):
    """Return the file of a warehouse in one of the states, and what a full refresh makes of it."""
    built, arrived = STATES[request.param]
    warehouse.fresh()
    for part in range(built + arrived):
        load(warehouse, arrivals, partial(is_of_part, part), FIRST_LOAD + timedelta(hours=part))
        if part < built:
            run(warehouse)
    file = warehouse.path.with_name(f"{request.param}.duckdb")
    shutil.copyfile(warehouse.path, file)
    run(warehouse, "--full-refresh")
    return file, contents(warehouse.path)


@pytest.fixture(scope="module")
def models(warehouse):
    """Return every model that is built, parents before their children."""
    warehouse.fresh()
    result = warehouse.dbt("run")
    assert result.success, errors_of(result)
    names = [node.node.name for node in result.result if node.node.resource_type == "model"]
    listed = warehouse.dbt("ls", "--resource-type", "model", "--output", "name").result
    ephemeral = warehouse.dbt(
        "ls", "--select", "config.materialized:ephemeral", "--output", "name"
    ).result
    assert set(names) == set(listed) - set(ephemeral)
    return names


def doubled(warehouse):
    """Return the facts of which a key is there twice."""
    return [
        fact
        for fact, key in KEYS.items()
        if warehouse.query(f"select count(*) > count(distinct {key}) from analytics_marts.{fact}")
        == [(True,)]
    ]


@pytest.mark.parametrize("direction", [1, -1], ids=["down", "up"])
def test_every_model_alone_then_all(direction, models, state, warehouse):
    """Whatever was selected before, a build of everything gives what a full refresh gives."""
    file, expected = state
    restore(warehouse, file)
    before = warehouse.path.with_name("before.duckdb")
    faults = []
    for model in models[::direction]:
        shutil.copyfile(warehouse.path, before)
        result = warehouse.dbt("run", "--select", model)
        found = [f"{model} doubles {fact}" for fact in doubled(warehouse)]
        if not result.success:
            try:
                assert_refused(result)
            except AssertionError as error:
                found.append(str(error))
        # so that the models after it are looked at as well
        if found:
            faults += found
            restore(warehouse, before)
    run(warehouse)
    assert all(expected[f"analytics_marts.{fact}"][1] for fact in FACTS)
    faults += differences(contents(warehouse.path), expected)
    assert not faults, "\n".join(faults)


def restore(warehouse, file):
    """Go on from a copy of the warehouse."""
    shutil.copyfile(file, warehouse.path)
    Path(f"{warehouse.path}.wal").unlink(missing_ok=True)
