"""The project builds on an engine, and what it builds equals what DuckDB builds, row for row."""

import re

import duckdb
import pytest

from scripts import generate_events, load_events
from scripts.ci.engines.compare import SCHEMAS, compare_with_duckdb, real_differences
from scripts.ci.engines.project_runs import ProjectRuns
from scripts.ci.engines.raw_tables import (
    copy_raw_tables,
    cut_fractions_of_seconds,
    raw_tables,
)
from scripts.warehouse import AUDIT_SCHEMA, MARTS_SCHEMA, PROJECT_DIR, RAW_SCHEMA, TARGET_SCHEMA
from tests.python.layouts import LAYOUTS, create_layouts
from tests.python.warehouses import FACTS, Warehouse

REAL_DATA = PROJECT_DIR.parent / "shared" / "realdata"
CASES = PROJECT_DIR.parent / "shared" / "cases" / "cases.ndjson"
# A second source of RudderStack; events that arrive twice come through it the second time.
SECOND_SCHEMA = "rudderstack_second"
# Where raw rows wait for their load.
HELD_BACK = f"{RAW_SCHEMA}_held_back"
WITHOUT_TESTS = ("--exclude-resource-type", "test", "unit_test")

pytestmark = pytest.mark.timeout(7200)


def clear(engine):
    """Drop what an earlier test loaded or built."""
    engine.drop_schemas(TARGET_SCHEMA)
    engine.drop_schemas(RAW_SCHEMA)


def load(files, warehouse, schema):
    arguments = [str(file) for file in files]
    arguments += ["--warehouse", str(warehouse), "--schema", schema, "--mode", "append"]
    assert load_events.main(arguments) == 0


def generated(folder, warehouse):
    """Load generated events with all dirt and patterns, and the cases beside the project if there.

    Returns the raw schemas.
    """
    events = folder / "events"
    arguments = ["--out", str(events), "--runs", "1500", "--seed", "31", "--dirt-all"]
    # Plans, outcomes, versions and switches of models; the dated ones need a longer history.
    arguments += ["--pattern-all", "--days", "70"]
    assert generate_events.main(arguments) == 0
    cases = [CASES] if CASES.exists() else []
    load([events / "events.ndjson", *cases], warehouse, RAW_SCHEMA)
    load([events / "events_redelivered.ndjson"], warehouse, SECOND_SCHEMA)
    return [RAW_SCHEMA, SECOND_SCHEMA]


def real(folder, warehouse):
    """Load the real traces that lie beside the project; return the raw schemas."""
    files = sorted(REAL_DATA.glob("*.ndjson.gz"))
    if not files:
        pytest.skip(f"no real traces at {REAL_DATA}")
    load(files, warehouse, RAW_SCHEMA)
    return [RAW_SCHEMA]


def layouts(folder, warehouse):
    """Load one run in every layout raw tables are found in; return the raw schemas."""
    writer = Warehouse(folder)
    writer.path = warehouse
    # Upper case is Snowflake's; the names of the other one no RudderStack writes.
    usual = {name: layout for name, layout in LAYOUTS.items() if name not in ("UPPER", "extra")}
    return create_layouts(writer, usual, prefix=f"{RAW_SCHEMA}_")[1]


def assert_same_answer(warehouse, engine, folder, report):
    """Compare every table of marts and audit on an engine with a DuckDB file, row for row."""
    exports = folder / "exports"
    exports.mkdir()
    differences = compare_with_duckdb(warehouse, engine, exports, report=report)
    for difference in differences:
        report(str(difference))
    assert [str(difference) for difference in real_differences(differences)] == []
    # Two empty sets of tables would be equal as well.
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for fact in FACTS:
            assert connection.execute(f"select count(*) > 0 from {MARTS_SCHEMA}.{fact}").fetchone()[
                0
            ]
    assert {path.name.split(".")[0] for path in exports.iterdir()} == set(SCHEMAS)


def test_build_is_green_on_empty(engine, on_engine):
    """With no raw schema at all every model succeeds on nothing, and says so to the planner."""
    clear(engine)
    run = on_engine.dbt("--warn-error", "build", *engine.build_arguments(), *WITHOUT_TESTS)
    assert run.succeeded, run.tail()
    for fact in FACTS:
        assert engine.query(f"select count(*) from {MARTS_SCHEMA}.{fact}") == [(0,)]
    # Nobody counts empty tables later, as Postgres does with others when it finds time.
    for schema in (f"{TARGET_SCHEMA}_working", MARTS_SCHEMA):
        assert engine.uncounted_tables(schema) == []


@pytest.mark.slow
def test_tests_are_green_on_empty(engine, on_engine):
    """With no raw schema at all every data test and unit test succeeds on nothing."""
    # Four hundred small statements take Spark five minutes on two cores, whatever the data.
    if engine.tests_run_once:
        pytest.skip(f"on {engine.name} they run once, by themselves")
    clear(engine)
    run = on_engine.dbt("--warn-error", "build", *engine.build_arguments())
    assert run.succeeded, run.tail()


@pytest.mark.slow
def test_tests_of_the_project(engine, on_engine, tmp_path, report):
    """Data tests on generated data, and unit tests, where the builds left them out."""
    if not engine.tests_run_once:
        pytest.skip(f"on {engine.name} they ran with the builds")
    warehouse = tmp_path / "raw.duckdb"
    variables = {"rudderstack_schemas": generated(tmp_path, warehouse)}
    clear(engine)
    for schema in variables["rudderstack_schemas"]:
        cut_fractions_of_seconds(warehouse, schema)
        copy_raw_tables(warehouse, schema, engine, report)
    # A unit test reads the types of columns from the tables its model reads.
    run = on_engine.dbt("build", *engine.build_arguments(), *WITHOUT_TESTS, variables=variables)
    assert run.succeeded, run.tail()
    # dbt's adapter cannot run unit tests everywhere.
    run = on_engine.dbt("test", *engine.build_arguments(), variables=variables)
    assert run.succeeded, run.tail()
    assert re.search(r"PASS=[1-9]", run.output), run.tail()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(generated, id="generated"),
        pytest.param(layouts, id="layouts", marks=pytest.mark.slow),
        pytest.param(real, id="real", marks=pytest.mark.slow),
    ],
)
def test_same_answer(engine, on_engine, tmp_path, report, source):
    """From the same raw rows, every table of marts and audit equals that of DuckDB."""
    if source is layouts and engine.view_text_limit:
        limit = f"{engine.view_text_limit:,} characters"
        pytest.skip(f"the views of so many schemas are longer than the {limit} this catalog holds")
    warehouse = tmp_path / "raw.duckdb"
    schemas = source(tmp_path, warehouse)
    variables = {"rudderstack_schemas": schemas}
    clear(engine)
    for schema in schemas:
        if not engine.keeps_fractions_of_seconds:
            cut_fractions_of_seconds(warehouse, schema)
        copy_raw_tables(warehouse, schema, engine, report)

    on_duckdb = ProjectRuns(tmp_path / "duckdb", warehouse=warehouse, report=report)
    run = on_duckdb.dbt("build", *WITHOUT_TESTS, variables=variables)
    assert run.succeeded, run.tail()
    without = WITHOUT_TESTS if engine.tests_run_once else ("--exclude-resource-type", "unit_test")
    run = on_engine.dbt("build", *engine.build_arguments(), *without, variables=variables)
    assert run.succeeded, run.tail()
    report(f"{engine.name}: built and tested in {run.seconds:.0f} s")
    assert_same_answer(warehouse, engine, tmp_path, report)


@pytest.mark.slow
def test_loads_one_after_the_other_give_the_same_answer(engine, on_engine, tmp_path, report):
    """Raw rows that arrive in three loads, built after each, give what DuckDB builds of all."""
    if not engine.builds_incrementally:
        pytest.skip(f"on {engine.name} every build is a full one")
    clear(engine)
    warehouse = tmp_path / "raw.duckdb"
    schemas = generated(tmp_path, warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for schema in schemas:
            for table in raw_tables(connection, schema):
                identity = "row_id" if table == "rudder_discards" else "id"
                connection.execute(
                    f"update {schema}.{table} set uuid_ts = timestamptz '2027-01-01'"
                    f" + to_days(5 * cast(hash({identity}) % 3 as integer))"
                )
    variables = {"rudderstack_schemas": schemas}
    for schema in schemas:
        copy_raw_tables(warehouse, schema, engine, report)
    tables = [(schema, table) for schema in schemas for table in engine.list_tables(schema)]
    engine.execute(f"create schema {HELD_BACK}")
    for schema, table in tables:
        held_back = f"{HELD_BACK}.{schema}_{table}"
        engine.execute(f"create table {held_back} as select * from {schema}.{table}")
        engine.execute(f"delete from {schema}.{table}")
    for load_number in range(3):
        for schema, table in tables:
            engine.execute(
                f"insert into {schema}.{table} select * from {HELD_BACK}.{schema}_{table}"
                f" where cast(uuid_ts as date) = date '2027-01-{1 + 5 * load_number:02}'"
            )
        run = on_engine.dbt("build", *engine.build_arguments(), *WITHOUT_TESTS, variables=variables)
        assert run.succeeded, run.tail()
        report(f"{engine.name}: load {load_number + 1} built in {run.seconds:.0f} s")
    log = f"{AUDIT_SCHEMA}.audit_build_log"
    kinds = engine.query(f"select distinct build_number, is_full_build from {log} order by 1")
    assert kinds == [(1, True), (2, False), (3, False)]

    on_duckdb = ProjectRuns(tmp_path / "duckdb", warehouse=warehouse, report=report)
    run = on_duckdb.dbt("build", *WITHOUT_TESTS, variables=variables)
    assert run.succeeded, run.tail()
    assert_same_answer(warehouse, engine, tmp_path, report)
