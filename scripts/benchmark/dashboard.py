"""Time the dashboard with a year of a million runs, made by copying published facts."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from scripts.warehouse import MARTS_SCHEMA, PROJECT_DIR, published_path, require_published

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FACTS = ("fct_conversations", "fct_agent_runs", "fct_agent_sessions", "fct_agent_steps")
DAYS = 365
# Coprime to the days that copies are moved by, so that they spread over all of them.
STRIDE = 37
MEASURED = ("overview", "cost", "latency")
FILTERS = ("?trigger=schedule", "?status=failed", "?status=success")
NUMBER = '[data-chart-type="kpi"] text'
DRAWN_AHEAD_S = 300


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Copy the published marts (AGENT_ANALYTICS_PUBLISHED_PATH) to a million runs "
        "and print what their dashboard takes, in chromium, as JSON."
    )
    parser.add_argument("--runs", type=int, default=1_000_000, help="default: 1000000")
    parser.add_argument("--file", type=Path, help="a file of an earlier call, made if missing")
    parser.add_argument("--pages", nargs="+", default=list(MEASURED), help="default: %(default)s")
    options = parser.parse_args(arguments)
    require_published(published_path())
    with tempfile.TemporaryDirectory() as folder:
        file = options.file or Path(folder, "published.duckdb")
        if not file.exists():
            multiply(published_path(), file, options.runs)
        print(json.dumps(measured(file, Path(folder), options.pages), indent=2))
    return 0


def multiply(published: Path, file: Path, run_count: int) -> None:
    """Write a copy of a published file with at least `run_count` runs, over a year, to `file`.

    Marts stay as they are: their number of rows follows days and names and not runs.
    """
    import duckdb

    shutil.copyfile(published, file)
    settings = {"threads": "2", "memory_limit": "3GB", "preserve_insertion_order": "false"}
    with duckdb.connect(str(file), config=settings) as connection:
        connection.execute(f"set search_path = '{MARTS_SCHEMA}'")
        [(count, days)] = connection.execute(
            "select count(*), max(run_date) - min(run_date) from fct_agent_runs"
        ).fetchall()
        copies = -(-run_count // count)
        earlier = f"(i * {STRIDE} % {max(DAYS - days, 1)})::integer * interval 1 day"
        for table in FACTS:
            columns = connection.execute(
                "select column_name, data_type from duckdb_columns() "
                "where schema_name = ? and table_name = ?",
                [MARTS_SCHEMA, table],
            ).fetchall()
            replaced = [
                f"md5({name}::varchar || i)::uuid as {name}"
                if kind == "UUID"
                else f"({name} - {earlier})::{kind} as {name}"
                for name, kind in columns
                if kind in ("UUID", "DATE", "TIMESTAMP")
            ]
            replaced += [
                f"{name} || '-' || i as {name}" for name, _ in columns if name == "conversation_id"
            ]
            connection.execute(
                f"insert into {table} select {table}.* replace ({', '.join(replaced)}) "
                f"from {table}, range(1, {copies}) as copies(i)"
            )


def measured(file: Path, folder: Path, pages: Sequence[str] = MEASURED) -> dict[str, Any]:
    """Return what pages take: the first on a cold server, then a filter, then one drawn ahead."""
    from playwright.sync_api import sync_playwright

    result: dict[str, Any] = {"load_average": os.getloadavg()}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for page in pages:
            with cold_server(file, folder) as (address, process):
                result[page] = {"cold": opened(browser, f"{address}/{page}", process)}
                result[page]["drawn_ahead_s"] = wait_until_idle(process)
                times = [opened(browser, f"{address}/{page}{f}", process) for f in FILTERS]
                result[page]["filter"] = {
                    name: statistics.median(one[name] for one in times) for name in times[0]
                }
                result[page]["again"] = opened(browser, f"{address}/{page}", process)
        browser.close()
    result["load_average_after"] = os.getloadavg()
    return result


def opened(browser: Browser, url: str, process: subprocess.Popen[bytes]) -> dict[str, float]:
    """Open an address in a new tab and return when it painted and when its number was there."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    before = processor_seconds(process)
    start = time.perf_counter()
    tab.goto(url, wait_until="commit", timeout=120_000)
    tab.wait_for_selector(NUMBER, state="attached", timeout=120_000)
    number = time.perf_counter() - start
    tab.wait_for_load_state("load", timeout=120_000)
    whole = time.perf_counter() - start
    paint = tab.evaluate(
        "performance.getEntriesByType('paint')"
        ".find(entry => entry.name === 'first-contentful-paint').startTime"
    )
    tab.close()
    return {
        "first_paint_s": round(paint / 1000, 2),
        "number_s": round(number, 2),
        "whole_page_s": round(whole, 2),
        "server_processor_s": round(processor_seconds(process) - before, 2),
    }


@contextmanager
def cold_server(file: Path, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a dashboard of its own and yield its address and process as soon as it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(PROJECT_DIR / "scripts/serve_dashboard.py")]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--folder", str(folder / "pages")],
        env={**os.environ, "AGENT_ANALYTICS_PUBLISHED_PATH": str(file)},
        stdout=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                urlopen(f"{address}/health").close()
                break
            except URLError:
                time.sleep(0.05)
        yield address, process
    finally:
        process.terminate()
        process.wait()


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """Return what a process has taken of the processors, without those it has started."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(process: subprocess.Popen[bytes]) -> float:
    """Wait until a server has drawn ahead what it wants to, and return how long that took."""
    start = time.perf_counter()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    quiet = 0
    while quiet < 12 and time.perf_counter() - start < DRAWN_AHEAD_S:
        before = processor_seconds(process)
        time.sleep(0.5)
        # only the tracker of its resources stays behind, which does nothing
        is_working = len(children.read_text().split()) > 1
        quiet = 0 if is_working or processor_seconds(process) - before > 0.05 else quiet + 1
    return round(time.perf_counter() - start - quiet * 0.5, 1)


if __name__ == "__main__":
    raise SystemExit(main())
