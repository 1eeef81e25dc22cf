"""Draws what a build costs against the size of its history."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from scripts.benchmark.report import BUILDS

SUFFIXES = (".png", ".svg")
SECONDS = {"wall_seconds": "whole process", "statement_seconds": "statements of DuckDB"}


def write_plot(result: dict, file: Path) -> None:
    """Draw seconds against events of the history, one line per kind of build, both logarithmic.

    `result` is what `report.summary` returns; the suffix of `file` says PNG or SVG.
    """
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    panels = figure.subplots(1, len(SECONDS), sharex=True, sharey=True)
    events = [size["events"] for size in result["sizes"]]
    for axes, (name, title) in zip(panels, SECONDS.items(), strict=True):
        for build, label in BUILDS.items():
            seconds = [size["builds"][build][name] for size in result["sizes"]]
            axes.plot(events, seconds, marker="o", label=label)
        script = "wall_seconds" if name == "wall_seconds" else "engine_seconds"
        axes.plot(
            events[-1:], [result["reference"][script]], "kx", label="reference script, full build"
        )
        axes.set(xscale="log", yscale="log", title=title, xlabel="events of the history")
        axes.set_xticks(events, [f"{count:,}" for count in events])
        axes.xaxis.minorticks_off()
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(visible=True, which="both", alpha=0.3)
    panels[0].set_ylabel("seconds")
    panels[0].legend(fontsize="small")
    figure.suptitle(
        f"{result['threads']} cores of {result['machine']['processor']}, DuckDB {result['duckdb']}"
    )
    figure.savefig(file)
