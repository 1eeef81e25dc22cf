"""The benchmark, and its hand-written reference script, which must give the project's tables.

The reference is a second implementation, written against the definitions with other means than the
models (row numbers and hashes instead of keys, lists instead of recursion, one price per day), so
an error in one of the two shows as a difference. One set is clean, one has every kind of dirt.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest

from scripts import generate_events
from scripts.benchmark import compare as comparison
from scripts.benchmark import cut, measure, plot, report, run_benchmark, run_reference, timings
from scripts.warehouse import MARTS_SCHEMA
from tests.python.warehouses import Warehouse, errors_of

pytestmark = pytest.mark.xdist_group("benchmark")

TABLES = tuple(comparison.COMPARED_TABLES)


def both_of(folder: Path, events: Path) -> tuple[Path, Path]:
    """Return the reference's and the project's DuckDB file for a folder of events."""
    reference = folder / "reference.duckdb"
    run_reference.run_reference(events, reference, threads=1)
    project = Warehouse(folder / "project")
    project.folder.mkdir()
    project.fresh()
    result = project.dbt("run", variables={"rudderstack_parquet_dir": str(events)})
    assert result.success, errors_of(result)
    return reference, project.path


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> tuple[Path, Path]:
    """Return the reference's and the project's DuckDB file for one small clean set."""
    folder = tmp_path_factory.mktemp("benchmark_clean")
    events = folder / "events"
    arguments = ["--out", str(events), "--runs", "300", "--days", "15", "--seed", "51"]
    assert generate_events.main([*arguments, "--format", "parquet"]) == 0
    return both_of(folder, events)


@pytest.mark.parametrize("table", TABLES)
def test_reference_equals_project_on_clean_events(clean, table):
    differences = [d for d in comparison.compare(*clean) if d.table == table]
    assert not differences, "\n".join(map(str, differences))


@pytest.mark.parametrize("table", TABLES)
def test_compared_tables_have_rows(clean, table):
    with duckdb.connect(str(clean[0]), read_only=True) as connection:
        (rows,) = connection.execute(f"select count(*) from {table}").fetchall()[0]
    assert rows > 0


@pytest.fixture(scope="module")
def dirty(tmp_path_factory) -> Path:
    """Return a folder of some 3,000 events with every kind of dirt."""
    events = tmp_path_factory.mktemp("benchmark_dirty") / "events"
    arguments = ["--out", str(events), "--runs", "130", "--days", "15", "--seed", "52"]
    assert generate_events.main([*arguments, "--format", "parquet", "--dirt-all"]) == 0
    return events


@pytest.mark.slow
def test_reference_equals_project_on_dirty_events(dirty, tmp_path):
    differences = comparison.compare(*both_of(tmp_path, dirty))
    assert not differences, "\n".join(map(str, differences))


@pytest.mark.slow
def test_benchmark_finds_equal_tables_on_dirty_events(dirty, tmp_path, capsys):
    file = tmp_path / "figures.json"
    arguments = ["--data", str(dirty), "--repetitions", "1", "--threads", "1", "--sizes", "1/4,1"]
    code = run_benchmark.main([*arguments, "--json", str(file)])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "tables: equal row for row" in printed.out
    assert (tmp_path / "figures.svg").is_file()
    figures = json.loads(file.read_text("utf-8"))
    assert figures["differences"] == []
    assert figures["events"] == run_benchmark.count_events(dirty)
    smaller, whole = figures["sizes"]
    arrived = figures["day_events"] + figures["hour_events"]
    assert 0 < smaller["events"] < whole["events"] == figures["events"] - arrived
    for size in (smaller, whole):
        assert list(size["builds"]) == ["full", "day", "hour", "none"]
        for build in size["builds"].values():
            assert 0 < build["statement_seconds"] < build["wall_seconds"]
            assert 0 < build["engine_seconds"] < build["wall_seconds"]
            assert build["peak_memory_gib"] > 0.05
    reference = figures["reference"]
    assert reference["statement_seconds"] is None
    assert 0 < reference["engine_seconds"] <= reference["wall_seconds"]


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
        assert any(str(key) in str(d) for d in differences)


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


def _timing(wall: float, engine: float, statements: float | None = None) -> timings.Timing:
    return timings.Timing(measure.Measurement(wall, 2 * wall, 1 << 30, "", 0), engine, statements)


def test_benchmark_fails_when_tables_differ(clean, tmp_path, monkeypatch, capsys):
    """All runs are replaced by copies of finished files, one of them corrupted."""
    project = tmp_path / "project.duckdb"
    shutil.copyfile(clean[1], project)
    with duckdb.connect(str(project)) as connection:
        connection.execute(f"update {MARTS_SCHEMA}.fct_agent_runs set cost_usd = cost_usd * 100")

    def pretend(source: Path, name: str):
        def copy(_data, work, *_options):
            shutil.copyfile(source, work / name)
            return _timing(2.0, 1.5, 1.0)

        return copy

    monkeypatch.setattr(run_benchmark, "time_reference", pretend(clean[0], "reference.duckdb"))
    monkeypatch.setattr(run_benchmark, "time_project", pretend(project, "project.duckdb"))
    monkeypatch.setattr(run_benchmark, "seed_project", pretend(project, "seeded.duckdb"))
    arguments = ["--data", str(clean[0].parent / "events"), "--threads", "1", "--sizes", "1"]
    code = run_benchmark.main([*arguments, "--repetitions", "2"])
    printed = capsys.readouterr()
    assert code == 1
    assert "full build: fct_agent_runs.cost_usd" in printed.err
    assert "incremental builds: fct_agent_runs.cost_usd" in printed.err
    assert run_benchmark.main([*arguments, "--repetitions", "1", "--no-compare"]) == 0


SIZES = [Fraction(1, 10), Fraction(1, 2), Fraction(1)]


def _rows(folder: Path, table: str) -> str:
    return f"(from {run_reference.read_parquet(run_reference.event_files(folder, table))})"


def test_every_event_is_in_exactly_one_part(dirty, tmp_path):
    parts = cut.cut(dirty, tmp_path / "parts", SIZES)
    lake = tmp_path / "lake"
    for part in (*parts.history, parts.day, parts.hour):
        assert part.events == run_benchmark.count_events(part.folder)
        cut.lay_out(part, lake)
    for table in run_reference.EVENT_TABLES:
        whole, joined = _rows(dirty, table), _rows(lake, table)
        for left, right in ((whole, joined), (joined, whole)):
            assert not duckdb.sql(f"{left} except all {right}").fetchall()


def test_parts_span_what_they_are_called(dirty, tmp_path):
    parts = cut.cut(dirty, tmp_path / "parts", SIZES)
    for part in (*parts.history, parts.day, parts.hour):
        loaded = [
            row[0]
            for table in run_reference.EVENT_TABLES
            if run_reference.event_files(part.folder, table)
            for row in duckdb.sql(
                f"select make_timestamptz({cut.LOADED_US}) from {_rows(part.folder, table)}"
            ).fetchall()
        ]
        assert loaded
        assert all(part.after < time_loaded <= part.until for time_loaded in loaded)
    assert parts.hour.until - parts.hour.after == timedelta(hours=1)
    assert parts.day.until - parts.day.after == timedelta(hours=24)
    assert parts.hour.after == parts.day.until
    assert parts.day.after == parts.history[0].until
    whole = parts.day.after - parts.history[-1].after
    for part, share in zip(parts.history, SIZES, strict=True):
        assert (parts.day.after - part.after) / whole == pytest.approx(float(share))


NEWEST = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _events_loaded(folder: Path, load_times: list[datetime | None]) -> Path:
    """Write all tables, one row per load time: known by uuid_ts or, if odd, by received_at."""
    folder.mkdir()
    with duckdb.connect() as connection:
        connection.execute("create table e (id int, uuid_ts timestamptz, received_at timestamptz)")
        for number, time_loaded in enumerate(load_times):
            times = [time_loaded, NEWEST] if number % 2 == 0 else [None, time_loaded]
            if time_loaded is None:
                times = [None, None]
            connection.execute("insert into e values (?, ?, ?)", [number, *times])
        for table in run_reference.EVENT_TABLES:
            connection.execute(f"copy e to '{folder / table}.parquet' (format parquet)")
    return folder


def test_events_on_a_border_and_without_time_have_one_part(tmp_path):
    hour, day = NEWEST - timedelta(hours=1), NEWEST - timedelta(hours=25)
    long_ago = NEWEST - timedelta(days=200)
    load_times = [NEWEST, hour + SECOND, hour, day + SECOND, day, long_ago, None]
    data = _events_loaded(tmp_path / "events", load_times)
    parts = cut.cut(data, tmp_path / "parts", [Fraction(1, 10), Fraction(1)])
    found = [
        sorted(
            row[0] for row in duckdb.sql(f"select id from {_rows(part.folder, table)}").fetchall()
        )
        for part in (parts.hour, parts.day, *parts.history)
        for table in run_reference.EVENT_TABLES[:1]
    ]
    assert found == [[0, 1], [2, 3], [4, 6], [5]]


def test_lost_events_are_noticed(tmp_path):
    days = [NEWEST - timedelta(days=number) for number in (0, 1, 100)]
    data = _events_loaded(tmp_path / "events", days)
    parts = cut.cut(data, tmp_path / "parts", [Fraction(1)])
    with duckdb.connect() as connection, pytest.raises(SystemExit):
        cut._refuse_loss(connection, data, [*parts.history, parts.hour])


@pytest.mark.parametrize(
    ("hours", "message"), [([0, 20], "nothing to cut"), ([0, 100], "more events are needed")]
)
def test_too_few_events_give_one_clear_line(tmp_path, capsys, hours, message):
    load_times = [NEWEST - timedelta(hours=number) for number in hours]
    data = _events_loaded(tmp_path / "events", load_times)
    with pytest.raises(SystemExit):
        cut.cut(data, tmp_path / "parts", [Fraction(1)])
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_missing_table_is_named_before_anything_is_cut(tmp_path, capsys):
    data = _events_loaded(tmp_path / "events", [NEWEST, NEWEST - timedelta(days=100)])
    (data / "ai_user_action.parquet").unlink()
    with pytest.raises(SystemExit):
        run_benchmark.main(["--data", str(data), "--threads", "1"])
    assert "has no ai_user_action.parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("intervals", "seconds"),
    [
        ([(0, 1), (2, 4)], 3),
        ([(0, 2), (1, 3)], 3),
        ([(0, 5), (1, 2), (4, 6)], 6),
        ([(4, 6), (0, 1), (1, 2)], 4),
    ],
)
def test_overlapping_statements_count_once(intervals, seconds):
    assert timings.covered_seconds(intervals) == pytest.approx(seconds)


def _log_line(name: str, second: float, **data) -> str:
    written_at = (NEWEST + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
    return json.dumps({"data": data, "info": {"name": name, "ts": written_at}}) + "\n"


def test_statement_seconds_come_from_statements_that_ended(tmp_path, capsys):
    log = tmp_path / "dbt.log"
    log.write_text(
        _log_line("SQLQuery", 0, sql="select 'SQLQueryStatus'", elapsed=99.0)
        + _log_line("SQLQueryStatus", 10, elapsed=4.0, status="OK")
        + _log_line("SQLQueryStatus", 12, elapsed=3.5, status="OK")
        + _log_line("SQLQueryStatus", 20, elapsed=0.25, status="OK"),
        "utf-8",
    )
    assert timings.statement_seconds(log) == pytest.approx(6.25)
    log.write_text(_log_line("SQLQuery", 0, sql="select 1"), "utf-8")
    with pytest.raises(SystemExit):
        timings.statement_seconds(log)
    assert "tells of no statement" in capsys.readouterr().err


def _result() -> dict:
    """Return a summary of three repetitions on two sizes, with round figures."""
    sizes = [
        report.SizeTimings(
            share,
            events,
            {
                "full": [_timing(wall, wall - 10, wall - 20) for wall in (120, 100, 110)],
                "day": [_timing(10, 6, 6 * share), _timing(8, 5, 3 * share), _timing(9, 4, share)],
                "hour": [_timing(7, 3, 1.0)] * 3,
                "none": [_timing(6, 2, 0.5)] * 3,
            },
        )
        for share, events in ((0.5, 1_000), (1.0, 2_000))
    ]
    references = [_timing(wall, wall - 1) for wall in (55, 52, 50)]
    return {
        **report.summary(sizes, references),
        "threads": 2,
        "memory_limit": "5GB",
        "tables_compared": True,
        "differences": [],
    }


def test_summary_holds_medians_and_repetitions():
    result = _result()
    full = result["sizes"][1]["builds"]["full"]
    assert [full[name] for name in ("wall_seconds", "engine_seconds", "statement_seconds")] == [
        110,
        100,
        90,
    ]
    assert full["peak_memory_gib"] == 1
    assert [row["wall_seconds"] for row in full["repetitions"]] == [120, 100, 110]
    assert result["reference"]["wall_seconds"] == 52
    ratios = {(row["name"], row["measured_by"]): row for row in result["ratios"]}
    assert len(ratios) == 8
    expected = {
        ("full build ÷ reference script", "wall"): (110 / 52, False),
        ("full build ÷ reference script", "engine"): (100 / 51, False),
        ("one more day ÷ full build", "statements"): (3 / 90, False),
        ("one more day ÷ full build", "engine"): (5 / 100, False),
        ("one more day, 2.0 times the history", "statements"): (2, False),
        ("one more day, 2.0 times the history", "engine"): (1, True),
        ("one more day, 2.0 times the history", "wall"): (1, True),
        ("peak memory of a build (GiB)", ""): (1, True),
    }
    assert {
        key: (pytest.approx(row["value"], abs=1e-4), row["is_met"]) for key, row in ratios.items()
    } == expected


def test_printed_tables_name_every_build_and_verdict(capsys):
    report.print_result(_result())
    printed = capsys.readouterr().out
    for text in ("2,000 events", *report.BUILDS.values(), "reference script", "110.0", "0.0333"):
        assert text in printed
    assert printed.count("MISSED") == 5
    assert printed.count(" met ") == 3
    assert "…" not in printed
    assert "tables: equal row for row" in printed


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")])
def test_plot_is_drawn(tmp_path, name, start):
    plot.write_plot(_result(), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


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
    "must be shares such as": ["--sizes", "1,many"],
    "1 must be among them": ["--sizes", "1/4,1/2"],
    "above 0 and at most 1": ["--sizes", "0,1"],
    "must end in .png or .svg": ["--plot", "figure.txt"],
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
