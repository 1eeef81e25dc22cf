"""Names, numbers of columns and time zones as no sample has them, and the salt, on the engine."""

import pytest

from scripts.ci.engines.raw_tables import copy_raw_tables
from scripts.warehouse import TARGET_SCHEMA
from tests.engines.test_engine import WITHOUT_TESTS, clear
from tests.python.test_raw_names import HOSTILE, hash_of, with_arguments
from tests.python.warehouses import Warehouse, story

pytestmark = pytest.mark.timeout(3600)

# All schemas that a test makes begin like the raw schema, so that they go with it.
SCHEMAS = [f"rudderstack_{name}" for name in HOSTILE[:6]]
SECRET = "easy-to-find-salt"
# Postgres has 1,600 columns in a table, and as many bytes in a name as 63.
ARGUMENT_COUNT = 1500


@pytest.fixture
def postgres(engine):
    """Return the engine when it is Postgres, whose builder lives in New York for this test."""
    if engine.name != "postgres":
        pytest.skip(f"{engine.name} has no views whose definitions can be read, or no such names")
    clear(engine)
    role = engine.environment()["AGENT_ANALYTICS_POSTGRES_USER"]
    engine.execute(f"alter role {role} set timezone to 'America/New_York'")
    yield engine
    engine.execute(f"alter role {role} reset timezone")
    clear(engine)


def test_odd_names_many_columns_another_zone_and_a_salt(postgres, on_engine, tmp_path, report):
    warehouse = Warehouse(tmp_path)
    arguments = {f"a_{number:04}": f"{number}" for number in range(ARGUMENT_COUNT)}
    arguments |= {name[:40]: f"odd {number}" for number, name in enumerate(HOSTILE)}
    for number, schema in enumerate(SCHEMAS):
        tables = story(f"{number}-", conversation=f"c{number}")
        if number == 0:
            with_arguments(tables, arguments)
        for table, rows in tables.items():
            # text without an offset is UTC
            for row in rows:
                row["timestamp"] = row["timestamp"].strftime("%Y-%m-%d %H:%M:%S")
                row.pop("original_timestamp")
            warehouse.create(table, rows, schema=schema)
        copy_raw_tables(warehouse.path, schema, postgres, report)
    run = on_engine.dbt(
        "build",
        *WITHOUT_TESTS,
        variables={"rudderstack_schemas": SCHEMAS},
        environment={"AGENT_ANALYTICS_HASH_SALT": SECRET},
    )
    assert run.succeeded, run.tail()
    facts = f"{TARGET_SCHEMA}_marts"
    found = postgres.query(
        f"select tool_input_hash from {facts}.fct_agent_steps where tool_name = 'search'"
    )
    expected = [hash_of(arguments, SECRET)] + [hash_of({"query": "order 7"}, SECRET)] * 5
    assert sorted(text_hash for (text_hash,) in found) == sorted(expected)
    times = postgres.query(f"select distinct cast(started_at as text) from {facts}.fct_agent_runs")
    assert times == [("2026-03-01 12:00:00",)]
    # the salt is in its table and in no definition
    (stored,) = postgres.query(f"select salt from {TARGET_SCHEMA}_secrets.hash_salt")
    assert stored == (SECRET,)
    views = postgres.query(
        f"select definition from pg_views where schemaname like '{TARGET_SCHEMA}%'"
    )
    assert any("hash_salt" in definition for (definition,) in views)
    assert [definition for (definition,) in views if SECRET in definition] == []
    assert SECRET not in run.output
    folder = run.log.parent
    files = [file for name in ("target", "logs") for file in (folder / name).rglob("*.*")]
    assert any(file.name == "dbt.log" for file in files)
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []
