"""Copy the tested marts to the file BI tools open, so that readers never see a half-built table.

The marts schema is copied into a new file beside the published one, compared with its source, and
then takes the old file's place in one step. Readers that have the old file open keep it until they
connect again. Without this copy one connected reader would make the next build fail, because DuckDB
lets either one process write or several read.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb

from scripts.warehouse import (
    MARTS_SCHEMA,
    STORAGE_VERSION,
    connect,
    fail,
    published_path,
    quote_identifier,
    quote_literal,
    warehouse_path,
)

PUBLICATION_TABLE = "publication"


def main(arguments: list[str] | None = None) -> int:
    """Publish the marts and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Copy the marts schema of the warehouse (AGENT_ANALYTICS_DUCKDB_PATH) to the "
        "file BI tools open (AGENT_ANALYTICS_PUBLISHED_PATH). The old file stays in place until "
        "the new one is complete and checked."
    )
    parser.parse_args(arguments)
    table_count, row_count = publish(warehouse_path(), published_path())
    print(f"Published {table_count} tables with {row_count:,} rows to {published_path()}")
    return 0


def publish(source: Path, target: Path) -> tuple[int, int]:
    """Copy the marts of `source` to `target` and return the numbers of tables and rows.

    Exits with one clear line, and leaves `target` as it was, when there are no marts, when a copied
    table differs from its source, or when the file cannot be written. Tables keep their comments
    and the comments of their columns.
    """
    if target.stem.lower() in (MARTS_SCHEMA, "source"):
        fail(
            f"{target} must not be named like its schema {MARTS_SCHEMA}: DuckDB could not tell "
            "them apart; choose another AGENT_ANALYTICS_PUBLISHED_PATH",
            1,
        )
    if target.absolute() == source.absolute():
        fail("AGENT_ANALYTICS_PUBLISHED_PATH and AGENT_ANALYTICS_DUCKDB_PATH are the same file", 1)
    connect(source, read_only=True).close()
    # The process id keeps two publishers apart; the same folder keeps the last step atomic.
    draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        counts = write_draft(source, draft)
        draft.replace(target)
    except (OSError, duckdb.Error) as error:
        fail(f"{target} was not published: {' '.join(str(error).split())}", 1)
    finally:
        for leftover in (draft, draft.with_name(draft.name + ".wal")):
            leftover.unlink(missing_ok=True)
    return len(counts), sum(counts.values())


def write_draft(source: Path, draft: Path) -> dict[str, int]:
    """Write all tables of the marts schema to a new file and return their row counts.

    Exits with one clear line when there are none or when a copy is not complete.
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {quote_literal(str(source))} as source (read_only)")
        tables = [
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() "
                "where database_name = 'source' and schema_name = ? order by table_name",
                [MARTS_SCHEMA],
            ).fetchall()
        ]
        if not tables:
            fail(f"{source} has no schema {MARTS_SCHEMA} with tables: run `dbt build` first", 1)
        connection.execute(
            f"attach {quote_literal(str(draft))} as draft "
            f"(storage_version {quote_literal(STORAGE_VERSION)})"
        )
        schema = quote_identifier(MARTS_SCHEMA)
        connection.execute(f"create schema draft.{schema}")
        counts: dict[str, int] = {}
        for table in tables:
            name = f"{schema}.{quote_identifier(table)}"
            connection.execute(f"create table draft.{name} as from source.{name}")
            copy_comments(connection, table)
            counts[table] = compare(connection, name)
        record_publication(connection, source, counts)
        connection.execute("checkpoint draft")
        connection.execute("detach draft")
    return counts


def copy_comments(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Give a copied table the comments of its source, which BI tools show as documentation."""
    name = f"draft.{quote_identifier(MARTS_SCHEMA)}.{quote_identifier(table)}"
    where = "where database_name = 'source' and schema_name = ? and table_name = ?"
    (comment,) = connection.execute(
        f"select comment from duckdb_tables() {where}", [MARTS_SCHEMA, table]
    ).fetchall()[0]
    if comment is not None:
        connection.execute(f"comment on table {name} is {quote_literal(comment)}")
    for column, text in connection.execute(
        f"select column_name, comment from duckdb_columns() {where} and comment is not null",
        [MARTS_SCHEMA, table],
    ).fetchall():
        column_name = f"{name}.{quote_identifier(column)}"
        connection.execute(f"comment on column {column_name} is {quote_literal(text)}")


def compare(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Return the row count of a copied table; exit when it differs from its source."""
    source_rows, draft_rows = (
        connection.execute(f"select count(*) from {side}.{name}").fetchall()[0][0]
        for side in ("source", "draft")
    )
    if source_rows != draft_rows:
        fail(f"{name} has {source_rows} rows but its copy has {draft_rows}; publish again", 1)
    return draft_rows


def record_publication(
    connection: duckdb.DuckDBPyConnection, source: Path, counts: dict[str, int]
) -> None:
    """Write down when and from which file the marts were published, and how many rows each has."""
    table = f"draft.{quote_identifier(MARTS_SCHEMA)}.{quote_identifier(PUBLICATION_TABLE)}"
    connection.execute(
        f"create table {table} "
        "(published_at timestamp, source_file varchar, table_name varchar, row_count bigint)"
    )
    published_at = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    connection.executemany(
        f"insert into {table} values (?, ?, ?, ?)",
        [(published_at, source.name, name, count) for name, count in counts.items()],
    )
    connection.execute(
        f"comment on table {table} is 'One row per published table: when it was copied, from "
        "which file, and its number of rows.'"
    )


if __name__ == "__main__":
    raise SystemExit(main())
