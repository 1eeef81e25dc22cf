"""Run `dbt build` with one line of progress on a terminal, and say at the end what was done.

Everything is dbt's own: the arguments are passed on, errors are dbt's, and so are the exit codes.
Without a terminal, and in CI, only errors and the last line are printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dbt.cli.main import dbtRunner
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scripts import check_lock

NAME_WIDTH = 44
# As dbt's: everything succeeded, something failed, dbt could not run.
PASSED, FAILED, NOT_RUN = 0, 1, 2
# DuckDB's words for a file that another process has open.
LOCKED = "Could not set lock"


def main(arguments: list[str] | None = None) -> int:
    """Run the build and return dbt's exit code."""
    parser = argparse.ArgumentParser(
        description="Run `dbt build --quiet` with one line of progress on a terminal. All other "
        "arguments go to dbt, as in: build_models.py --select fct_agent_runs"
    )
    _, passed_on = parser.parse_known_args(arguments)
    console = Console(stderr=True)
    is_shown = console.is_terminal and not os.environ.get("CI")
    started = time.monotonic()
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    done: Counter[str] = Counter()
    with progress if is_shown else nullcontext():
        runner = dbtRunner(callbacks=[follow(progress, done)])
        result = runner.invoke(["build", "--quiet", *passed_on])
    if result.exception is not None:
        if LOCKED in str(result.exception):
            # says who holds the file and what to do, and exits
            check_lock.main([])
        print(f"error: {result.exception}", file=sys.stderr)
        return NOT_RUN
    print(summary(done, time.monotonic() - started))
    return PASSED if result.success else FAILED


def follow(progress: Progress, done: Counter[str]) -> Callable[..., None]:
    """Return what is called with each of dbt's events: it moves the bar and counts what ended.

    `done` counts what ran by kind, and what failed or was skipped as `failed` and `skipped`.
    """
    task = progress.add_task("reading the project", total=None)

    def see(event: object) -> None:
        name = event.info.name  # type: ignore[attr-defined]
        data = event.data  # type: ignore[attr-defined]
        if name == "LogStartLine":
            shown = escape(str(data.node_info.node_name))[:NAME_WIDTH].ljust(NAME_WIDTH)
            progress.update(task, description=shown, total=data.total, completed=data.index - 1)
        elif name == "NodeFinished":
            status = str(data.node_info.node_status)
            if status in ("error", "fail", "runtime error"):
                done["failed"] += 1
            if status == "skipped":
                done["skipped"] += 1
            # part of the statements of other models
            elif str(data.node_info.materialized) != "ephemeral":
                done[str(data.node_info.resource_type)] += 1

    return see


def summary(done: Counter[str], seconds: float) -> str:
    """Return one line that says what was built and tested, and how long it took."""
    words = [
        f"{done[kind]:,} {kind.replace('_', ' ')}{'' if done[kind] == 1 else 's'}"
        for kind in ("seed", "model", "test", "unit_test")
        if done[kind]
    ]
    line = f"Built and tested {', '.join(words) or 'nothing'} in {seconds:.0f} s"
    bad = [f"{done[kind]:,} {kind}" for kind in ("failed", "skipped") if done[kind]]
    return f"{line}; {', '.join(bad)}" if bad else line


if __name__ == "__main__":
    raise SystemExit(main())
