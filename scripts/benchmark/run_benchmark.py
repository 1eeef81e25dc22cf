"""Compare the time of `dbt run` with that of one hand-written DuckDB script for the same tables.

Both read the same Parquet files and write a fresh DuckDB file, in processes of their own on the
same cores and with the same memory limit, one after the other, several times. Afterwards all seven
tables are compared row for row, since a fast wrong answer is worth nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb
from rich.console import Console
from rich.table import Table

from scripts.benchmark.compare import compare
from scripts.benchmark.measure import BYTES_PER_GIB, Measurement, machine, measure, usable_cores
from scripts.benchmark.run_reference import EVENT_TABLES
from scripts.warehouse import PROJECT_DIR, fail, quote_literal

DEFAULT_EVENTS = 10_000_000
# What the generator's products send per run on average.
EVENTS_PER_RUN = 22.5
SEED = 11
DAYS = 365
# What the project promises on two cores.
RATIO_TARGET = 3.0
MEMORY_TARGET_BYTES = 8 * BYTES_PER_GIB


@dataclass(frozen=True)
class Timing:
    """One repetition: the whole process, and the seconds in which the engine worked."""

    process: Measurement
    engine_seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when the two sets of tables differ, else 0."""
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="agent_analytics_benchmark_") as scratch:
        work = Path(scratch)
        data = options.data.resolve() if options.data else work / "events"
        if not (data / f"{EVENT_TABLES[0]}.parquet").is_file():
            generate(data, options.events)
        events = count_events(data)
        print(f"{events:,} events in {data}", flush=True)

        references: list[Timing] = []
        projects: list[Timing] = []
        for repetition in range(1, options.repetitions + 1):
            print(f"repetition {repetition} of {options.repetitions}", flush=True)
            references.append(time_reference(data, work, options.threads, options.memory_limit))
            projects.append(time_project(data, work, options.threads, options.memory_limit))

        differences = []
        if options.compare:
            print("comparing the tables", flush=True)
            differences = compare(
                work / "reference.duckdb",
                work / "project.duckdb",
                memory_limit=options.memory_limit,
                threads=options.threads,
            )

    result = summary(events, options.threads, options.memory_limit, references, projects)
    result["tables_compared"] = options.compare
    result["differences"] = [str(difference) for difference in differences]
    print_result(result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
        print(f"written to {options.json}")
    for difference in differences:
        print(f"error: {difference}", file=sys.stderr)
    return 1 if differences else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Time `dbt run` against one hand-written DuckDB script for the same facts and "
        "marts, compare the tables row for row, print both and their ratio."
    )
    add_timing_arguments(parser, DEFAULT_EVENTS)
    parser.add_argument(
        "--repetitions", type=int, default=3, help="times each side runs; medians count (default 3)"
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="cores and threads of each side (default 2)"
    )
    parser.add_argument(
        "--memory-limit", default="5GB", help="memory limit of DuckDB on each side (default 5GB)"
    )
    parser.add_argument(
        "--compare",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare all seven tables row for row and exit 1 when they differ (default: yes)",
    )
    options = parser.parse_args(arguments)
    for name in ("events", "repetitions", "threads"):
        if getattr(options, name) < 1:
            fail(f"--{name} must be at least 1, not {getattr(options, name)}")
    if options.threads > usable_cores():
        fail(f"--threads {options.threads}: this machine has {usable_cores()} usable cores")
    return options


def add_timing_arguments(parser: argparse.ArgumentParser, default_events: int) -> None:
    """Add what every timing is told: the events to time, and where to write the figures."""
    parser.add_argument(
        "--events",
        type=int,
        default=default_events,
        help=f"events to generate, approximately (default {default_events:,})",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of Parquet files to use, generated there when absent (default: temporary)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")


def generate(data: Path, events: int) -> None:
    """Generate about `events` events as Parquet in `data`; exit when the generator fails."""
    runs = max(1, round(events / EVENTS_PER_RUN))
    print(f"generating {events:,} events ({runs:,} runs) in {data}", flush=True)
    command = [sys.executable, "scripts/generate_events.py", "--out", str(data)]
    command += [
        "--runs",
        str(runs),
        "--days",
        str(DAYS),
        "--seed",
        str(SEED),
        "--format",
        "parquet",
    ]
    if subprocess.run(command, cwd=PROJECT_DIR, check=False).returncode:
        fail(f"events could not be generated in {data}")


def count_events(data: Path) -> int:
    """Return the number of rows in the seven Parquet files; exit when one is unreadable."""
    total = 0
    for table in EVENT_TABLES:
        file = data / f"{table}.parquet"
        try:
            row = duckdb.execute(
                f"select count(*) from read_parquet({quote_literal(str(file))})"
            ).fetchone()
        except duckdb.Error as error:
            fail(f"{file} is not readable as Parquet ({str(error).splitlines()[0]}); remove it")
        assert row is not None
        total += row[0]
    return total


def time_reference(data: Path, work: Path, threads: int, memory_limit: str) -> Timing:
    """Run the reference script in a fresh process on a fresh file."""
    command = [sys.executable, "scripts/benchmark/run_reference.py"]
    command += ["--data", str(data), "--out", str(work / "reference.duckdb")]
    command += ["--threads", str(threads), "--memory-limit", memory_limit]
    process = measure(
        command,
        cwd=PROJECT_DIR,
        environment=dict(os.environ),
        log=work / "reference.log",
        label="reference script",
        cores=threads,
    )
    if process.returncode:
        fail(f"the reference script failed: {process.output[-2000:]}", 1)
    line = process.output.rstrip().splitlines()[-1]
    seconds = float(line.partition(" in ")[2].partition(" s")[0])
    return Timing(process, seconds)


def time_project(data: Path, work: Path, threads: int, memory_limit: str) -> Timing:
    """Run `dbt seed` untimed and `dbt run` timed, in fresh processes on a fresh file.

    The engine's seconds go from the start of the first node to the end of the last one, so they
    leave out what dbt does before and after.
    """
    warehouse = work / "project.duckdb"
    warehouse.unlink(missing_ok=True)
    target = work / "target"
    environment = {
        **os.environ,
        "AGENT_ANALYTICS_DUCKDB_PATH": str(warehouse),
        "AGENT_ANALYTICS_DUCKDB_MEMORY_LIMIT": memory_limit,
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(work),
    }
    dbt = str(Path(sys.executable).with_name("dbt"))
    variables = json.dumps({"rudderstack_parquet_dir": str(data)})
    for action, is_timed in (("seed", False), ("run", True)):
        process = measure(
            [dbt, action, "--threads", str(threads), "--vars", variables],
            cwd=PROJECT_DIR,
            environment=environment,
            log=work / f"dbt_{action}.log",
            label=f"dbt {action}",
            cores=threads,
        )
        if process.returncode:
            fail(f"dbt {action} failed: {process.output[-2000:]}", 1)
        if is_timed:
            return Timing(process, engine_seconds(target / "run_results.json"))
    raise AssertionError("unreachable: the last action is timed")


def engine_seconds(run_results: Path) -> float:
    """Return the seconds from the start of dbt's first node to the end of its last one."""
    nodes = json.loads(run_results.read_text("utf-8"))["results"]
    moments = [
        (
            datetime.fromisoformat(timing["started_at"]),
            datetime.fromisoformat(timing["completed_at"]),
        )
        for node in nodes
        for timing in node["timing"]
        if timing["started_at"] and timing["completed_at"]
    ]
    return (max(end for _, end in moments) - min(start for start, _ in moments)).total_seconds()


def summary(
    events: int,
    threads: int,
    memory_limit: str,
    references: list[Timing],
    projects: list[Timing],
) -> dict[str, object]:
    """Return medians, single repetitions, the ratio, and what they were measured on."""
    reference = _side(references)
    project = _side(projects)
    return {
        "events": events,
        "threads": threads,
        "memory_limit": memory_limit,
        "machine": machine(),
        "duckdb": duckdb.__version__,
        "reference": reference,
        "project": project,
        "ratio": {
            name: round(project[name] / reference[name], 2)
            for name in ("wall_seconds", "engine_seconds", "cpu_seconds")
        },
        "targets": {
            "ratio_of_wall_seconds": RATIO_TARGET,
            "peak_memory_gib": MEMORY_TARGET_BYTES / BYTES_PER_GIB,
        },
    }


def _side(timings: list[Timing]) -> dict[str, float]:
    """Return the medians of one side, and the largest peak of its memory."""
    return {
        "repetitions": len(timings),
        "wall_seconds": round(statistics.median(t.process.wall_seconds for t in timings), 2),
        "fastest_wall_seconds": round(min(t.process.wall_seconds for t in timings), 2),
        "slowest_wall_seconds": round(max(t.process.wall_seconds for t in timings), 2),
        "engine_seconds": round(statistics.median(t.engine_seconds for t in timings), 2),
        "cpu_seconds": round(statistics.median(t.process.cpu_seconds for t in timings), 2),
        "peak_memory_gib": round(max(t.process.peak_bytes for t in timings) / BYTES_PER_GIB, 2),
    }


def print_result(result: dict) -> None:
    """Print the figures as a table, whether the targets are met, and the machine."""
    console = Console()
    table = Table(
        title=f"{result['events']:,} events, {result['threads']} cores", title_justify="left"
    )
    for column in ("", "reference script", "dbt run", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    reference, project, ratio = result["reference"], result["project"], result["ratio"]
    rows = (
        ("wall clock, whole process (s)", "wall_seconds"),
        ("engine, without start-up (s)", "engine_seconds"),
        ("processor time (s)", "cpu_seconds"),
    )
    for label, name in rows:
        table.add_row(label, f"{reference[name]:.1f}", f"{project[name]:.1f}", f"{ratio[name]:.2f}")
    memory = "peak_memory_gib"
    table.add_row("peak memory (GiB)", f"{reference[memory]:.2f}", f"{project[memory]:.2f}", "")
    console.print(table)
    device = result["machine"]
    print(
        f"machine: {device['processor']}, {device['cores']} usable cores, "
        f"{device['memory_gib']} GiB; DuckDB {result['duckdb']}, limit {result['memory_limit']}"
    )
    targets = result["targets"]
    limits = (
        ("ratio at most", ratio["wall_seconds"], targets["ratio_of_wall_seconds"], ""),
        ("peak memory at most", project[memory], targets["peak_memory_gib"], " GiB"),
    )
    for label, value, limit, unit in limits:
        print(f"{label} {limit:.0f}{unit}: {'met' if value <= limit else 'MISSED'}")
    if result["tables_compared"]:
        count = len(result["differences"])
        print("tables: equal row for row" if not count else f"tables: {count} columns differ")


if __name__ == "__main__":
    raise SystemExit(main())
