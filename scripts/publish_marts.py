"""Copy the tested marts to the file BI tools open, so that readers never see a half-built table.

The marts of the last build that ended and passed, and the totals of the audits that say whether to
trust them, are copied into a new file beside the published one, compared with their source, and
then take the old file's place in one step. Readers that have the old file open keep it until they
connect again. Without this copy one connected reader would make the next build fail, because DuckDB
lets either one process write or several read.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb

from scripts.quality.run_checkpoint import RESULTS_FILE
from scripts.warehouse import (
    AUDIT_SCHEMA,
    MARTS_SCHEMA,
    STATE_SCHEMA,
    STORAGE_VERSION,
    connect,
    fail,
    make_folder,
    one_line,
    published_path,
    quote_identifier,
    quote_literal,
    reading,
    warehouse_path,
)

PUBLICATION_TABLE = "publication"
CHECKPOINT_TABLE = "quality_checkpoint"
# Totals only. Audits whose rows are single events stay in the warehouse.
AUDIT_TABLES = (
    "audit_build_log",
    "audit_cost_reconciliation",
    "audit_event_ledger",
    "audit_id_integrity",
    "audit_suspect_columns",
    "audit_unknown_words",
    "audit_unpriced_models",
    "audit_unread_columns",
)


def main(arguments: list[str] | None = None) -> int:
    """Publish the marts and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Copy the marts and the totals of the audits of the warehouse "
        "(AGENT_ANALYTICS_DUCKDB_PATH) to the file BI tools open "
        "(AGENT_ANALYTICS_PUBLISHED_PATH), if the last `dbt build` ended and passed. "
        "The old file stays in place until the new one is complete and checked."
    )
    parser.add_argument(
        "--parquet",
        type=Path,
        metavar="DIR",
        help="write each published table to DIR/<table>.parquet as well, for tools that do not "
        "read DuckDB; DIR becomes a link to the newest copy",
    )
    options = parser.parse_args(arguments)
    if options.parquet:
        refuse_other_folder(options.parquet)
    table_count, row_count = publish(warehouse_path(), published_path())
    print(f"Published {table_count} tables with {row_count:,} rows to {published_path()}")
    if options.parquet:
        file_count = export_parquet(published_path(), options.parquet)
        print(f"Wrote {file_count} Parquet files to {options.parquet}")
    return 0


def publish(source: Path, target: Path) -> tuple[int, int]:
    """Copy the marts of `source` to `target` and return the numbers of tables and rows.

    Exits with one clear line, and leaves `target` as it was, when the last build did not pass,
    when `target` is the warehouse or holds something else, when a copied table differs from its
    source, or when the file cannot be written. Tables keep their comments and the comments of
    their columns.
    """
    if target.stem.lower() in (MARTS_SCHEMA, AUDIT_SCHEMA, "source", "temp", "system"):
        fail(
            f"{target} must not be named like its schemas {MARTS_SCHEMA} and {AUDIT_SCHEMA}, or "
            "source, temp or system: "
            "DuckDB could not tell them apart; choose another AGENT_ANALYTICS_PUBLISHED_PATH",
            1,
        )
    with connect(source, read_only=True) as connection, reading(source):
        tables = tested_marts(connection, source)
    # The file that a link leads to is replaced, not the link.
    target = target.resolve()
    refuse_warehouse(source, target)
    refuse_other_contents(target)
    make_folder(target.parent)
    remove_old_drafts(target)
    # The process id keeps two publishers apart; the same folder keeps the last step atomic.
    draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        counts = write_draft(source, draft, tables)
        draft.replace(target)
    except (OSError, duckdb.Error) as error:
        fail(f"{target} was not published: {one_line(error)}", 1)
    finally:
        remove_draft(draft)
    return len(counts), sum(counts.values())


def tested_marts(connection: duckdb.DuckDBPyConnection, source: Path) -> list[str]:
    """Return the names of the tables that the project's models make in the marts schema.

    Exits with one clear line unless the last build of all of them, with what was built or retried
    since, ended and passed. dbt writes both down as it goes (macros/incremental/state_tables.sql).
    """
    is_recorded = connection.execute(
        "select count(*) > 0 from duckdb_tables() where schema_name = ? and table_name = ?",
        [STATE_SCHEMA, "state_invocations"],
    ).fetchall()[0][0]
    if not is_recorded:
        fail(f"{source}: no build is recorded; run `dbt build`", 1)
    invocations = connection.execute(
        "select max(kind) filter (where kind != 'end'), bool_or(kind = 'end'), "
        "coalesce(bool_or(is_passed), false), max(mart_tables) "
        f"from {STATE_SCHEMA}.state_invocations group by invocation_id "
        "order by min(recorded_at) desc"
    ).fetchall()
    is_mended = False
    for kind, is_ended, is_passed, names in invocations:  # newest first
        if not is_ended:
            fail(f"{source}: the last build has not ended or was killed; run `dbt build`", 1)
        if kind == "untested":
            fail(f"{source}: `dbt run` changed tables and tested nothing; run `dbt build`", 1)
        if not is_passed and not is_mended:
            fail(f"{source}: the last build failed; mend what it names and run `dbt build`", 1)
        if kind == "whole":
            mart_tables = names.split("\n")
            break
        # A retry that passed stands for what failed before it.
        is_mended = kind == "retry"
    else:
        fail(f"{source}: no build of all models is recorded; run `dbt build`", 1)
    return mart_tables


def refuse_warehouse(source: Path, target: Path) -> None:
    """Exit with one clear line when publishing would overwrite the warehouse or its log."""
    log = source.with_name(source.name + ".wal")
    if (target.exists() and target.samefile(source)) or target in (source.resolve(), log.resolve()):
        fail(
            f"AGENT_ANALYTICS_PUBLISHED_PATH {target} and AGENT_ANALYTICS_DUCKDB_PATH {source} are "
            "the same file; choose another AGENT_ANALYTICS_PUBLISHED_PATH",
            1,
        )


def refuse_other_contents(target: Path) -> None:
    """Exit with one clear line when `target` is there and holds more than published marts."""
    if not target.exists():
        return
    try:
        with duckdb.connect() as connection:
            connection.execute(f"attach {quote_literal(str(target))} as published (read_only)")
            found = connection.execute(
                "select schema_name || '.' || table_name from duckdb_tables() "
                "where database_name = 'published' union all "
                "select schema_name || '.' || view_name from duckdb_views() "
                "where database_name = 'published' and not internal"
            ).fetchall()
    except duckdb.Error as error:
        fail(f"{target} cannot be opened as a DuckDB file: {one_line(error)}; choose another", 1)
    names = {name for (name,) in found}
    own = (f"{MARTS_SCHEMA}.", f"{AUDIT_SCHEMA}.")
    others = sorted(name for name in names if not name.startswith(own))
    if names and f"{MARTS_SCHEMA}.{PUBLICATION_TABLE}" not in names:
        others = others or sorted(names)
    if others:
        fail(
            f"{target} holds {others[0]}, which was not published and would be lost; move it, or "
            "choose another AGENT_ANALYTICS_PUBLISHED_PATH",
            1,
        )


def remove_old_drafts(target: Path) -> None:
    """Remove drafts of publishers that were killed; those of a running process stay."""
    pattern = re.compile(re.escape(target.name) + r"[.]([0-9]+)[.]tmp")
    for draft in target.parent.iterdir():
        own = pattern.fullmatch(draft.name)
        if own and not is_running(int(own[1])):
            remove_draft(draft)


def is_running(process: int) -> bool:
    """Tell whether a process with this id is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return process != os.getpid()


def remove_draft(draft: Path) -> None:
    """Remove a draft and its log, where they are."""
    for leftover in (draft, draft.with_name(draft.name + ".wal")):
        with suppress(OSError):
            leftover.unlink()


def write_draft(source: Path, draft: Path, marts: list[str]) -> dict[str, int]:
    """Write marts and audits to a new file and return the row counts of the tables.

    Exits with one clear line when one is missing or when a copy is not complete.
    """
    tables = [(MARTS_SCHEMA, name) for name in marts]
    tables += [(AUDIT_SCHEMA, name) for name in AUDIT_TABLES]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {quote_literal(str(source))} as source (read_only)")
        found = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'source'"
        ).fetchall()
        missing = sorted(".".join(table) for table in set(tables) - set(found))
        if missing:
            fail(f"{source} has no table {missing[0]}: run `dbt build`", 1)
        connection.execute(
            f"attach {quote_literal(str(draft))} as draft "
            f"(storage_version {quote_literal(STORAGE_VERSION)})"
        )
        for schema in (MARTS_SCHEMA, AUDIT_SCHEMA):
            connection.execute(f"create schema draft.{quote_identifier(schema)}")
        counts: dict[str, int] = {}
        for schema, table in tables:
            name = f"{quote_identifier(schema)}.{quote_identifier(table)}"
            connection.execute(f"create table draft.{name} as from source.{name}")
            copy_comments(connection, schema, table)
            counts[table] = compare(connection, name)
        counts[CHECKPOINT_TABLE] = copy_checkpoint(connection, source, RESULTS_FILE)
        record_publication(connection, source, counts)
        connection.execute("checkpoint draft")
        connection.execute("detach draft")
    return counts


def copy_checkpoint(connection: duckdb.DuckDBPyConnection, source: Path, results: Path) -> int:
    """Write down what the last quality checkpoint of this warehouse found; returns the rows.

    The table is empty when no checkpoint was run, or the last one looked at another warehouse.
    Keys of offending rows are left out.
    """
    table = f"draft.{quote_identifier(AUDIT_SCHEMA)}.{quote_identifier(CHECKPOINT_TABLE)}"
    connection.execute(
        f"create table {table} (checked_at timestamp, table_name varchar, expectation varchar, "
        "column_name varchar, severity varchar, is_met boolean, description varchar, "
        "row_count bigint)"
    )
    connection.execute(
        f"comment on table {table} is 'One row per expectation of the quality checkpoint: whether "
        "it was met, and how many rows were not as expected.'"
    )
    try:
        content = json.loads(results.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    if content.get("warehouse") != str(source.resolve()):
        return 0
    checked_at = datetime.fromisoformat(content["checked_at"]).astimezone(UTC).replace(tzinfo=None)
    names = ("table", "name", "column", "severity", "is_met", "description", "row_count")
    rows = [(checked_at, *(finding[name] for name in names)) for finding in content["findings"]]
    if rows:
        connection.executemany(f"insert into {table} values ({', '.join('?' * 8)})", rows)
    return len(rows)


def copy_comments(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> None:
    """Give a copied table the comments of its source, which BI tools show as documentation."""
    name = f"draft.{quote_identifier(schema)}.{quote_identifier(table)}"
    where = "where database_name = 'source' and schema_name = ? and table_name = ?"
    (comment,) = connection.execute(
        f"select comment from duckdb_tables() {where}", [schema, table]
    ).fetchall()[0]
    if comment is not None:
        connection.execute(f"comment on table {name} is {quote_literal(comment)}")
    for column, text in connection.execute(
        f"select column_name, comment from duckdb_columns() {where} and comment is not null",
        [schema, table],
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


def refuse_other_folder(folder: Path) -> None:
    """Exit with one clear line when something that no export wrote is where the link would be."""
    if folder.is_symlink():
        if not copy_pattern(folder).fullmatch(str(folder.readlink())):
            fail(f"{folder} is a link to {folder.readlink()}; choose another --parquet DIR", 1)
    elif folder.is_dir() and any(folder.iterdir()):
        fail(f"{folder} holds files of something else; choose another --parquet DIR", 1)
    elif folder.exists() and not folder.is_dir():
        fail(f"{folder} is a file; choose another --parquet DIR", 1)


def copy_pattern(folder: Path) -> re.Pattern[str]:
    """Return what the folders are named that a link named like `folder` leads to."""
    return re.compile(re.escape(folder.name) + r"[.]copy-[0-9]{8}T[0-9]{12}")


def export_parquet(published: Path, folder: Path) -> int:
    """Write every published table as one Parquet file and return the number of files.

    The files of a copy lie in a folder of their own beside `folder`, which becomes a link to it in
    one step: who reads sees one whole copy or the other. The copy before stays, so that who
    began to read it can end; older ones go. Exits with one clear line when a file cannot be
    written, and leaves `folder` as it was.
    """
    folder = folder.absolute()
    make_folder(folder.parent)
    pattern = copy_pattern(folder)
    before = str(folder.readlink()) if folder.is_symlink() else None
    copy = folder.with_name(f"{folder.name}.copy-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    draft = copy.with_name(f"{copy.name}.link")
    try:
        copy.mkdir()
        with connect(published, read_only=True) as connection:
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables() order by table_name"
            ).fetchall()
            for schema, table in tables:
                file = quote_literal(str(copy / f"{table}.parquet"))
                connection.execute(
                    f"copy {quote_identifier(schema)}.{quote_identifier(table)} "
                    f"to {file} (format parquet, compression zstd)"
                )
        if folder.is_dir() and not folder.is_symlink():
            folder.rmdir()
        draft.symlink_to(copy.name, target_is_directory=True)
        draft.replace(folder)
    except (OSError, duckdb.Error) as error:
        shutil.rmtree(copy, ignore_errors=True)
        fail(f"{folder} cannot be written: {one_line(error)}", 1)
    for old in folder.parent.iterdir():
        if pattern.fullmatch(old.name) and old.name not in (before, copy.name):
            shutil.rmtree(old, ignore_errors=True)
    return len(tables)


if __name__ == "__main__":
    raise SystemExit(main())
