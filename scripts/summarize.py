"""Print what a build produced: rows, runs, cost, success, failures, and what was not counted.

A rich table on a terminal, plain lines everywhere else, so that logs stay readable.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scripts.warehouse import (
    AUDIT_SCHEMA,
    MARTS_SCHEMA,
    PROJECT_DIR,
    RAW_SCHEMA,
    connect,
    fail,
    published_path,
    quote_identifier,
    reading,
    warehouse_path,
)

SOURCES_FILE = PROJECT_DIR / "models/staging/rudderstack/_rudderstack__sources.yml"
# As in macros/settings/check_raw_schemas.sql.
EVENT_PREFIXES = ("ai_", "mcp_")
TOP_FAILURE_MODES = 5


@dataclass(frozen=True)
class Section:
    """One block of the summary: a title, column names (none for name and value) and rows."""

    title: str
    rows: list[tuple[str, ...]]
    columns: tuple[str, ...] = field(default=())


def main(arguments: list[str] | None = None) -> int:
    """Print the summary and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Summarise a build: rows per raw table, event tables that no model reads, "
        "quarantined events, runs, agent sessions, steps, cost, success rate, the most frequent "
        "failures and where the results lie."
    )
    parser.parse_args(arguments)
    path = warehouse_path()
    connection = connect(path, read_only=True)
    with connection, reading(path):
        try:
            raw = raw_rows(connection)
            sections = [raw, unread_tables(raw), quarantined(connection)]
            sections += [results(connection), failures(connection)]
        except duckdb.CatalogException:
            fail(f"{path} has no facts in schema {MARTS_SCHEMA}: run `dbt build` first", 1)
    print_sections([section for section in sections if section.rows])
    print_where(path, published_path())
    return 0


def raw_rows(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return the number of rows of every raw table."""
    names = connection.execute(
        "select table_name from information_schema.tables where table_schema = ? order by 1",
        [RAW_SCHEMA],
    ).fetchall()
    rows: list[tuple[str, ...]] = []
    for (name,) in names:
        table = f"{quote_identifier(RAW_SCHEMA)}.{quote_identifier(name)}"
        count = connection.execute(f"select count(*) from {table}").fetchall()[0][0]
        rows.append((name, f"{count:,}"))
    return Section("Raw rows", rows)


def unread_tables(raw: Section) -> Section:
    """Return those of the raw tables that hold events of AI products and are read by no model."""
    declared = yaml.safe_load(SOURCES_FILE.read_text(encoding="utf-8"))["sources"]
    read = {table["name"] for source in declared for table in source["tables"]}
    rows = [
        row
        for row in raw.rows
        if row[0].lower().startswith(EVENT_PREFIXES) and row[0].lower() not in read
    ]
    return Section("Event tables that no model reads, see docs/raw_events.md", rows)


def quarantined(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return how many events lack what a fact needs, by reason and raw table."""
    found = connection.execute(
        "select quarantine_reason, source_table, count(*) "
        f"from {AUDIT_SCHEMA}.audit_quarantined_events group by all order by 3 desc, 1, 2"
    ).fetchall()
    return Section(
        "Quarantined events, which no fact counts",
        [(reason, table, f"{count:,}") for reason, table, count in found],
        ("Reason", "Table", "Rows"),
    )


def results(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return runs, agent sessions, steps, cost in US dollars and the share of successful runs.

    The success rate is successful runs ÷ runs that have ended, cancelled and abandoned ones
    included; a run in progress counts in neither.
    """
    runs, costed, cost, ended, successful = connection.execute(
        "select count(*), count(cost_usd), sum(cost_usd), count(*) filter (where is_final), "
        "count(*) filter (where is_final and is_successful) "
        f"from {MARTS_SCHEMA}.fct_agent_runs"
    ).fetchall()[0]
    statuses = connection.execute(
        f"select run_status, count(*) from {MARTS_SCHEMA}.fct_agent_runs "
        "group by run_status order by count(*) desc, run_status"
    ).fetchall()
    sessions, steps = (
        connection.execute(f"select count(*) from {MARTS_SCHEMA}.{fact}").fetchall()[0][0]
        for fact in ("fct_agent_sessions", "fct_agent_steps")
    )
    rate = f"{100 * successful / ended:.1f} % of {ended:,} ended runs" if ended else "no ended run"
    rows: list[tuple[str, ...]] = [
        ("Runs", f"{runs:,}"),
        ("Agent sessions", f"{sessions:,}"),
        ("Steps", f"{steps:,}"),
        ("Cost", f"{dollars(cost)}, {runs - costed:,} run(s) without a cost"),
        ("Success rate", rate),
    ]
    if statuses:
        rows.append(("Run status", ", ".join(f"{status} {count:,}" for status, count in statuses)))
    return Section("Results", rows)


def failures(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return the most frequent failure modes of runs with their count and wasted US dollars."""
    found = connection.execute(
        "select failure_mode, failure_category, count(*), sum(wasted_cost_usd) "
        f"from {MARTS_SCHEMA}.fct_agent_runs where failure_mode is not null "
        "group by failure_mode, failure_category order by count(*) desc, failure_mode limit ?",
        [TOP_FAILURE_MODES],
    ).fetchall()
    return Section(
        "Most frequent failures of runs",
        [
            (mode, category or "-", f"{count:,}", dollars(wasted))
            for mode, category, count, wasted in found
        ],
        ("Mode", "Category", "Runs", "Wasted"),
    )


def dollars(amount: Decimal | None) -> str:
    """Return an amount in US dollars as text; an unknown one is not zero."""
    return "not known" if amount is None else f"{amount:,.2f} USD"


def print_sections(sections: list[Section]) -> None:
    """Print sections as tables on a terminal and as aligned lines elsewhere."""
    console = Console()
    for section in sections:
        header = [section.columns] if section.columns else []
        if console.is_terminal:
            table = Table(title=section.title, title_justify="left", show_header=bool(header))
            width = len(section.columns or section.rows[0])
            for position in range(width):
                name = section.columns[position] if section.columns else ""
                is_number = all(row[position][:1].isdigit() for row in section.rows)
                table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
            for row in section.rows:
                table.add_row(*map(escape, row))
            console.print(table)
            continue
        print(section.title)
        lines = [*header, *section.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print(("  " + "  ".join(cells)).rstrip())


def print_where(warehouse: Path, published: Path) -> None:
    """Print where the results lie, a command that opens them, and what to do next."""
    if published.exists():
        print(f"Published for BI tools: {shown(published)}")
    else:
        print(f"Not published yet; the tables are in {shown(warehouse)}")
    print(f"Look inside: {look_inside(published if published.exists() else warehouse)}")
    if published.exists():
        print("Next: make dashboard, to see it in a browser")
        print("      .venv/bin/python scripts/report.py, for what changed in the last days")


def shown(path: Path) -> Path:
    """Return a path as a person would type it in the project folder."""
    absolute = path.absolute()
    return absolute.relative_to(PROJECT_DIR) if absolute.is_relative_to(PROJECT_DIR) else absolute


def look_inside(path: Path) -> str:
    """Return a shell command that prints a mart of a DuckDB file."""
    code = (
        f"import duckdb; print(duckdb.connect({str(shown(path))!r}, read_only=True)"
        f".sql('from {MARTS_SCHEMA}.mart_cost_per_interaction'))"
    )
    is_plain = not set(code) & set('"$`\\!')
    quoted = f'"{code}"' if is_plain else shlex.quote(code)
    return f".venv/bin/python -c {quoted}"


if __name__ == "__main__":
    raise SystemExit(main())
