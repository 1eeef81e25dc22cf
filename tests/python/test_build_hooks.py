"""What a build checks before its first model, prints and writes down: each mistake is one line.

dbt parses the project once for all tests here, which takes longer than all of them.
"""

from __future__ import annotations

import gc
import json
import os

import duckdb
import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.selected_resources import set_selected_resources

from scripts.warehouse import PROJECT_DIR
from tests.python.warehouses import (
    EVENT_TABLES,
    SETTINGS_THAT_ARE_PARSED,
    Warehouse,
    parsed_manifest,
)

pytestmark = pytest.mark.xdist_group("build_hooks")

SMALLEST_MODEL = "stg_rudderstack__discards"
NUMBERS = (
    "lookback_days",
    "run_abandoned_after_minutes",
    "reask_window_minutes",
    "analysis_window_days",
)
NO_WHOLE_NUMBERS = (-1, 1.5, True, None, "", "-1", "1.5", "sixty", "1e3", [60], 10**9, "1" * 12)
NO_LISTS_OF_SCHEMAS = ("rudderstack", [], None, 5, {"a": 1}, [5], [""], ["a", "A"], ["a", None])
REFUSED = {
    **dict.fromkeys(NUMBERS, NO_WHOLE_NUMBERS),
    "run_abandoned_after_minutes": (0, *NO_WHOLE_NUMBERS),
    "analysis_window_days": (0, *NO_WHOLE_NUMBERS),
    # columns that are there already, texts of people, and what is no name in SQL
    "passthrough_columns": (
        "tenant_id",
        ["run_key"],
        ["prompt_text"],
        ["tool_input_query"],
        ["message"],
        ["a b"],
        ["x) --"],
        ["Tenant"],
        ["a", "a"],
        [5],
        None,
    ),
    "rudderstack_schemas": NO_LISTS_OF_SCHEMAS,
    "reporting_timezone": ("Mars/Olympus", "+02:00", "", None, 2, "europe/berlin"),
    "keep_purged_load_days": ("false", "true", 1, None),
    "test_whole_history": ("false", "true", 1, None),
    "unknown_word_share": (-0.1, 1.1, True, None, "", "1%", "-0.5", "many", [0.1]),
    "rudderstack_database": ("", 5, ["a"]),
    "rudderstack_parquet_dir": ("", True),
}
ACCEPTED = {
    **dict.fromkeys(NUMBERS, (1, 60, "60", " 60 ", 36500)),
    "lookback_days": (0, "0"),
    "reask_window_minutes": (0, "0"),
    "passthrough_columns": ([], ["tenant_id"], ["team", "feature_2"]),
    "rudderstack_schemas": (["a"], ["a", "b"]),
    "reporting_timezone": ("UTC", "America/New_York", "Asia/Kathmandu"),
    "keep_purged_load_days": (True, False),
    "test_whole_history": (True, False),
    "unknown_word_share": (0, 1, 0.05, "0.05", " 1 "),
    "rudderstack_database": ("raw", None),
    "rudderstack_parquet_dir": ("lake", None),
}


def rounds(values):
    """Return settings to try at once: the first value of each, the second of each, and so on."""
    return [
        {name: found[number] for name, found in values.items() if number < len(found)}
        for number in range(max(map(len, values.values())))
    ]


class Dbt:
    """dbt on a DuckDB file of its own, with the project parsed once."""

    def __init__(self, folder):
        self.path = folder / "warehouse.duckdb"
        self._options = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)]
        self._options += ["--target-path", str(folder / "target"), "--log-level-file", "none"]
        self._options += ["--log-path", str(folder / "logs"), "--quiet"]
        self._manifest = Manifest.from_msgpack(parsed_manifest())

    def run(self, *arguments, **variables):
        """Run a command with vars and return dbt's result."""
        before = os.environ.get("AGENT_ANALYTICS_DUCKDB_PATH")
        os.environ["AGENT_ANALYTICS_DUCKDB_PATH"] = str(self.path)
        try:
            return dbtRunner(manifest=self._manifest).invoke(
                [*arguments, *self._options, "--vars", yaml.safe_dump(variables)]
            )
        finally:
            DuckDBConnectionManager.close_all_connections()
            gc.collect()
            os.environ.pop("AGENT_ANALYTICS_DUCKDB_PATH")
            if before is not None:
                os.environ["AGENT_ANALYTICS_DUCKDB_PATH"] = before

    def problems(self, **variables):
        """Return the lines in which the check of settings says what is wrong."""
        result = self.run("run-operation", "check_settings", **variables)
        if result.success:
            return []
        return lines_of("\n".join(node.message for node in result.result.results))

    def text_of(self, template, **variables):
        """Return what a Jinja template renders to."""
        result = self.run("compile", "--inline", template, **variables)
        assert result.success, result.exception
        return result.result.results[0].node.compiled_code

    def start(self, *flags, **variables):
        """Start a build of next to nothing; return the lines of its error."""
        result = self.run("run", *flags, "--select", SMALLEST_MODEL, **variables)
        return [] if result.success else lines_of(str(result.exception))


def what_it_says(manifest, kind):
    """Return everything that a manifest says of one kind of nodes, but when each was parsed."""
    nodes = {key: node.to_dict() for key, node in getattr(manifest, kind).items()}
    for node in nodes.values():
        node.pop("created_at", None)
    return nodes


def lines_of(message):
    """Return what the project says in a compilation error of dbt."""
    return [
        line.strip()
        for line in message.splitlines()
        if line.strip() and not line.strip().startswith((">", "Compilation Error"))
    ]


@pytest.fixture(scope="module")
def dbt(tmp_path_factory):
    return Dbt(tmp_path_factory.mktemp("build_hooks"))


@pytest.fixture
def raw(dbt):
    """Give the warehouse a raw schema with every table that models read, and nothing else."""
    dbt.path.unlink(missing_ok=True)
    with duckdb.connect(str(dbt.path)) as connection:
        connection.execute("create schema rudderstack")
        for table in (*EVENT_TABLES, "rudder_discards"):
            connection.execute(f"create table rudderstack.{table} (id varchar)")
    return dbt.path


@pytest.mark.parametrize("settings", rounds(REFUSED))
def test_what_a_setting_cannot_be_is_one_line(dbt, settings):
    """The line names setting, value, what is allowed, and where to correct it."""
    lines = dbt.problems(**settings)
    assert sorted(line.split(" is ")[0] for line in lines) == sorted(settings)
    for line in lines:
        name, rest = line.split(" is ", 1)
        value, rest = rest.split("; allowed is ", 1)
        assert json.loads(value) == settings[name]
        assert rest.endswith("; correct it in --vars or dbt_project.yml")


@pytest.mark.parametrize("settings", rounds(ACCEPTED))
def test_what_a_setting_can_be_is_accepted(dbt, settings):
    assert dbt.problems(**settings) == []


def test_every_setting_is_checked_and_no_other_name_is_taken(dbt):
    """A misspelled name is said, with the names that there are, which are those of the project."""
    declared = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())["vars"]
    (line,) = dbt.problems(lookback_dayz=3)
    assert line == (
        f"lookback_dayz is no setting; allowed in --vars are {', '.join(declared)}; "
        "correct its spelling"
    )


def test_no_other_setting_changes_what_is_parsed(tmp_path):
    """Tests give dbt the project as parsed without vars: with them dbt would parse the same."""
    settings = {name: values[0] for name, values in ACCEPTED.items()}
    for name in SETTINGS_THAT_ARE_PARSED:
        del settings[name]
    parsed = Warehouse(tmp_path).dbt("parse", variables=settings).result
    given = Manifest.from_msgpack(parsed_manifest())
    assert len(given.nodes) > len(given.unit_tests) > 0
    for kind in ("nodes", "unit_tests", "macros"):
        assert what_it_says(parsed, kind) == what_it_says(given, kind)


def test_empty_salt_is_refused_and_never_shown(dbt, monkeypatch):
    monkeypatch.setenv("AGENT_ANALYTICS_HASH_SALT", " ")
    (line,) = dbt.problems()
    assert line.startswith("AGENT_ANALYTICS_HASH_SALT is empty")
    monkeypatch.setenv("AGENT_ANALYTICS_HASH_SALT", "a secret of ours")
    assert "a secret" not in "".join(dbt.problems(lookback_days=-1))


def test_number_as_text_is_the_number(dbt):
    """The same rows follow, so that no full refresh is asked for."""
    numbers = {"run_abandoned_after_minutes": 90, "reask_window_minutes": 20}
    texts = {name: f" {number} " for name, number in numbers.items()}
    template = "{{ build_settings() }} {{ 1440 * whole_number_setting('lookback_days') }}"
    found = dbt.text_of(template, lookback_days="3", **texts)
    assert found == dbt.text_of(template, lookback_days=3, **numbers)
    assert "run_abandoned_after_minutes=90" in found and found.endswith(" 4320")


def test_models_take_numbers_as_text(dbt, raw):
    """Text once counted as 0 minutes: every run without completion was abandoned."""
    models = {"int_runs_affected", "int_runs_assembled", "int_runs_reasked"}
    compiled = []
    for minutes in (90, "90"):
        settings = {"run_abandoned_after_minutes": minutes, "reask_window_minutes": minutes}
        result = dbt.run("compile", "--select", *models, **settings)
        assert result.success, result.exception
        nodes = [found.node for found in result.result.results]
        compiled.append({node.name: node.compiled_code for node in nodes if node.name in models})
    assert compiled[0].keys() == models
    assert compiled[0] == compiled[1]
    assert "5400000" in compiled[1]["int_runs_assembled"]


@pytest.mark.parametrize("value", ["rudderstack", [], None, 5])
def test_wrong_setting_stops_a_build_at_its_start(dbt, raw, value):
    (line,) = dbt.start(rudderstack_schemas=value)
    assert line.startswith("rudderstack_schemas is ")
    with duckdb.connect(str(raw), read_only=True) as connection:
        schemas = connection.execute("select distinct schema_name from duckdb_tables()").fetchall()
    assert schemas == [("rudderstack",)]


def test_misspelled_schema_is_refused(dbt, raw):
    (line,) = dbt.start(rudderstack_schemas=["rudderstack", "ruddrstack"])
    assert line.startswith("rudderstack_schemas names ruddrstack, which database warehouse does")
    assert "correct its spelling" in line
    assert dbt.start(rudderstack_schemas=["RudderStack"]) == []
    assert dbt.start("--warn-error") == []


def test_default_schema_may_be_missing_before_the_first_event(dbt):
    dbt.path.unlink(missing_ok=True)
    assert dbt.start() == []
    (line,) = dbt.start(rudderstack_schemas=["events"])
    assert "rudderstack_schemas names events" in line


UNREAD = (
    "no model reads these event tables: rudderstack.ai_llm_response_received (12 rows), "
    "rudderstack.mcp_tool_called (3 rows); see docs/raw_events.md\n"
)


def test_event_tables_that_no_model_reads_are_named_with_their_rows(dbt, raw, capfd):
    """Also when dbt is told to be quiet; it is no warning, so --warn-error goes on."""
    assert dbt.start() == []
    assert capfd.readouterr().out == ""
    with duckdb.connect(str(raw)) as connection:
        connection.execute("create table rudderstack.mcp_tool_called as select 1 from range(3)")
        connection.execute("create table rudderstack.ai_llm_response_received as from range(12)")
        connection.execute("create table rudderstack.order_completed as from range(5)")
    assert dbt.start("--warn-error") == []
    assert capfd.readouterr().out == UNREAD


def test_unread_tables_of_a_data_lake_are_named(dbt, raw, tmp_path, capfd):
    lake = tmp_path / "it's a lake"
    (lake / "ai_otel_span" / "day=1").mkdir(parents=True)
    with duckdb.connect() as connection:
        for file in ("ai_otel_span/day=1/1.parquet", "ai_user_action.parquet", "ai_new.parquet"):
            target = str(lake / file).replace("'", "''")
            connection.execute(f"copy (from range(4)) to '{target}' (format parquet)")
    assert dbt.start(rudderstack_parquet_dir=str(lake)) == []
    assert capfd.readouterr().out == (
        "no model reads these event tables: ai_new (4 rows), ai_otel_span (4 rows); "
        "see docs/raw_events.md\n"
    )


def recorded(path):
    """Return what dbt commands have written down: their kinds and whether they passed."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(
            "select max(kind) filter (where kind != 'end'), count(*) filter (where kind = 'end'), "
            "bool_or(is_passed) from analytics_intermediate.state_invocations "
            "group by invocation_id order by min(recorded_at)"
        ).fetchall()


def test_builds_write_down_what_they_built_and_whether_it_passed(dbt, raw):
    """A build and its retry fail on a broken raw table; a part passes; a run tests nothing."""
    with duckdb.connect(str(raw)) as connection:
        connection.execute("drop table rudderstack.ai_user_action")
        connection.execute("create table soon_gone (id varchar)")
        connection.execute("create view rudderstack.ai_user_action as from soon_gone")
        connection.execute("drop table soon_gone")
    no_tests = ["resource_type:test", "resource_type:unit_test"]
    assert not dbt.run("build", "--exclude", "resource_type:seed", *no_tests).success
    assert recorded(raw) == [("whole", 1, False)]
    # each command has a process of its own in life, which knows of no earlier selection
    set_selected_resources([])
    assert not dbt.run("retry").success
    assert recorded(raw) == [("whole", 1, False), ("retry", 1, False)]
    part = ["--select", SMALLEST_MODEL, "--exclude", *no_tests]
    assert dbt.run("build", *part).success
    assert recorded(raw)[2:] == [("part", 1, True)]
    with duckdb.connect(str(raw), read_only=True) as connection:
        found = connection.execute(
            "select distinct mart_tables from analytics_intermediate.state_invocations "
            "where kind != 'end'"
        ).fetchall()
    marts = PROJECT_DIR / "models/marts"
    models = {file.stem for ending in ("*.sql", "*.py") for file in marts.rglob(ending)}
    assert [set(names.split("\n")) for (names,) in found] == [models]
    assert dbt.run("run", *part).success
    assert recorded(raw) == [("untested", 1, True)]
    assert dbt.run("build", "--empty", *part).success
    assert recorded(raw) == [("untested", 1, True)]
