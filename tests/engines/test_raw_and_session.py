"""Names, numbers of columns and time zones as no sample has them, and the salt, on the engine."""

import pytest

from scripts.ci.engines.raw_tables import copy_raw_tables
from scripts.warehouse import TARGET_SCHEMA
from tests.engines.test_engine import WITHOUT_TESTS, clear
from tests.python.test_raw_names import HOSTILE, SALT, hash_of, with_arguments
from tests.python.warehouses import Warehouse, story

pytestmark = pytest.mark.timeout(3600)

# All schemas that a test makes begin like the raw schema, so that they go with it.
SCHEMAS = [f"rudderstack_{name}" for name in HOSTILE[:6]]
SECRET = "easy-to-find-salt"
# Postgres has 1,600 columns in a table, and as many bytes in a name as 63.
ARGUMENT_COUNTS = {"postgres": 1500, "clickhouse": 5000}


@pytest.fixture
def odd(engine):
    """Return the engine, empty; the builder of a server lives in New York for this test."""
    if engine.name not in ARGUMENT_COUNTS:
        pytest.skip(f"{engine.name} has no such names, and its catalog no room for such views")
    clear(engine)
    role = engine.environment().get("AGENT_ANALYTICS_POSTGRES_USER")
    if role:
        engine.execute(f"alter role {role} set timezone to 'America/New_York'")
    yield engine
    if role:
        engine.execute(f"alter role {role} reset timezone")
    clear(engine)


def test_odd_names_many_columns_another_zone_and_a_salt(odd, on_engine, tmp_path, report):
    is_postgres = odd.name == "postgres"
    salt = SECRET if is_postgres else SALT
    warehouse = Warehouse(tmp_path)
    count = ARGUMENT_COUNTS[odd.name]
    arguments = {f"a_{number:04}": f"{number}" for number in range(count)}
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
        copy_raw_tables(warehouse.path, schema, odd, report)
    run = on_engine.dbt(
        *("build", "--select", "+int_events"),
        *WITHOUT_TESTS,
        variables={"rudderstack_schemas": SCHEMAS},
        environment={"AGENT_ANALYTICS_HASH_SALT": salt},
    )
    assert run.succeeded, run.tail()
    report(f"{odd.name}: built with {count} arguments in {run.seconds:.0f} s")
    events = f"{TARGET_SCHEMA}_intermediate.int_events"
    found = odd.query(f"select tool_input_hash from {events} where tool_name = 'search'")
    expected = [hash_of(arguments, salt)] + [hash_of({"query": "order 7"}, salt)] * 5
    assert sorted(text_hash for (text_hash,) in found) == sorted(expected)
    times = odd.query(f"select event_at from {events} where source_table like '%prompt%'")
    assert {str(event_at)[:19] for (event_at,) in times} == {"2026-03-01 12:00:00"}
    assert odd.query(f"select salt from {TARGET_SCHEMA}_secrets.hash_salt") == [(salt,)]
    if is_postgres:
        assert_salt_is_nowhere(odd, run)


def assert_salt_is_nowhere(postgres, run):
    """Fail when a view or a file of dbt spells the salt."""
    views = postgres.query(
        f"select definition from pg_views where schemaname like '{TARGET_SCHEMA}%'"
    )
    assert any("hash_salt" in definition for (definition,) in views)
    assert [definition for (definition,) in views if SECRET in definition] == []
    folder = run.log.parent
    files = [run.log, *(folder / "target").rglob("*"), *(folder / "logs").rglob("*")]
    files = [file for file in files if file.is_file()]
    assert any(file.name == "dbt.log" for file in files)
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []


def test_salt_that_dbt_would_log_is_refused(engine, on_engine):
    """Where values cannot be bound, the salt is inserted by hand, and then it is taken."""
    if engine.name != "clickhouse":
        pytest.skip(f"{engine.name} binds values")
    clear(engine)
    secret = {"AGENT_ANALYTICS_HASH_SALT": SECRET}
    command = ("run", "--full-refresh", "--select", "stg_rudderstack__discards")
    run = on_engine.dbt(*command, environment=secret)
    assert not run.succeeded
    assert "in a client of the warehouse" in run.output and SECRET not in run.output
    table = f"{TARGET_SCHEMA}_secrets.hash_salt"
    engine.execute(f"insert into {table} values ('{SECRET}', 'by hand')")
    run = on_engine.dbt(*command, environment=secret)
    assert run.succeeded, run.tail()
    logs = [run.log, *(run.log.parent / "logs").rglob("dbt.log*")]
    assert [log for log in logs if SECRET.encode() in log.read_bytes()] == []
    clear(engine)
