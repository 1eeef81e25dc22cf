"""Time full and incremental builds on histories of several sizes, beside a hand-written script.

One set of events is cut by load time into histories, one more day and one more hour. On every
history one warehouse is built whole and then continued: with the day, with the hour, with nothing
new. On the largest history the hand-written DuckDB script (reference.sql) computes the same tables
from the same files, right before the full build. Every build is a process of its own on the same
cores and with the same memory limit. The tables are compared row for row, after the full build and
after the incremental ones, since a fast wrong answer is worth nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb

from scripts.benchmark.compare import compare
from scripts.benchmark.cut import Part, Parts, cut, lay_out
from scripts.benchmark.measure import Measurement, measure, usable_cores
from scripts.benchmark.plot import SUFFIXES, write_plot
from scripts.benchmark.report import BUILDS, SizeTimings, print_result, summary
from scripts.benchmark.run_reference import EVENT_TABLES, event_files
from scripts.benchmark.timings import STATEMENT_LOG, Timing, engine_seconds, statement_seconds
from scripts.warehouse import DEFAULT_MEMORY_LIMIT, PROJECT_DIR, fail, quote_literal

DEFAULT_EVENTS = 10_000_000
DEFAULT_SIZES = "1/10,1/4,1/2,1"
# What the generator's products send per run on average.
EVENTS_PER_RUN = 22.5
SEED = 11
# A year of history, the day after it, and the hour after that.
DAYS = 366


@dataclass
class Bench:
    """Builds in `work`, a folder for what is thrown away, and what is found on the way.

    The folder of events always has the same name, so that dbt need not parse the project again.
    """

    work: Path
    parts: Parts
    threads: int
    memory_limit: str
    is_compared: bool
    references: list[Timing] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def lake(self) -> Path:
        """Folder of the events that have arrived so far."""
        return self.work / "lake"

    @property
    def project(self) -> Path:
        """The warehouse that dbt builds."""
        return self.work / "project.duckdb"

    @property
    def reference(self) -> Path:
        """What the reference script writes."""
        return self.work / "reference.duckdb"

    def repeat(self, number: int, sizes: list[SizeTimings], *, is_last: bool) -> None:
        """Build on every size of history once and add the timings to `sizes`."""
        for parts, size in enumerate(sizes, start=1):
            print(f"repetition {number}: history of {size.events:,} events", flush=True)
            is_largest = parts == len(sizes)
            is_compared = self.is_compared and is_largest and is_last
            self._lay_out_history(parts)
            if is_largest:
                timing = time_reference(self.lake, self.work, self.threads, self.memory_limit)
                _print_seconds("reference script", timing)
                self.references.append(timing)
                if not is_compared:
                    self.reference.unlink()
            arrivals: dict[str, Part | None] = {
                "full": None,
                "day": self.parts.day,
                "hour": self.parts.hour,
                "none": None,
            }
            for build, part in arrivals.items():
                if part is not None:
                    lay_out(part, self.lake)
                timing = time_project(
                    self.lake, self.work, self.threads, self.memory_limit, BUILDS[build]
                )
                _print_seconds(BUILDS[build], timing)
                size.builds[build].append(timing)
                if is_compared and build == "full":
                    self._compare("full build")
            if is_compared:
                # Not timed: what is asked here is whether the day and the hour were added rightly.
                time_reference(self.lake, self.work, self.threads, self.memory_limit)
                self._compare("incremental builds")
            self.project.unlink()

    def _lay_out_history(self, parts: int) -> None:
        """Put the first `parts` parts of the history, and only them, where dbt reads."""
        shutil.rmtree(self.lake, ignore_errors=True)
        for part in self.parts.history[:parts]:
            lay_out(part, self.lake)
        shutil.copyfile(self.work / "seeded.duckdb", self.project)

    def _compare(self, build: str) -> None:
        """Compare the tables with those of the reference script, which are then removed."""
        print(f"comparing the tables of the {build}", flush=True)
        self.differences += [
            f"{build}: {difference}"
            for difference in compare(
                self.reference,
                self.project,
                memory_limit=self.memory_limit,
                threads=self.threads,
            )
        ]
        self.reference.unlink()


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return 1 when the two sets of tables differ, else 0."""
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="agent_analytics_benchmark_") as scratch:
        work = Path(scratch)
        data = options.data.resolve() if options.data else work / "events"
        if not event_files(data, EVENT_TABLES[0]):
            generate(data, options.events)
        events = count_events(data)
        print(f"{events:,} events in {data}, cut by load time", flush=True)
        parts = cut(data, work / "parts", options.sizes)
        if not options.data:
            shutil.rmtree(data)
        bench = Bench(work, parts, options.threads, options.memory_limit, options.compare)
        sizes = [
            SizeTimings(float(share), parts.history_events(number), {name: [] for name in BUILDS})
            for number, share in enumerate(options.sizes, start=1)
        ]
        seed_project(bench.lake, work, options.threads, options.memory_limit)
        for number in range(1, options.repetitions + 1):
            bench.repeat(number, sizes, is_last=number == options.repetitions)

    result = {
        "events": events,
        "day_events": parts.day.events,
        "hour_events": parts.hour.events,
        "threads": options.threads,
        "memory_limit": options.memory_limit,
        **summary(sizes, bench.references),
        "tables_compared": options.compare,
        "differences": bench.differences,
    }
    print_result(result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
        print(f"written to {options.json}")
    if options.plot:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        write_plot(result, options.plot)
        print(f"drawn in {options.plot}")
    for difference in bench.differences:
        print(f"error: {difference}", file=sys.stderr)
    return 1 if bench.differences else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Time `dbt run` on histories of several sizes: a full build, one more day, one "
        "more hour, no new data; beside it one hand-written DuckDB script for the same facts and "
        "marts. Compare the tables row for row; print medians, ratios and whether they are met."
    )
    add_timing_arguments(parser, DEFAULT_EVENTS)
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw seconds against events of the history, .png or .svg "
        "(default: an .svg beside the file of --json)",
    )
    parser.add_argument(
        "--sizes",
        default=DEFAULT_SIZES,
        metavar="SHARES",
        help="shares of the history to build on, the newest part of it each time, comma separated; "
        f"1, the whole of it, must be among them (default {DEFAULT_SIZES})",
    )
    parser.add_argument(
        "--repetitions",
        type=int,
        default=3,
        help="times each build runs; medians count (default 3)",
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="cores and threads of each side (default 2)"
    )
    parser.add_argument(
        "--memory-limit",
        default=DEFAULT_MEMORY_LIMIT,
        help="memory limit of DuckDB on each side (default %(default)s)",
    )
    parser.add_argument(
        "--compare",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare all seven tables of the largest history row for row, after the full and "
        "after the incremental builds, and exit 1 when they differ (default: yes)",
    )
    options = parser.parse_args(arguments)
    for name in ("events", "repetitions", "threads"):
        if getattr(options, name) < 1:
            fail(f"--{name} must be at least 1, not {getattr(options, name)}")
    if options.threads > usable_cores():
        fail(f"--threads {options.threads}: this machine has {usable_cores()} usable cores")
    options.sizes = _shares(options.sizes)
    if options.plot is None and options.json:
        options.plot = options.json.with_suffix(".svg")
    if options.plot and options.plot.suffix not in SUFFIXES:
        fail(f"--plot {options.plot}: must end in {' or '.join(SUFFIXES)}")
    return options


def _shares(text: str) -> list[Fraction]:
    """Return the shares in ascending order; exit when one is none, or 1 is missing."""
    try:
        shares = sorted({Fraction(share.strip()) for share in text.split(",")})
    except (ValueError, ZeroDivisionError):
        fail(f"--sizes {text}: must be shares such as {DEFAULT_SIZES}")
    if shares[0] <= 0 or shares[-1] != 1:
        fail(f"--sizes {text}: shares must be above 0 and at most 1, and 1 must be among them")
    return shares


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
    """Return the number of rows in the Parquet files of events; exit when one is unreadable."""
    total = 0
    for file in (file for table in EVENT_TABLES for file in event_files(data, table)):
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


def seed_project(data: Path, work: Path, threads: int, memory_limit: str) -> None:
    """Write `seeded.duckdb`, where every build of the project starts; also lets dbt parse it."""
    seeded = work / "seeded.duckdb"
    seeded.unlink(missing_ok=True)
    _dbt("seed", seeded, data, threads=threads, memory_limit=memory_limit, label="dbt seed")


def time_project(data: Path, work: Path, threads: int, memory_limit: str, label: str) -> Timing:
    """Run `dbt run` in a fresh process on `project.duckdb`, which continues what is there."""
    log = work / "log" / "dbt.log"
    log.unlink(missing_ok=True)
    warehouse = work / "project.duckdb"
    process = _dbt("run", warehouse, data, threads=threads, memory_limit=memory_limit, label=label)
    return Timing(
        process, engine_seconds(work / "target" / "run_results.json"), statement_seconds(log)
    )


def _dbt(
    action: str, warehouse: Path, data: Path, *, threads: int, memory_limit: str, label: str
) -> Measurement:
    """Run dbt on a DuckDB file in a fresh process and measure it; exit when it fails.

    What dbt writes besides lies in the folder of the file.
    """
    work = warehouse.parent
    environment = {
        **os.environ,
        **STATEMENT_LOG,
        "AGENT_ANALYTICS_DUCKDB_PATH": str(warehouse),
        "AGENT_ANALYTICS_DUCKDB_MEMORY_LIMIT": memory_limit,
        "DBT_TARGET_PATH": str(work / "target"),
        "DBT_LOG_PATH": str(work / "log"),
    }
    variables = json.dumps({"rudderstack_parquet_dir": str(data)})
    dbt = str(Path(sys.executable).with_name("dbt"))
    process = measure(
        [dbt, action, "--threads", str(threads), "--vars", variables],
        cwd=PROJECT_DIR,
        environment=environment,
        log=work / f"dbt_{action}.log",
        label=label,
        cores=threads,
    )
    if process.returncode:
        fail(f"dbt {action} failed: {process.output[-2000:]}", 1)
    return process


def _print_seconds(label: str, timing: Timing) -> None:
    print(f"  {label} took {timing.process.wall_seconds:.1f} s", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
