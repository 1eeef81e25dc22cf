"""Build the project on an emulated Snowflake or BigQuery: raw tables of a generated sample, then
`dbt build`. Both emulators translate SQL to DuckDB and accept more than the warehouses do, so a
build that passes says less than one on a real engine; one that fails says where to look."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from scripts.ci.engines.base import EngineError, RawColumn
from scripts.ci.engines.raw_tables import raw_columns, raw_tables
from scripts.warehouse import PROJECT_DIR, RAW_SCHEMA, quote_identifier

MAIN_PYTHON = PROJECT_DIR / ".venv/bin/python"
ROWS_PER_INSERT = 200


@dataclass(frozen=True)
class Emulator:
    """How one emulator is started and fed."""

    environment: str
    command: tuple[str, ...]
    types: dict[str, str]
    upper_case: bool
    preparation: tuple[str, ...]
    build_arguments: tuple[str, ...]
    # Settings of dbt_project.yml that the emulator cannot follow, with what they become.
    overrides: dict[str, object]
    # Macros that replace those of the project, because the emulator lacks what they need.
    macros: str = ""


NO_COMMENTS = {"relation": False, "columns": False}

PERCENTILE_WITHOUT_FUNCTION = """
{% macro bigquery__percentile(expression, fraction) -%}
    {%- set sorted = 'array_agg(cast(' ~ expression ~ ' as float64)'
        ~ ' ignore nulls order by ' ~ expression ~ ')' -%}
    {%- set place = '(count(' ~ expression ~ ') - 1) * ' ~ fraction -%}
    {%- set lower = sorted ~ '[safe_offset(cast(floor(' ~ place ~ ') as int64))]' -%}
    {%- set upper = sorted ~ '[safe_offset(cast(ceil(' ~ place ~ ') as int64))]' -%}
    ({{ lower }} + ({{ upper }} - {{ lower }}) * ({{ place }} - floor({{ place }})))
{%- endmacro %}
"""

EMULATORS = {
    "snowflake": Emulator(
        environment="fakesnow",
        command=("fakesnow", "--server", "--host", "127.0.0.1", "--port"),
        types={
            "string": "varchar",
            "int": "number(38, 0)",
            "float": "double precision",
            "datetime": "timestamp_tz",
            "boolean": "boolean",
            "json": "variant",
        },
        upper_case=True,
        preparation=("create database if not exists EMULATED",),
        # The emulator refuses the temporary tables that unit tests create.
        build_arguments=(
            *("--exclude-resource-type", "unit_test"),
            # It adds up numeric columns as binary floats: sums of money differ in the last digit.
            "--exclude",
            "assert_inclusive_cost_of_roots_is_all_cost",
            "assert_steps_add_up_to_sessions",
            "assert_lower_levels_add_up_to_runs",
            "assert_rollup_cost_equals_run_cost",
        ),
        # It cannot read the $$ around comments.
        overrides={"persist_docs": NO_COMMENTS},
    ),
    "bigquery": Emulator(
        environment="crucible",
        command=("crucible", "serve", "--dialect", "bigquery", "--host", "127.0.0.1", "--port"),
        types={
            "string": "string",
            "int": "int64",
            "float": "float64",
            "datetime": "timestamp",
            "boolean": "bool",
            "json": "string",
        },
        upper_case=False,
        preparation=(),
        # They take most of the time there, and one of them holds text the emulator cannot read.
        build_arguments=("--exclude-resource-type", "unit_test"),
        # It has no functions of one's own, so the percentiles are written out, and no comments.
        overrides={"on-run-start": [], "persist_docs": NO_COMMENTS},
        macros=PERCENTILE_WITHOUT_FUNCTION,
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, load, build, stop; return 1 unless the build succeeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("warehouse", choices=sorted(EMULATORS))
    parser.add_argument("--runs", type=int, default=30, help="runs in the sample (default 30)")
    parser.add_argument(
        "--timeout", type=int, default=900, help="seconds dbt may take (default 900)"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder to leave logs in")
    parser.add_argument(
        "dbt_arguments", nargs="*", metavar="ARGUMENT", help="after --: further dbt arguments"
    )
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="agent_analytics_emulated_") as scratch:
            folder = options.keep or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            return emulate(options, folder)
    except (EngineError, subprocess.CalledProcessError) as error:
        print(f"emulate: {error}", file=sys.stderr)
        return 1


def emulate(options: argparse.Namespace, folder: Path) -> int:
    """Run the whole thing in a folder for its files."""
    emulator = EMULATORS[options.warehouse]
    say(f"preparing .venv-{emulator.environment}")
    subprocess.run(
        [PROJECT_DIR / "scripts/ci/prepare_environment", emulator.environment], check=True
    )
    programs = PROJECT_DIR / f".venv-{emulator.environment}/bin"
    say(f"generating a sample of {options.runs} runs")
    statements = [*emulator.preparation, *load_statements(options, emulator, folder)]
    statements_file = folder / "statements.json"
    statements_file.write_text(json.dumps(statements), "utf-8")
    with running(programs, emulator, folder) as port:
        say(f"emulated {options.warehouse}: loading {len(statements)} statements")
        subprocess.run(
            [
                programs / "python",
                PROJECT_DIR / "scripts/ci/emulators/run_statements.py",
                options.warehouse,
                str(port),
                statements_file,
            ],
            check=True,
            timeout=options.timeout,
        )
        say(f"emulated {options.warehouse}: dbt build, at most {options.timeout} s")
        return build(options, emulator, programs, folder, port)


def load_statements(options: argparse.Namespace, emulator: Emulator, folder: Path) -> Iterator[str]:
    """Yield the statements that create and fill the raw tables of a generated sample."""
    sample, warehouse = folder / "sample", folder / "sample.duckdb"
    scripts = PROJECT_DIR / "scripts"
    generate = [scripts / "generate_events.py", "--out", sample, "--runs", str(options.runs)]
    run_quietly([MAIN_PYTHON, *generate, "--dirt-all"], folder)
    warehouse.unlink(missing_ok=True)
    events = sorted(sample.glob("*.ndjson"))
    run_quietly(
        [MAIN_PYTHON, scripts / "load_events.py", "--warehouse", warehouse, *events], folder
    )

    def spelled(name: str) -> str:
        return name.upper() if emulator.upper_case else name

    schema = spelled(RAW_SCHEMA)
    place = f"EMULATED.{schema}" if emulator.upper_case else schema
    yield f"create schema if not exists {place}"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in raw_tables(connection, RAW_SCHEMA):
            relation = f"{quote_identifier(RAW_SCHEMA)}.{quote_identifier(table)}"
            columns = raw_columns(connection, relation)
            quote = '"' if emulator.upper_case else "`"
            listed = ", ".join(
                f"{quote}{spelled(column.name)}{quote} {emulator.types[column.rudder_type]}"
                for column in columns
            )
            yield f"create or replace table {place}.{spelled(table)} ({listed})"
            cursor = connection.execute(f"from {relation}")
            while rows := cursor.fetchmany(ROWS_PER_INSERT):
                values = ",\n".join(
                    "(" + ", ".join(map(literal, columns, row, [emulator] * len(row))) + ")"
                    for row in rows
                )
                yield f"insert into {place}.{spelled(table)} values {values}"


def literal(column: RawColumn, value: object, emulator: Emulator) -> str:
    """Return a value as SQL."""
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"cast('{value.isoformat(sep=' ')}' as {emulator.types['datetime']})"
    text = str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return "'" + text.replace("'", "''" if emulator.upper_case else "\\'") + "'"


def run_quietly(command: Sequence[str | Path], folder: Path) -> None:
    """Run a command with its output in a log file."""
    with (folder / "sample.log").open("a", encoding="utf-8") as log:
        subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)


@contextmanager
def running(programs: Path, emulator: Emulator, folder: Path) -> Iterator[int]:
    """Run an emulator on a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    name, *arguments = emulator.command
    log_path = folder / "emulator.log"
    with log_path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [programs / name, *arguments, str(port)], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_until_open(process, port, log_path)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_open(process: subprocess.Popen, port: int, log: Path, seconds: int = 60) -> None:
    """Wait for the emulator to listen."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.3)
    last = log.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
    raise EngineError(f"the emulator did not start: {' '.join(last) or 'it said nothing'}")


def project_for(emulator: Emulator, folder: Path) -> Path:
    """Return a folder that is the project but for what the emulator cannot do."""
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    package = project / "dbt_packages/emulated"
    (package / "macros").mkdir(parents=True)
    settings = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text("utf-8"))
    for part in ("models", "macros", "seeds", "tests"):
        (project / part).symlink_to(PROJECT_DIR / part)
    (project / ".dbtignore").write_text("tests/python/\ntests/engines/\n", "utf-8")
    for setting, value in emulator.overrides.items():
        if setting == "persist_docs":
            settings["models"][settings["name"]]["+persist_docs"] = value
        else:
            settings[setting] = value
    settings["dispatch"] = [
        {"macro_namespace": settings["name"], "search_order": ["emulated", settings["name"]]}
    ]
    (project / "dbt_project.yml").write_text(yaml.safe_dump(settings), "utf-8")
    (package / "dbt_project.yml").write_text(
        yaml.safe_dump({"name": "emulated", "version": "1.0.0"}), "utf-8"
    )
    (project / "packages.yml").write_text("packages: [{local: emulated}]\n", "utf-8")
    (package / "macros/emulated.sql").write_text(emulator.macros, "utf-8")
    return project


def build(
    options: argparse.Namespace, emulator: Emulator, programs: Path, folder: Path, port: int
) -> int:
    """Run dbt build against the emulator and print what became of it."""
    target = folder / "target"
    command = [
        "timeout",
        str(options.timeout),
        programs / "dbt",
        "build",
        *("--target", options.warehouse, "--target-path", target, "--log-path", target),
        *("--profiles-dir", PROJECT_DIR / "scripts/ci/emulators", "--no-partial-parse"),
        *emulator.build_arguments,
        *options.dbt_arguments,
    ]
    environment = dict(
        os.environ,
        AGENT_ANALYTICS_EMULATOR_PORT=str(port),
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
        DO_NOT_TRACK="1",
    )
    started = time.monotonic()
    output = folder / "dbt_build.log"
    with output.open("w", encoding="utf-8") as log:
        finished = subprocess.run(
            command,
            check=False,
            cwd=project_for(emulator, folder),
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    seconds = time.monotonic() - started
    results_file = target / "run_results.json"
    if not results_file.exists():
        last = output.read_text("utf-8", errors="replace").strip().splitlines()[-12:]
        print("\n".join([f"emulated {options.warehouse}: dbt ended without results", *last]))
        return 1
    results = json.loads(results_file.read_text("utf-8"))["results"]
    counts = Counter((result["unique_id"].split(".")[0], result["status"]) for result in results)
    for (kind, status), number in sorted(counts.items()):
        print(f"emulated {options.warehouse}: {number:4} {kind} {status}")
    for result in results:
        if result["status"] in ("error", "fail"):
            message = " ".join((result["message"] or "").split())
            print(f"  {result['unique_id']}: {message[:300]}")
    note = " (timed out)" if finished.returncode == 124 else ""
    state = "succeeded" if finished.returncode == 0 else f"failed{note}"
    print(f"emulated {options.warehouse}: dbt build {state} after {seconds:.0f} s")
    return int(finished.returncode != 0)


def say(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
