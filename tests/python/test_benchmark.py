"""The hand-written reference script is a second implementation: it must give the project's tables.

The reference was written against the definitions with other means than the models (row numbers
and hashes instead of keys, lists instead of recursion, one price per day), so an error in one of
the two shows as a difference. One set is clean, one has every kind of dirt.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from scripts import generate_events
from scripts.benchmark import compare as comparison
from scripts.benchmark import measure, run_benchmark, run_reference
from scripts.warehouse import MARTS_SCHEMA, PROJECT_DIR

pytestmark = pytest.mark.xdist_group("benchmark")

TABLES = tuple(comparison.COMPARED_TABLES)


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> tuple[Path, Path]:
    """Return the reference's and the project's DuckDB file for one small clean set."""
    folder = tmp_path_factory.mktemp("benchmark_clean")
    events = folder / "events"
    arguments = ["--out", str(events), "--runs", "300", "--days", "15", "--seed", "51"]
    assert generate_events.main([*arguments, "--format", "parquet"]) == 0
    reference = folder / "reference.duckdb"
    run_reference.run_reference(events, reference, threads=1)
    project = folder / "project.duckdb"
    command = [str(Path(sys.executable).with_name("dbt")), "build", "--quiet"]
    command += ["--exclude", "resource_type:test", "resource_type:unit_test"]
    command += ["--vars", json.dumps({"rudderstack_parquet_dir": str(events)})]
    environment = {
        **os.environ,
        "AGENT_ANALYTICS_DUCKDB_PATH": str(project),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder),
    }
    result = subprocess.run(
        command, cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-4000:]
    return reference, project


@pytest.mark.parametrize("table", TABLES)
def test_reference_equals_project_on_clean_events(clean, table):
    differences = [d for d in comparison.compare(*clean) if d.table == table]
    assert not differences, "\n".join(map(str, differences))


@pytest.mark.parametrize("table", TABLES)
def test_compared_tables_have_rows(clean, table):
    with duckdb.connect(str(clean[0]), read_only=True) as connection:
        (rows,) = connection.execute(f"select count(*) from {table}").fetchall()[0]
    assert rows > 0


def test_benchmark_finds_equal_tables_on_dirty_events(tmp_path, capsys):
    events = tmp_path / "events"
    arguments = ["--out", str(events), "--runs", "500", "--days", "15", "--seed", "52"]
    assert generate_events.main([*arguments, "--format", "parquet", "--dirt-all"]) == 0
    file = tmp_path / "figures.json"
    code = run_benchmark.main(
        ["--data", str(events), "--repetitions", "1", "--threads", "1", "--json", str(file)]
    )
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "tables: equal row for row" in printed.out
    figures = json.loads(file.read_text("utf-8"))
    assert figures["differences"] == []
    assert figures["events"] == run_benchmark.count_events(events)
    for side in ("reference", "project"):
        assert 0 < figures[side]["engine_seconds"] <= figures[side]["wall_seconds"]
        assert figures[side]["peak_memory_gib"] > 0.05
    assert figures["ratio"]["wall_seconds"] == pytest.approx(
        figures["project"]["wall_seconds"] / figures["reference"]["wall_seconds"], abs=0.01
    )


CORRUPTIONS = {
    "a value": (
        "update {t} set duration_ms = duration_ms + 1 "
        "where step_key = (select min(step_key) from {t})",
        "duration_ms",
    ),
    "a null": (
        "update {t} set cost_usd = null where step_key = (select min(step_key) from {t} "
        "where cost_usd is not null)",
        "cost_usd",
    ),
    "a missing row": ("delete from {t} where step_key = (select min(step_key) from {t})", None),
    "a repeated row": ("insert into {t} from {t} order by step_key limit 1", None),
    "a missing column": ("alter table {t} drop column tool_name", None),
    "a missing table": ("drop table {t}", None),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_comparison_names_table_column_and_key(clean, tmp_path, name):
    statement, column = CORRUPTIONS[name]
    project = tmp_path / "project.duckdb"
    shutil.copyfile(clean[1], project)
    with duckdb.connect(str(project)) as connection:
        key = connection.execute(
            f"select min(step_key) from {MARTS_SCHEMA}.fct_agent_steps "
            f"where cost_usd is not null or {column != 'cost_usd'}"
        ).fetchall()[0][0]
        connection.execute(statement.format(t=f"{MARTS_SCHEMA}.fct_agent_steps"))
    differences = comparison.compare(clean[0], project)
    assert {d.table for d in differences} == {"fct_agent_steps"}
    assert {d.column for d in differences} == {column}
    if "column" not in name and "table" not in name:
        assert any(key in str(d) for d in differences)


@pytest.mark.parametrize(("delta", "is_equal"), [(1e-12, True), (1e-6, False)])
def test_comparison_allows_rounding_of_doubles_only(clean, tmp_path, delta, is_equal):
    project = tmp_path / "project.duckdb"
    shutil.copyfile(clean[1], project)
    with duckdb.connect(str(project)) as connection:
        connection.execute(
            f"update {MARTS_SCHEMA}.mart_agent_latency set mean_duration_ms = "
            f"mean_duration_ms * (1 + {delta})"
        )
    assert (comparison.compare(clean[0], project) == []) is is_equal


def test_benchmark_fails_when_tables_differ(clean, tmp_path, monkeypatch, capsys):
    """The two runs are replaced by copies of finished files, one of them corrupted."""
    project = tmp_path / "project.duckdb"
    shutil.copyfile(clean[1], project)
    with duckdb.connect(str(project)) as connection:
        connection.execute(f"update {MARTS_SCHEMA}.fct_agent_runs set cost_usd = cost_usd * 100")

    def pretend(source: Path, name: str):
        def copy(_data, work, _threads, _memory_limit):
            shutil.copyfile(source, work / name)
            return run_benchmark.Timing(measure.Measurement(2.0, 1.0, 1 << 30, "", 0), 1.5)

        return copy

    monkeypatch.setattr(run_benchmark, "time_reference", pretend(clean[0], "reference.duckdb"))
    monkeypatch.setattr(run_benchmark, "time_project", pretend(project, "project.duckdb"))
    events = clean[0].parent / "events"
    code = run_benchmark.main(["--data", str(events), "--repetitions", "2", "--threads", "1"])
    printed = capsys.readouterr()
    assert code == 1
    assert "fct_agent_runs.cost_usd" in printed.err
    code = run_benchmark.main(
        ["--data", str(events), "--repetitions", "1", "--threads", "1", "--no-compare"]
    )
    assert code == 0


def test_peak_memory_includes_child_processes(tmp_path):
    """A parent that only waits, and a child that fills 200 MiB for a second."""
    child = "import time; block = bytearray(b'1') * (200 * 1024 * 1024); time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    if not measure.PROC.is_dir():
        pytest.skip("memory of child processes is read from /proc, which this system lacks")
    started = time.monotonic()
    result = measure.measure(
        [sys.executable, "-c", parent],
        cwd=tmp_path,
        environment=dict(os.environ),
        log=tmp_path / "log",
        label="memory",
        cores=1,
    )
    assert result.returncode == 0, result.output
    assert result.peak_bytes > 200 * 1024 * 1024
    assert 1.0 <= result.wall_seconds <= time.monotonic() - started + 0.1


BAD_ARGUMENTS = {
    "--repetitions must be at least 1": ["--repetitions", "0"],
    "--events must be at least 1": ["--events", "-5"],
    "usable cores": ["--threads", "100000"],
}


@pytest.mark.parametrize("message", BAD_ARGUMENTS)
def test_bad_arguments_give_one_clear_line(message, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_benchmark.main(BAD_ARGUMENTS[message])
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert message in error
    assert error.count("\n") == 1


def test_unreadable_parquet_is_named(tmp_path, capsys):
    for table in run_reference.EVENT_TABLES:
        (tmp_path / f"{table}.parquet").write_bytes(b"not parquet")
    with pytest.raises(SystemExit):
        run_benchmark.main(["--data", str(tmp_path), "--threads", "1"])
    error = capsys.readouterr().err
    assert "ai_user_prompt_created.parquet is not readable as Parquet" in error
    assert "Traceback" not in error


def test_reference_names_the_missing_table(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_reference.main(["--data", str(tmp_path), "--out", str(tmp_path / "out.duckdb")])
    assert "has no ai_user_prompt_created.parquet" in capsys.readouterr().err
