"""Medians, ratios and verdicts of the benchmark, and how they are printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from rich.console import Console
from rich.table import Table

from scripts.benchmark.measure import BYTES_PER_GIB, machine
from scripts.benchmark.timings import Timing

# What follows one another on one warehouse file, in this order.
BUILDS = {
    "full": "full build",
    "day": "one more day",
    "hour": "one more hour",
    "none": "no new data",
}
# What the project promises on two cores.
FULL_TO_REFERENCE_TARGET = 1.5
DAY_TO_FULL_TARGET = 0.03
LARGEST_TO_SMALLEST_TARGET = 1.5
PEAK_GIB_TARGET = 3.5

SECONDS = {
    "wall_seconds": "wall",
    "engine_seconds": "engine",
    "statement_seconds": "statements",
    "cpu_seconds": "CPU",
}


@dataclass(frozen=True)
class SizeTimings:
    """All repetitions on one size of history; `builds` is keyed like BUILDS."""

    share: float
    events: int
    builds: dict[str, list[Timing]]


def summary(sizes: Sequence[SizeTimings], references: Sequence[Timing]) -> dict:
    """Return medians and single repetitions of every build, and the ratios with their targets.

    `sizes` are in ascending order; the reference script ran on the last.
    """
    result = {
        "machine": machine(),
        "duckdb": duckdb.__version__,
        "sizes": [
            {
                "share": size.share,
                "events": size.events,
                "builds": {name: _medians(timings) for name, timings in size.builds.items()},
            }
            for size in sizes
        ],
        "reference": _medians(references),
    }
    result["ratios"] = _ratios(result)
    return result


def _medians(timings: Sequence[Timing]) -> dict:
    """Return the medians of repetitions, the largest peak of memory, and the repetitions."""
    repetitions = [
        {
            "wall_seconds": round(timing.process.wall_seconds, 3),
            "engine_seconds": round(timing.engine_seconds, 3),
            "statement_seconds": (
                None if timing.statement_seconds is None else round(timing.statement_seconds, 3)
            ),
            "cpu_seconds": round(timing.process.cpu_seconds, 3),
            "peak_memory_gib": round(timing.process.peak_bytes / BYTES_PER_GIB, 3),
        }
        for timing in timings
    ]
    medians: dict = {
        name: (
            None
            if repetitions[0][name] is None
            else round(statistics.median(row[name] for row in repetitions), 3)
        )
        for name in SECONDS
    }
    peak = max(row["peak_memory_gib"] for row in repetitions)
    return {**medians, "peak_memory_gib": peak, "repetitions": repetitions}


def _ratios(result: dict) -> list[dict]:
    """Return every promised figure: what it is, by which seconds, its value, and its target."""
    smallest, largest = result["sizes"][0], result["sizes"][-1]
    full, day = largest["builds"]["full"], largest["builds"]["day"]
    ratios = [
        _ratio("full build ÷ reference script", name, full, result["reference"], target)
        for name, target in (
            ("wall_seconds", FULL_TO_REFERENCE_TARGET),
            ("engine_seconds", FULL_TO_REFERENCE_TARGET),
        )
    ]
    ratios += [
        _ratio("one more day ÷ full build", name, day, full, target)
        for name, target in (
            ("statement_seconds", DAY_TO_FULL_TARGET),
            ("engine_seconds", DAY_TO_FULL_TARGET),
        )
    ]
    if len(result["sizes"]) > 1:
        growth = largest["events"] / smallest["events"]
        ratios += [
            _ratio(
                f"one more day, {growth:.1f} times the history",
                name,
                day,
                smallest["builds"]["day"],
                LARGEST_TO_SMALLEST_TARGET,
            )
            for name in ("statement_seconds", "engine_seconds", "wall_seconds")
        ]
    peak = max(
        build["peak_memory_gib"] for size in result["sizes"] for build in size["builds"].values()
    )
    ratios.append(_figure("peak memory of a build (GiB)", "", peak, PEAK_GIB_TARGET))
    return ratios


def _ratio(title: str, name: str, upper: dict, lower: dict, target: float) -> dict:
    return _figure(title, SECONDS[name], upper[name] / lower[name], target)


def _figure(title: str, measured_by: str, value: float, target: float) -> dict:
    return {
        "name": title,
        "measured_by": measured_by,
        "value": round(value, 4),
        "target": target,
        "is_met": value <= target,
    }


def print_result(result: dict) -> None:
    """Print all medians, then the ratios and whether their targets are met, then the machine."""
    console = Console()
    table = Table(title="seconds, medians of the repetitions", title_justify="left")
    table.add_column("")
    for column in (*SECONDS.values(), "peak GiB"):
        table.add_column(column, justify="right")
    for size in result["sizes"]:
        table.add_row(f"history of {size['events']:,} events", style="bold")
        for build, label in BUILDS.items():
            table.add_row(f"  {label}", *_cells(size["builds"][build]))
        table.add_section()
    table.add_row("reference script, full build", *_cells(result["reference"]))
    console.print(table)

    table = Table()
    table.add_column("")
    for column in ("by", "value", "target", ""):
        table.add_column(column, justify="right" if column in ("value", "target") else "left")
    for ratio in result["ratios"]:
        verdict = "met" if ratio["is_met"] else "MISSED"
        value = f"{ratio['value']:.4f}" if ratio["target"] < 0.1 else f"{ratio['value']:.2f}"
        table.add_row(ratio["name"], ratio["measured_by"], value, f"{ratio['target']:g}", verdict)
    console.print(table)
    device = result["machine"]
    print(
        f"machine: {device['processor']}, {device['cores']} usable cores, "
        f"{device['memory_gib']} GiB; {result['threads']} used; DuckDB {result['duckdb']}, "
        f"limit {result['memory_limit']}"
    )
    if result["tables_compared"]:
        count = len(result["differences"])
        print("tables: equal row for row" if not count else f"tables: {count} columns differ")


def _cells(figures: dict) -> list[str]:
    seconds = ["" if figures[name] is None else f"{figures[name]:.1f}" for name in SECONDS]
    return [*seconds, f"{figures['peak_memory_gib']:.2f}"]
