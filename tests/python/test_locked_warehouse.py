"""Two that want one DuckDB file: one builds as if alone, the other says who holds the file.

DuckDB lets one process write. dbt repeats its message, scripts and `make build` say it in one line.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from scripts import generate_events, load_events
from scripts.warehouse import PROJECT_DIR, connect
from tests.python.loads import contents, differences
from tests.python.warehouses import FACTS, UP_TO_FACTS, Warehouse, errors_of

BIN = Path(sys.executable).parent
HOLDER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("create table if not exists held (held int)")
print("held", flush=True)
sys.stdin.read()
"""
# Every script that opens the warehouse; the files are those of `events`.
SCRIPTS = {
    "load_events": ["scripts/load_events.py", "{events}"],
    "prepare_events": ["scripts/prepare_events.py", "{events}"],
    "prepare_events, no files": ["scripts/prepare_events.py"],
    "run_checkpoint": ["scripts/quality/run_checkpoint.py"],
    "publish_marts": ["scripts/publish_marts.py"],
    "summarize": ["scripts/summarize.py"],
    "check_lock": ["scripts/check_lock.py"],
}

pytestmark = [pytest.mark.timeout(1800), pytest.mark.xdist_group("locked_warehouse")]


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """Return a file of generated events."""
    folder = tmp_path_factory.mktemp("events")
    arguments = ["--out", str(folder), "--runs", "40", "--days", "10", "--seed", "5"]
    assert generate_events.main(arguments) == 0
    return folder / "events.ndjson"


@pytest.fixture(scope="module")
def alone(tmp_path_factory, events):
    """Return a warehouse, its file with events and without models, and what a build makes of it."""
    warehouse = Warehouse(tmp_path_factory.mktemp("locked_warehouse"))
    warehouse.fresh()
    assert load_events.main([str(events), "--warehouse", str(warehouse.path)]) == 0
    loaded = warehouse.path.with_name("loaded.duckdb")
    shutil.copyfile(warehouse.path, loaded)
    result = warehouse.dbt("run", *UP_TO_FACTS)
    assert result.success, errors_of(result)
    return warehouse, loaded, contents(warehouse.path)


@pytest.fixture
def warehouse(alone):
    """Return the warehouse with events and without models."""
    found, loaded, _ = alone
    shutil.copyfile(loaded, found.path)
    Path(f"{found.path}.wal").unlink(missing_ok=True)
    return found


def environment(path):
    """Return the environment of a process that builds in `path`."""
    return {
        **os.environ,
        "AGENT_ANALYTICS_DUCKDB_PATH": str(path),
        "AGENT_ANALYTICS_PUBLISHED_PATH": str(path.with_name("published.duckdb")),
        "DBT_PROFILES_DIR": str(PROJECT_DIR),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_LOG_PATH": str(path.with_name("logs")),
        "DBT_TARGET_PATH": str(path.with_name("target")),
        "NO_COLOR": "1",
    }


def start(path, *command):
    """Start a command of the project that works on `path`."""
    return subprocess.Popen(
        list(map(str, command)),
        cwd=PROJECT_DIR,
        env=environment(path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def dbt(path, *arguments):
    """Start dbt in a process of its own."""
    return start(path, sys.executable, BIN / "dbt", *arguments)


def end(process):
    """Wait for a process and return its exit code, standard output and standard error."""
    output, errors = process.communicate()
    return process.returncode, output, errors


@contextmanager
def held(path):
    """Hold the file in a process that has nothing to do with dbt."""
    process = start(path, sys.executable, "-c", HOLDER, path)
    try:
        assert process.stdout.readline() == "held\n", process.stderr.read()
        yield process
    finally:
        end(process)


@contextmanager
def build_that_waits(path):
    """Start a build and stop its process once it writes tables, until the block is left."""
    process = dbt(path, "run", "--no-use-colors", *UP_TO_FACTS)
    for line in process.stdout:
        if "START" in line:
            break
    process.send_signal(signal.SIGSTOP)
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    process.send_signal(signal.SIGCONT)


def assert_one_line(errors, path, process):
    """Look for one line that names the file, the process and what to do."""
    lines = errors.strip().splitlines()
    assert len(lines) == 1, errors
    assert lines[0].startswith(f"error: {path} is locked by process {process.pid} (")
    assert "and try again" in lines[0]
    return lines[0]


def assert_as_if_alone(warehouse, alone):
    """Compare all tables with those of a build that was alone, and build once more."""
    expected = alone[2]
    assert differences(expected, contents(warehouse.path)) == []
    assert all(expected[f"analytics_marts.{fact}"][1] for fact in FACTS)
    result = warehouse.dbt("run", *UP_TO_FACTS)
    assert result.success, errors_of(result)
    assert differences(expected, contents(warehouse.path)) == []


def test_second_build_and_scripts_name_the_first(warehouse, alone, events):
    """While a build runs, another one and every script end with its id, and do it no harm."""
    # the path that the project is parsed for; DuckDB follows the link in it
    path = Path(warehouse.environment()["AGENT_ANALYTICS_DUCKDB_PATH"])
    with build_that_waits(path) as first:
        code, output, errors = end(dbt(path, "build", "--quiet"))
        assert code != 0
        said = [line for line in (output + errors).splitlines() if line.strip()]
        # dbt prints a traceback; what happened is said before and behind it
        for line in (said[1], said[-1]):
            assert f'"{warehouse.path}"' in line and f"(PID {first.pid})" in line
        for name, parts in SCRIPTS.items():
            command = [part.format(events=events) for part in parts]
            code, output, errors = end(start(path, sys.executable, *command))
            assert (code, output) == (2, ""), name
            command_line = f" run --no-use-colors {' '.join(UP_TO_FACTS)})"
            assert command_line in assert_one_line(errors, path, first)
    code, output, errors = end(first)
    assert code == 0, output + errors
    assert_as_if_alone(warehouse, alone)


@pytest.mark.slow
def test_two_builds_at_the_same_time(warehouse, alone):
    """One of two builds that start together wins, the other names it."""
    builds = [dbt(warehouse.path, "run", "--quiet", *UP_TO_FACTS) for _ in range(2)]
    ended = [end(build) for build in builds]
    winner, loser = (0, 1) if ended[0][0] == 0 else (1, 0)
    assert ended[winner] == (0, "", "")
    code, output, _ = ended[loser]
    assert code != 0
    assert f'"{warehouse.path}"' in output and f"(PID {builds[winner].pid})" in output
    assert_as_if_alone(warehouse, alone)


@pytest.mark.slow
def test_make_build_says_it_in_one_line(warehouse, tmp_path):
    """`make build` ends where it opens the file, also when another came in between its steps."""
    programs = tmp_path / "bin"
    programs.mkdir()
    started, may_go_on = tmp_path / "started", tmp_path / "may_go_on"
    waits = f"touch {started}; while [ ! -e {may_go_on} ]; do sleep 0.1; done"
    program = programs / "python"
    program.write_text(
        f'#!/usr/bin/env bash\ncase "$1" in */build_models.py) {waits};; esac\n'
        f'exec "{BIN / "python"}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    ready = tmp_path / "ready"
    ready.touch()
    # Never the rule that rebuilds the environment.
    make = ["make", "build", f"BIN={programs}", f"READY={ready}", "EVENTS="]

    with held(warehouse.path) as holder:
        code, output, errors = end(start(warehouse.path, *make))
        assert code != 0 and "building the models" not in output
        assert_one_line(without_make(errors), warehouse.path, holder)

    build = start(warehouse.path, *make)
    while build.poll() is None and not started.exists():
        time.sleep(0.1)
    with held(warehouse.path) as holder:
        may_go_on.touch()
        code, output, errors = end(build)
        assert code != 0 and "Built and tested" not in output
        assert_one_line(without_make(errors), warehouse.path, holder)


def without_make(errors):
    """Leave out what make says about the rule that failed."""
    return "\n".join(line for line in errors.splitlines() if not line.startswith("make"))


@pytest.mark.slow
def test_two_first_loads_at_the_same_time(tmp_path):
    """Two that find no warehouse leave one whole sample; who did not load it says why."""
    single, both = (tmp_path / name / "warehouse.duckdb" for name in ("single", "both"))
    code, _, errors = end(start(single, sys.executable, "scripts/prepare_events.py"))
    assert code == 0, errors
    loads = [start(both, sys.executable, "scripts/prepare_events.py") for _ in range(2)]
    ended = [end(one) for one in loads]
    assert 0 in [code for code, _, _ in ended], ended
    for (code, _, errors), other in zip(ended, reversed(loads), strict=True):
        if code != 0:
            assert_one_line(errors, both, other)
    assert raw_counts(both) == raw_counts(single)
    assert sorted(path.name for path in both.parent.iterdir()) == [
        "sample",
        both.name,
        f"{both.name}.sample",
    ]


def raw_counts(path):
    """Return the number of rows of every raw table."""
    with connect(path) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables "
            "where table_schema = 'rudderstack' order by all"
        ).fetchall()
        return {
            table: connection.execute(f"select count(*) from rudderstack.{table}").fetchone()
            for (table,) in tables
        }


def test_file_another_process_has_just_made_stays(tmp_path, events, monkeypatch, capsys):
    """A first load that finds its file taken must not remove it as a leftover of its own."""
    path = tmp_path / "warehouse.duckdb"
    holders = []

    def connect_late(warehouse):
        holders.append(stack.enter_context(held(warehouse)))
        return connect(warehouse)

    monkeypatch.setattr(load_events, "connect", connect_late)
    with ExitStack() as stack:
        with pytest.raises(SystemExit) as caught:
            load_events.main([str(events), "--warehouse", str(path)])
        assert caught.value.code == 2
        assert_one_line(capsys.readouterr().err, path, holders[0])
        assert path.exists()
    with connect(path) as connection:
        assert connection.execute("select count(*) from held").fetchone() == (0,)


def test_no_lock_is_seen_in_a_name(tmp_path, capsys):
    """A file that is no DuckDB file is not called locked because its path has the word."""
    path = tmp_path / "lock.duckdb"
    path.write_text("Could I be a database? " * 1000)
    with pytest.raises(SystemExit):
        connect(path)
    assert "cannot be opened as a DuckDB file" in capsys.readouterr().err
