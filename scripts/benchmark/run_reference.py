"""Run the hand-written reference script into a fresh DuckDB file.

`reference.sql` beside this file computes the same facts and marts as the dbt project; the benchmark
compares its time with that of `dbt run`, and a test compares the values.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb

from scripts.warehouse import DEFAULT_MEMORY_LIMIT, PROJECT_DIR, connect, fail, quote_literal

REFERENCE_SQL = Path(__file__).with_name("reference.sql")
EVENT_TABLES = (
    "ai_user_prompt_created",
    "ai_agent_response_received",
    "ai_interaction_completed",
    "ai_user_action",
    "ai_agent_session_started",
    "ai_agent_session_completed",
    "ai_agent_step_completed",
)
# The same development salt as macros/cross_db/hashes.sql, so that hashes can be compared.
DEVELOPMENT_SALT = "development-salt-change-me"
# A statement that takes longer is reported, so that nobody waits before a silent terminal.
REPORTED_SECONDS = 2.0


def main(arguments: list[str] | None = None) -> int:
    """Run the reference script and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Compute the facts and marts with the hand-written reference script, from the "
        "seven Parquet tables that scripts/generate_events.py --format parquet writes."
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the seven tables: DIR/<table>.parquet or DIR/<table>/**/*.parquet",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="DuckDB file to write; replaced"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of DuckDB (default 2)")
    parser.add_argument(
        "--memory-limit",
        default=DEFAULT_MEMORY_LIMIT,
        help="beyond this DuckDB writes to disk (default %(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        seconds = run_reference(
            options.data,
            options.out,
            threads=options.threads,
            memory_limit=options.memory_limit,
            report=True,
        )
    except duckdb.Error as error:
        fail(f"the reference script failed on {options.data}: {str(error).splitlines()[0]}")
    print(f"reference finished in {seconds:.1f} s: {options.out}")
    return 0


def run_reference(
    data: Path,
    out: Path,
    *,
    threads: int = 2,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
    report: bool = False,
) -> float:
    """Run the reference script on the Parquet files in `data` and write `out`, replacing it.

    Returns the seconds from the first statement to the closed file. Exits with one line when a
    table has no file; raises `duckdb.Error` when a statement fails. With `report`, prints a
    line for every statement that takes longer than two seconds.
    """
    files = {table: event_files(data.resolve(), table) for table in EVENT_TABLES}
    for table, found in files.items():
        if not found:
            fail(
                f"{data} has no {table}.parquet: generate the data with "
                f"`python scripts/generate_events.py --out {data} --format parquet`"
            )
    out.unlink(missing_ok=True)
    connection = connect(out)
    started = time.monotonic()
    try:
        connection.execute(f"set threads = {int(threads)}")
        connection.execute(f"set memory_limit = {quote_literal(memory_limit)}")
        for name, value in (
            ("seeds_dir", str(PROJECT_DIR / "seeds")),
            ("hash_salt", os.environ.get("AGENT_ANALYTICS_HASH_SALT", DEVELOPMENT_SALT)),
        ):
            connection.execute(f"set variable {name} = {quote_literal(value)}")
        by_table = ", ".join(f"{quote_literal(t)}: {_list(found)}" for t, found in files.items())
        connection.execute(f"set variable event_files = map {{{by_table}}}")
        every_file = _list([file for found in files.values() for file in found])
        connection.execute(
            "set variable rows_per_file = "
            f"(select max(num_rows) from parquet_file_metadata({every_file}))"
        )
        for statement in connection.extract_statements(REFERENCE_SQL.read_text("utf-8")):
            statement_started = time.monotonic()
            connection.execute(statement)
            seconds = time.monotonic() - statement_started
            if report and seconds > REPORTED_SECONDS:
                print(f"  {seconds:5.1f} s  {_headline(statement.query)}", flush=True)
    finally:
        connection.close()
    return time.monotonic() - started


def event_files(data: Path, table: str) -> list[Path]:
    """Return the Parquet files of a table: `<table>.parquet` and `<table>/**/*.parquet`."""
    return [*data.glob(f"{table}.parquet"), *sorted(data.glob(f"{table}/**/*.parquet"))]


def read_parquet(files: list[Path]) -> str:
    """Return the from-clause that reads Parquet files, at least one, as one table."""
    return f"read_parquet({_list(files)}, union_by_name = true)"


def _list(files: list[Path]) -> str:
    return f"[{', '.join(quote_literal(str(file)) for file in files)}]"


def _headline(query: str) -> str:
    """Return the first line of a statement that is no comment."""
    lines = (line.strip() for line in query.splitlines())
    return next(line for line in lines if line and not line.startswith("--"))


if __name__ == "__main__":
    raise SystemExit(main())
