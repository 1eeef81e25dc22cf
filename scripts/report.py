"""Print the headline numbers of a period and the five worst breakpoints, or write them as a page.

Reads the published file only, so that it can run beside a build.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scripts.reporting import numbers
from scripts.reporting.numbers import Headline, Report, Selection, Value
from scripts.warehouse import (
    connect,
    fail,
    make_folder,
    published_path,
    reading,
    require_published,
)

TEMPLATE = "report.html.j2"
DEFAULT_DAYS = 7
NOT_KNOWN = "not known"
CHART_WIDTH = 640
CHART_HEIGHT = 90


def main(arguments: list[str] | None = None) -> int:
    """Print or write the report and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Print the headline numbers of a period beside those of the period before, "
        "the five worst breakpoints and the five agents that cost most. Reads the file that "
        "`make build` published (AGENT_ANALYTICS_PUBLISHED_PATH)."
    )
    parser.add_argument(
        "--since",
        metavar="DATE|Nd",
        help="first day, as 2026-11-01, or so many days up to the last one, as 7d "
        f"(default {DEFAULT_DAYS}d)",
    )
    parser.add_argument("--until", metavar="DATE", help="last day (default: the last with a run)")
    parser.add_argument(
        "--workflow",
        action="append",
        default=[],
        metavar="NAME",
        help="only runs of this workflow; may be given several times",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one page without links to elsewhere"
    )
    options = parser.parse_args(arguments)

    path = published_path()
    require_published(path)
    with connect(path, read_only=True) as connection, reading(path):
        selection = selected(connection, options.since, options.until, options.workflow)
        report = numbers.read(connection, selection)
    if options.html:
        write_page(report, options.html)
        print(f"Wrote {options.html}")
    else:
        print_report(report)
    return 0


def selected(
    connection: duckdb.DuckDBPyConnection, since: str | None, until: str | None, names: list[str]
) -> Selection:
    """Return the selection that the options ask for.

    Exits with one clear line when a date cannot be read, when the period is empty or a workflow is
    not known.
    """
    try:
        days = numbers.published_days(connection)
        known = numbers.workflows(connection)
    except duckdb.CatalogException:
        fail(f"{published_path()} has no facts: run `make build` first")
    if days is None:
        fail("no run is published yet: load events with `make build EVENTS=…`", 1)
    last = day_of("--until", until) if until else days[1]
    if since is None:
        first = last - timedelta(days=DEFAULT_DAYS - 1)
    elif length := re.fullmatch("([0-9]{1,5})d", since):
        if not int(length[1]):
            fail("--since 0d has no day; say 1d for the last one")
        first = last - timedelta(days=int(length[1]) - 1)
    else:
        first = day_of("--since", since)
    if first > last:
        fail(f"the period from {first} to {last} has no day")
    for name in names:
        if name not in known:
            fail(f"no run has the workflow {name!r}; there are {', '.join(known)}")
    return Selection(first, last, tuple(names))


def day_of(option: str, text: str) -> date:
    """Return the date that an option says; exits with one clear line when it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text!r} is no date; write it as 2026-11-01")


def shown(value: Value, unit: str) -> str:
    """Return a number as people read it; `unit` is `count`, `share`, `usd` or `ms`."""
    if value is None:
        return NOT_KNOWN
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "share":
        return f"{100 * float(value):.1f} %"
    if unit == "usd":
        return f"{value:,.2f} USD" if not value or abs(value) >= 1 else f"{value:.4f} USD"
    return duration(float(value))


def duration(milliseconds: float) -> str:
    """Return a duration in the largest unit of which there is at least one."""
    if milliseconds < 1_000:
        return f"{milliseconds:,.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def change(headline: Headline) -> str:
    """Return how a number moved from the period before, empty where that cannot be said."""
    if headline.value is None or headline.previous is None:
        return ""
    if headline.unit == "share":
        return f"{100 * (float(headline.value) - float(headline.previous)):+.1f} points"
    if not headline.previous:
        return ""
    return f"{100 * (float(headline.value) / float(headline.previous) - 1):+.1f} %"


def verdict(headline: Headline) -> str:
    """Return `better`, `worse` or nothing, by the direction in which a number moved."""
    if headline.is_better_high is None or headline.value is None or headline.previous is None:
        return ""
    if headline.value == headline.previous:
        return ""
    return "better" if (headline.value > headline.previous) == headline.is_better_high else "worse"


def title(report: Report) -> str:
    """Return what the report is about, in a few words."""
    selection = report.selection
    names = f", {', '.join(selection.workflows)}" if selection.workflows else ""
    return f"{selection.since} to {selection.until} ({selection.days} days){names}"


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading, the name of its value, and the unit of it."""

    heading: str
    name: str
    unit: str = ""

    def text(self, row: dict[str, object]) -> str:
        """Return the cell of a row."""
        value = row[self.name]
        if not self.unit:
            return str(value)
        assert value is None or not isinstance(value, str)
        return shown(value, self.unit)  # type: ignore[arg-type]


BREAKPOINT_COLUMNS = [
    Column("Workflow", "workflow_name"),
    Column("Agent", "agent_name"),
    Column("Step", "step_type"),
    Column("Tool", "tool_name"),
    Column("Failure mode", "failure_mode"),
    Column("Failed runs", "failed_run_count", "count"),
    Column("Users", "user_count", "count"),
    Column("Wasted", "wasted_cost_usd", "usd"),
]
AGENT_COLUMNS = [
    Column("Agent", "agent_name"),
    Column("Sessions", "session_count", "count"),
    Column("Success rate", "success_rate", "share"),
    Column("Known cost", "known_cost_usd", "usd"),
    Column("Share of cost", "cost_share", "share"),
    Column("95th percentile", "p95_duration_ms", "ms"),
]


def print_report(report: Report) -> None:
    """Print the report as tables."""
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    headline_table = Table(title=title(report), title_justify="left")
    for name in ("", "This period", "Period before", "Change"):
        headline_table.add_column(name, justify="right" if name else "left")
    colours = {"better": "green", "worse": "red", "": "default"}
    for headline in report.headlines:
        colour = colours[verdict(headline)]
        headline_table.add_row(
            headline.label,
            shown(headline.value, headline.unit),
            shown(headline.previous, headline.unit),
            f"[{colour}]{change(headline)}[/]",
        )
    console.print(headline_table)
    print_table(console, "Worst breakpoints", BREAKPOINT_COLUMNS, report.breakpoints)
    print_table(console, "Agents that cost most", AGENT_COLUMNS, report.agents)
    for text, count in report.basis:
        if count:
            console.print(f"{count:,} {text}")
    console.print(f"Published {report.published_at:%Y-%m-%d %H:%M} UTC")


def print_table(
    console: Console, heading: str, columns: list[Column], rows: list[dict[str, object]]
) -> None:
    """Print rows under a heading, or that there are none."""
    if not rows:
        console.print(f"{heading}: none in this period")
        return
    table = Table(title=heading, title_justify="left")
    for column in columns:
        table.add_column(column.heading, justify="right" if column.unit else "left")
    for row in rows:
        table.add_row(*(escape(column.text(row)) for column in columns))
    console.print(table)


def bars(report: Report) -> list[dict[str, object]]:
    """Return one bar per day with runs: where it stands, how high it is, and what it says."""
    highest = max((int(str(day["run_count"])) for day in report.days), default=0)
    width = CHART_WIDTH / report.selection.days
    found = []
    for day in report.days:
        run_date = day["run_date"]
        assert isinstance(run_date, date)
        count, failed = (int(str(day[name])) for name in ("run_count", "failed_run_count"))
        found.append(
            {
                "x": round(width * (run_date - report.selection.since).days, 2),
                "width": round(max(1, 0.8 * width), 2),
                "height": round(CHART_HEIGHT * count / highest, 2),
                "failed_height": round(CHART_HEIGHT * failed / highest, 2),
                "text": f"{run_date}: {count:,} runs, {failed:,} failed, "
                f"{shown(day['cost_usd'], 'usd')}",  # type: ignore[arg-type]
            }
        )
    return found


def write_page(report: Report, target: Path) -> None:
    """Write the report as one HTML file that needs no other; every text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).resolve().parent / "reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        report=report,
        title=title(report),
        shown=shown,
        change=change,
        verdict=verdict,
        bars=bars(report),
        highest=max((day["run_count"] for day in report.days), default=0),  # type: ignore[type-var]
        chart_width=CHART_WIDTH,
        chart_height=CHART_HEIGHT,
        tables=[
            ("Worst breakpoints", BREAKPOINT_COLUMNS, report.breakpoints),
            ("Agents that cost most", AGENT_COLUMNS, report.agents),
        ],
    )
    make_folder(target.absolute().parent)
    try:
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror}")


if __name__ == "__main__":
    raise SystemExit(main())
