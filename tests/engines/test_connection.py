"""What goes wrong between dbt and an engine is named in one line and changes no mart."""

from pathlib import Path

import duckdb
import pytest

from scripts import generate_events
from scripts.ci.engines.base import engines
from scripts.ci.engines.raw_tables import copy_raw_tables
from scripts.warehouse import MARTS_SCHEMA, PROJECT_DIR, RAW_SCHEMA, quote_literal
from tests.engines.test_engine import WITHOUT_TESTS, clear, load

pytestmark = pytest.mark.timeout(3600)

# Mistakes that CI makes: dbt cannot connect at all, and a build stops half-way.
OFTEN = ("wrong_password", "may_not_read_raw_tables")


def pytest_generate_tests(metafunc):
    if "kind" in metafunc.fixturenames:
        name = metafunc.config.getoption("engine")
        kinds = engines()[name]().mistakes if name else []
        metafunc.parametrize(
            "kind",
            [pytest.param(kind, marks=[] if kind in OFTEN else pytest.mark.slow) for kind in kinds],
        )


@pytest.fixture(scope="module")
def built(engine, on_engine, tmp_path_factory):
    """A small warehouse on the engine, built without a mistake."""
    if not engine.has_server:
        pytest.skip(f"{engine.name} runs in dbt's own process: there is no connection to fail")
    folder = tmp_path_factory.mktemp("connection")
    warehouse = folder / "raw.duckdb"
    events = folder / "events"
    assert generate_events.main(["--out", str(events), "--runs", "20", "--seed", "32"]) == 0
    load([events / "events.ndjson"], warehouse, RAW_SCHEMA)
    clear(engine)
    copy_raw_tables(warehouse, RAW_SCHEMA, engine)
    run = on_engine.dbt("build", *WITHOUT_TESTS)
    assert run.succeeded, run.tail()
    return engine


def contents(engine, folder):
    """Return the number of rows and a fingerprint of every mart."""
    found = {}
    folder.mkdir()
    for table in engine.list_tables(MARTS_SCHEMA):
        parquet = folder / f"{table}.parquet"
        engine.export_table(MARTS_SCHEMA, table, parquet)
        files = f"{parquet}/**/*.parquet" if parquet.is_dir() else str(parquet)
        with duckdb.connect() as connection:
            found[table] = connection.execute(
                "select count(*), bit_xor(hash(rows)) "
                f"from read_parquet({quote_literal(files)}, hive_partitioning = false) as rows"
            ).fetchone()
    return found


def check_connection(on_engine, engine, **options):
    """Run scripts/check_connection.py with the Python that has the adapter of the engine."""
    python = Path(engine.dbt_command()[0]).with_name("python")
    script = PROJECT_DIR / "scripts" / "check_connection.py"
    return on_engine.run([str(python), str(script), "--target", engine.target], **options)


def error_lines(run):
    return [line for line in run.output.splitlines() if line.startswith("error: ")]


def test_check_finds_nothing_wrong(built, on_engine):
    run = check_connection(on_engine, built)
    assert run.succeeded, run.tail()
    assert "ready for `dbt build`" in run.output
    assert built.list_tables("analytics_staging"), "the check dropped what was built"
    assert "connection_probe" not in built.list_tables("analytics_staging")


def test_mistake_is_named_and_changes_nothing(built, on_engine, tmp_path, kind):
    before = contents(built, tmp_path / "before")
    assert before["fct_agent_runs"][0] > 0
    words = built.mistakes[kind]
    with built.mistake(kind) as variables:
        check = check_connection(on_engine, built, environment=variables)
        build = on_engine.dbt("build", *WITHOUT_TESTS, environment=variables)
    assert not check.succeeded
    assert len(error_lines(check)) == 1, check.output
    assert words in error_lines(check)[0]
    assert "; " in error_lines(check)[0], "the line says what is wrong, but not what to do"
    assert "Traceback" not in check.output
    assert not build.succeeded
    assert words in build.output, build.tail()
    assert contents(built, tmp_path / "after") == before


def test_missing_raw_schema_is_named(built, on_engine):
    built.drop_schemas(RAW_SCHEMA)
    run = check_connection(on_engine, built)
    assert not run.succeeded
    assert len(error_lines(run)) == 1, run.output
    assert f"schema {RAW_SCHEMA} holds no raw table" in error_lines(run)[0]
