"""The project used as dbt projects are used: deferred, empty, as a package, and after an upgrade.

Whatever command is given, what it leaves is right, or it was refused with one line that says what
to run instead; and the build after it equals a full refresh.
"""

from __future__ import annotations

import shutil
from hashlib import md5
from pathlib import Path

import pytest
import yaml
from dbt.cli.main import dbtRunner

from scripts.warehouse import quote_literal
from tests.python.loads import contents, differences
from tests.python.warehouses import (
    EVENT_TABLES,
    UP_TO_FACTS,
    Warehouse,
    assert_refused,
    copy_of_project,
    errors_of,
    story,
)

# Runs by load: the first build is whole, the others continue it.
LOADS = (("a", "b", "c"), ("d",), ("e",))
OTHER_TARGET = "other"

pytestmark = [
    pytest.mark.timeout(0),
    pytest.mark.xdist_group("project_uses"),
    # of a library inside dbt
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),
]


def arrive(warehouse, *names):
    """Append one run for every name to the raw tables."""
    for table in EVENT_TABLES:
        rows = [row for name in names for row in story(f"{name}-", f"c-{name}")[table]]
        warehouse.create("arriving", rows)
        warehouse.query(
            f"create table if not exists rudderstack.{table} as from rudderstack.arriving limit 0"
        )
        warehouse.query(f"insert into rudderstack.{table} by name from rudderstack.arriving")
        warehouse.query("drop table rudderstack.arriving")


def run(warehouse, *arguments):
    """Build models."""
    result = warehouse.dbt("run", *arguments)
    assert result.success, errors_of(result)


def build(warehouse, *arguments):
    """Build seeds and models without their tests."""
    result = warehouse.dbt(
        "build", "--resource-type", "seed", "--resource-type", "model", *arguments
    )
    assert result.success, errors_of(result)


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    """Return a warehouse with all loads, its file built, and what all loads give.

    Its project has a second target: another schema of the same file.
    """
    folder = tmp_path_factory.mktemp("project_uses")
    project = copy_of_project(folder / "project")
    profiles = yaml.safe_load((project / "profiles.yml").read_text("utf-8"))
    outputs = profiles["agent_analytics"]["outputs"]
    outputs[OTHER_TARGET] = {**outputs["duckdb"], "schema": OTHER_TARGET}
    (project / "profiles.yml").write_text(yaml.safe_dump(profiles), "utf-8")
    warehouse = Warehouse(folder, project, keeps_artifacts=True)
    warehouse.fresh()
    for names in LOADS:
        arrive(warehouse, *names)
        if names != LOADS[-1]:
            run(warehouse)
    # the last load has arrived and is not built
    built_file = folder / "built.duckdb"
    shutil.copyfile(warehouse.path, built_file)
    run(warehouse, "--full-refresh")
    expected = contents(warehouse.path)
    runs = sum(map(len, LOADS))
    assert len(expected["analytics_marts.fct_agent_runs"][1]) == runs
    return warehouse, built_file, expected


@pytest.fixture
def warehouse(production):
    """Return the warehouse of which all loads but the last are built."""
    found, built_file, _ = production
    shutil.copyfile(built_file, found.path)
    Path(f"{found.path}.wal").unlink(missing_ok=True)
    return found


@pytest.fixture
def expected(production):
    """Return what a full refresh makes of all loads."""
    return production[2]


def tables_of(path, schema):
    """Return the contents of a schema by name of table."""
    return {name.partition(".")[2]: table for name, table in contents(path, [schema]).items()}


def assert_refused_or_equal(warehouse, result, before):
    """Fail unless the command was refused with one line, or the marts are what they were."""
    if not result.success:
        assert_refused(result)
    after = contents(warehouse.path)
    marts = [name for name in before if name.startswith("analytics_marts.")]
    assert differences({n: before[n] for n in marts}, {n: after[n] for n in marts}) == []


@pytest.mark.parametrize(
    "selected",
    [
        "fct_agent_runs",
        pytest.param("fct_agent_steps", marks=pytest.mark.slow),
        pytest.param("mart_failure_modes", marks=pytest.mark.slow),
    ],
)
def test_deferring_into_an_empty_schema_gives_all_rows(selected, warehouse):
    """What is not selected is read in production; a table of its last build only is not enough."""
    before = contents(warehouse.path)
    other = Warehouse(warehouse.folder / OTHER_TARGET, warehouse.project)
    other.path = warehouse.path
    state = str(warehouse.folder / "target")
    command = ["run", "--select", selected, "--target", OTHER_TARGET]
    result = other.dbt(*command, "--defer", "--favor-state", "--state", state)
    deferred = tables_of(warehouse.path, f"{OTHER_TARGET}_marts")
    if result.success:
        whole = before[f"analytics_marts.{selected}"]
        assert differences(deferred, {selected: whole}) == []
    else:
        assert_refused(result)
        assert deferred == {}
    assert differences(before, contents(warehouse.path)) == []


def test_empty_build_of_a_new_warehouse_is_filled_by_the_next(warehouse, expected):
    """`--empty` makes the facts without a row; the next build fills them."""
    warehouse.fresh()
    arrive(warehouse, *(name for names in LOADS for name in names))
    build(warehouse, "--empty", *UP_TO_FACTS)
    assert set(warehouse.counts().values()) == {0}
    build(warehouse, *UP_TO_FACTS)
    found = contents(warehouse.path)
    assert differences(found, {name: expected[name] for name in found}) == []


@pytest.mark.parametrize(
    "selection",
    [
        (),
        pytest.param(("--select", "fct_agent_runs"), marks=pytest.mark.slow),
        pytest.param(("--select", "intermediate"), marks=pytest.mark.slow),
    ],
    ids=lambda selection: selection[-1] if selection else "all",
)
def test_empty_build_loses_no_row_of_a_built_warehouse(selection, warehouse, expected):
    """A fact keeps its rows where `--empty` has nothing to put in their place."""
    before = contents(warehouse.path)
    assert_refused_or_equal(warehouse, warehouse.dbt("run", "--empty", *selection), before)
    run(warehouse)
    assert differences(contents(warehouse.path), expected) == []


@pytest.mark.slow
def test_empty_full_refresh_is_filled_by_the_next_build(warehouse, expected):
    """Who asks for a full refresh without rows gets it, and all rows with the next build."""
    result = warehouse.dbt("run", "--empty", "--full-refresh")
    if result.success:
        assert set(warehouse.counts().values()) == {0}
    else:
        assert_refused(result)
    run(warehouse)
    assert differences(contents(warehouse.path), expected) == []


# The root's own macro names schemas without the target's; its settings move and rename tables.
ROOT_PROJECT = {
    "name": "root_project",
    "version": "1.0.0",
    "profile": "agent_analytics",
    "models": {
        "agent_analytics": {
            "marts": {"+schema": "reporting", "core": {"fct_agent_runs": {"+alias": "agent_runs"}}}
        }
    },
}
ROOT_SCHEMAS = """
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
"""


@pytest.fixture(scope="module")
def root(production, tmp_path_factory):
    """Return a warehouse built by another project that has this one as a package."""
    package = production[0].project
    folder = tmp_path_factory.mktemp("root")
    project = folder / "project"
    (project / "macros").mkdir(parents=True)
    (project / "macros" / "generate_schema_name.sql").write_text(ROOT_SCHEMAS, "utf-8")
    (project / "dbt_project.yml").write_text(yaml.safe_dump(ROOT_PROJECT), "utf-8")
    (project / "packages.yml").write_text(
        yaml.safe_dump({"packages": [{"local": str(package)}]}), "utf-8"
    )
    shutil.copyfile(package / "profiles.yml", project / "profiles.yml")
    warehouse = Warehouse(folder, project, keeps_artifacts=True)
    # without --target-path, which this command does not know
    command = ["deps", "--quiet", "--project-dir", str(project), "--profiles-dir", str(project)]
    result = dbtRunner().invoke([*command, "--log-path", str(folder / "logs")])
    assert result.success, result.exception
    return warehouse


def test_installed_as_a_package_it_builds_step_by_step(root, expected):
    """Other schemas, another name of a fact, and names of schemas from the root's own macro."""
    first, second, third = LOADS
    for names in (first + second, third):
        arrive(root, *names)
        build(root)
    log = "select count(distinct build_number) filter (where is_full_build), max(build_number)"
    assert root.query(f"{log} from audit.audit_build_log") == [(1, 2)]
    found = tables_of(root.path, "audit") | tables_of(root.path, "reporting")
    found["fct_agent_runs"] = found.pop("agent_runs")
    assert differences(found, {n.partition(".")[2]: table for n, table in expected.items()}) == []


# What version 2 of the definitions left, apart from facts and rollups; its settings are today's
# defaults, so that nothing but the version tells its rows from those of now.
OLD_SETTINGS = """definitions=2
rudderstack_database=None
rudderstack_schemas=rudderstack
rudderstack_parquet_dir=None
reporting_timezone=UTC
run_abandoned_after_minutes=60
reask_window_minutes=10
AGENT_ANALYTICS_HASH_SALT=""" + md5(b"development-salt-change-me").hexdigest()
OLD_TABLES = {
    "analytics_audit.audit_build_log": """
        select
            build_number, source_table, build_number = 1 as is_full_build,
            null::timestamptz as read_from_at, max(loaded_at) as watermark_at,
            count(*) as written_row_count, 1::bigint as touched_run_count,
            1::bigint as touched_day_count,
            {settings} as build_settings,
            'agent_catalog=0' as seed_contents, max(loaded_at) as started_at,
            max(loaded_at) as finished_at
        from events cross join range(1, 3) as builds (build_number)
        group by build_number, source_table
    """,
    "analytics_intermediate.int_source_reads": """
        select
            source_table, 2 as build_number, false as is_full_build,
            max(loaded_at) as read_from_at
        from events group by source_table
    """,
    "analytics_intermediate.int_runs_touched": """
        select
            '0123456789abcdef0123456789abcdef' as run_key, 'event' as touched_because,
            max(loaded_at) as earliest_at, max(loaded_at) as latest_at, 2 as build_number
        from events
    """,
    "analytics_intermediate.int_days_touched": """
        select max(loaded_at)::date as touched_date from events
    """,
}


@pytest.fixture
def old(warehouse):
    """Return a warehouse as version 2 of the definitions left it; its facts are told by a mark."""
    events = " union all ".join(
        f"select '{table}' as source_table, uuid_ts as loaded_at from rudderstack.{table}"
        for table in EVENT_TABLES
    )
    keys = warehouse.query(
        "select table_schema || '.' || table_name, column_name from information_schema.columns "
        "where table_schema in ('analytics_marts', 'analytics_audit') "
        "and suffix(column_name, '_key')"
    )
    for table, column in keys:
        warehouse.query(
            f"alter table {table} alter {column} type varchar "
            f"using replace({column}::varchar, '-', '')"
        )
    warehouse.query(
        "update analytics_marts.fct_agent_runs set workflow_name = 'of the old version'"
    )
    schemas = warehouse.query(
        "select schema_name from information_schema.schemata where schema_name like 'analytics%' "
        "and schema_name not in ('analytics_marts', 'analytics_audit', 'analytics_seeds') "
        "and catalog_name = current_database()"
    )
    for (schema,) in schemas:
        warehouse.query(f"drop schema {schema} cascade")
    warehouse.query("create schema analytics_intermediate")
    warehouse.query("drop table analytics_audit.audit_build_log")
    for name, statement in OLD_TABLES.items():
        made = statement.format(settings=quote_literal(OLD_SETTINGS))
        warehouse.query(f"create table {name} as with events as ({events}) {made}")
    return warehouse


def test_warehouse_of_an_older_version_is_refused_or_made_anew(old, expected):
    """Rows that other definitions made are never added to; a full refresh is always enough."""
    result = old.dbt("build", "--resource-type", "seed", "--resource-type", "model")
    if not result.success:
        assert_refused(result)
        assert any("--full-refresh" in (node.message or "") for node in result.result)
        build(old, "--full-refresh")
    assert differences(contents(old.path), expected) == []
