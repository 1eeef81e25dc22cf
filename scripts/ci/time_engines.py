"""Time `dbt run` on several engines from the same raw tables, beside one hand-written script.

Every engine holds the raw tables as RudderStack would write them there; loading and seeds are not
part of the time of `dbt run`. The hand-written DuckDB script (scripts/benchmark/reference.sql)
reads the Parquet files and is the yardstick.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb

from scripts.benchmark.measure import machine, usable_cores
from scripts.benchmark.run_benchmark import (
    add_timing_arguments,
    count_events,
    generate,
    time_reference,
)
from scripts.benchmark.run_reference import EVENT_TABLES
from scripts.benchmark.timings import engine_seconds
from scripts.ci.engines.base import Engine, EngineError, engines
from scripts.ci.engines.compare import compare_with_duckdb, real_differences
from scripts.ci.engines.project_runs import DUCKDB, ProjectRun, ProjectRuns
from scripts.ci.engines.raw_tables import copy_raw_tables, cut_fractions_of_seconds
from scripts.warehouse import (
    DEFAULT_MEMORY_LIMIT,
    RAW_SCHEMA,
    connect,
    fail,
    quote_identifier,
    quote_literal,
)

DEFAULT_EVENTS = 1_000_000
REFERENCE = "hand-written script"


@dataclass(frozen=True)
class EngineTiming:
    """Seconds of one engine; None where a step does not exist for it."""

    name: str
    start_seconds: float | None
    load_seconds: float | None
    run_seconds: float
    engine_seconds: float
    differences: int | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Time the engines, print a Markdown table; return 1 when tables differ from DuckDB's."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    # Readable by all: a server may run as another user.
    work = Path(tempfile.mkdtemp(prefix="agent_analytics_timing_"))
    work.chmod(0o755)
    try:
        data = options.data.resolve() if options.data else work / "events"
        if not (data / f"{EVENT_TABLES[0]}.parquet").is_file():
            generate(data, options.events)
        events = count_events(data)
        print(f"{events:,} events in {data}", flush=True)
        timings = [_time_reference(data, work, options.memory_limit)]
        warehouse = work / "duckdb.duckdb"
        timings.append(_time_duckdb(data, warehouse, work, options.memory_limit))
        for name in options.engine:
            timings.append(_time_engine(engines()[name](), warehouse, work, options.compare))
    except EngineError as error:
        fail(str(error), 1)
    except KeyboardInterrupt:
        fail("stopped", 130)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _print_table(events, timings)
    if options.json:
        result = {
            "events": events,
            "machine": machine(),
            "duckdb": duckdb.__version__,
            "engines": [asdict(timing) for timing in timings],
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
        print(f"written to {options.json}")
    return 1 if any(timing.differences for timing in timings) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Time `dbt run` on DuckDB and other engines from the same generated events, "
        "beside one hand-written DuckDB script, and print a Markdown table."
    )
    parser.add_argument(
        "--engine",
        action="append",
        default=[],
        choices=sorted(engines()),
        help="engine to time besides DuckDB; may be given several times",
    )
    add_timing_arguments(parser, DEFAULT_EVENTS)
    parser.add_argument(
        "--memory-limit",
        default=DEFAULT_MEMORY_LIMIT,
        help="memory limit of DuckDB (default %(default)s)",
    )
    parser.add_argument(
        "--compare",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare every table with DuckDB's, exit 1 when one differs (default: yes)",
    )
    options = parser.parse_args(arguments)
    if options.events < 1:
        fail(f"--events must be at least 1, not {options.events}")
    return options


def _time_reference(data: Path, work: Path, memory_limit: str) -> EngineTiming:
    print(REFERENCE, flush=True)
    timing = time_reference(data, work, usable_cores(), memory_limit)
    (work / "reference.duckdb").unlink()
    return EngineTiming(
        REFERENCE, None, None, timing.process.wall_seconds, timing.engine_seconds, None
    )


def _time_duckdb(data: Path, warehouse: Path, work: Path, memory_limit: str) -> EngineTiming:
    print(f"{DUCKDB}: loading", flush=True)
    started = time.monotonic()
    with connect(warehouse) as connection:
        connection.execute(f"create schema {quote_identifier(RAW_SCHEMA)}")
        for table in EVENT_TABLES:
            file = quote_literal(str(data / f"{table}.parquet"))
            connection.execute(
                f"create table {quote_identifier(RAW_SCHEMA)}.{quote_identifier(table)}"
                f" as from read_parquet({file})"
            )
    load_seconds = time.monotonic() - started
    runs = ProjectRuns(work / DUCKDB, warehouse=warehouse, report=_print)
    environment = {"AGENT_ANALYTICS_DUCKDB_MEMORY_LIMIT": memory_limit}
    run, seconds = _seed_and_run(runs, work / DUCKDB, environment)
    return EngineTiming(DUCKDB, None, load_seconds, run.seconds, seconds, None)


def _time_engine(engine: Engine, warehouse: Path, work: Path, is_compared: bool) -> EngineTiming:
    folder = work / engine.name
    folder.mkdir()
    folder.chmod(0o755)
    try:
        start_seconds = _timed(lambda: engine.start(folder / "server"))
        if is_compared and not engine.keeps_fractions_of_seconds:
            warehouse = _built_from_whole_seconds(warehouse, folder)
        load_seconds = _timed(lambda: copy_raw_tables(warehouse, RAW_SCHEMA, engine, _print))
        runs = ProjectRuns(folder, engine, report=_print)
        run, seconds = _seed_and_run(runs, folder, {})
        differences = None
        if is_compared:
            exports = folder / "exports"
            exports.mkdir()
            found = compare_with_duckdb(warehouse, engine, exports, report=_print)
            for difference in found:
                _print(str(difference))
            differences = len(real_differences(found))
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return EngineTiming(engine.name, start_seconds, load_seconds, run.seconds, seconds, differences)


def _built_from_whole_seconds(warehouse: Path, folder: Path) -> Path:
    """Return a copy of a built warehouse, built again from times without fractions of seconds.

    With what an engine does not keep DuckDB's tables would differ.
    """
    copy = folder / "whole_seconds.duckdb"
    shutil.copyfile(warehouse, copy)
    cut_fractions_of_seconds(copy, RAW_SCHEMA)
    _seed_and_run(ProjectRuns(folder / DUCKDB, warehouse=copy, report=_print), folder / DUCKDB, {})
    return copy


def _seed_and_run(
    runs: ProjectRuns, folder: Path, environment: dict[str, str]
) -> tuple[ProjectRun, float]:
    """Load the seeds untimed, run all models; return the run and the seconds in the engine."""
    # A copy of a built warehouse has other raw rows under the same load times: nothing to continue.
    for action in ("seed", "run"):
        run = runs.dbt(action, "--full-refresh", environment=environment)
        if not run.succeeded:
            # Without the first line: the file it names is about to be removed.
            lines = run.tail().splitlines()[1:]
            fail("\n".join([f"dbt {action} failed on {runs.name}:", *lines]), 1)
    return run, engine_seconds(folder / "target" / "run_results.json")


def _print(line: str) -> None:
    print(f"  {line}", flush=True)


def _timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print_table(events: int, timings: list[EngineTiming]) -> None:
    """Print a Markdown table; the ratio is that of whole processes."""
    yardstick = timings[0].run_seconds
    print(f"\n{events:,} events, {usable_cores()} cores\n")
    print("| engine | start (s) | load (s) | `dbt run` (s) | in the engine (s) | ratio | tables |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for timing in timings:
        cells = [
            timing.name,
            _seconds(timing.start_seconds),
            _seconds(timing.load_seconds),
            _seconds(timing.run_seconds),
            _seconds(timing.engine_seconds),
            f"{timing.run_seconds / yardstick:.1f}",
            _verdict(timing),
        ]
        print(f"| {' | '.join(cells)} |")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _verdict(timing: EngineTiming) -> str:
    if timing.differences is None:
        return ""
    return f"{timing.differences} columns differ" if timing.differences else "equal to DuckDB's"


if __name__ == "__main__":
    raise SystemExit(main())
