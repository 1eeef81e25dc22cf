"""Carries the raw tables of a DuckDB warehouse over to another engine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb

from scripts.ci.engines.base import Engine, EngineError, RawColumn
from scripts.warehouse import quote_identifier, quote_literal

# What scripts/load_events.py writes for each type of RudderStack.
RUDDER_TYPES_OF_DUCKDB = {
    "VARCHAR": "string",
    "BIGINT": "int",
    "INTEGER": "int",
    "DOUBLE": "float",
    "TIMESTAMP WITH TIME ZONE": "datetime",
    "TIMESTAMP": "datetime",
    "BOOLEAN": "boolean",
    "JSON": "json",
}
DUCKDB_TYPES = {
    "string": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "datetime": "TIMESTAMP WITH TIME ZONE",
    "boolean": "BOOLEAN",
    "json": "VARCHAR",
}


def copy_raw_tables(
    warehouse: Path, schema: str, engine: Engine, report: Callable[[str], None] | None = None
) -> dict[str, int]:
    """Copy every table of a raw schema of a DuckDB file to an engine; return rows per table.

    Raises EngineError when the schema holds no table or a column of an unexpected type.
    """
    copied = {}
    with (
        duckdb.connect(str(warehouse), read_only=True) as connection,
        tempfile.TemporaryDirectory(prefix="agent_analytics_raw_") as scratch,
    ):
        connection.execute("set TimeZone = 'UTC'")
        for table in raw_tables(connection, schema):
            relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
            columns = raw_columns(connection, relation)
            parquet = Path(scratch) / f"{table}.parquet"
            copied[table] = write_parquet(connection, relation, columns, parquet)
            if report is not None:
                report(f"{engine.name}: loading {copied[table]:,} rows of {schema}.{table}")
            engine.load_raw_table(schema, table, columns, parquet)
            parquet.unlink()
    if not copied:
        raise EngineError(f"{warehouse} has no table in schema {schema}")
    return copied


def cut_fractions_of_seconds(warehouse: Path, schema: str) -> None:
    """Cut the times of a raw schema of a DuckDB file to whole seconds, as some engines do."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in raw_tables(connection, schema):
            relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
            cut = [
                f"{quote_identifier(column.name)}"
                f" = date_trunc('second', {quote_identifier(column.name)})"
                for column in raw_columns(connection, relation)
                if column.rudder_type == "datetime"
            ]
            if cut:
                connection.execute(f"update {relation} set {', '.join(cut)}")


def raw_tables(connection: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """Return the names of the tables of a schema."""
    rows = connection.execute(
        "select table_name from duckdb_tables()"
        " where database_name = current_database() and schema_name = ? order by table_name",
        [schema],
    ).fetchall()
    return [row[0] for row in rows]


def raw_columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[RawColumn]:
    """Return the columns of a raw table or file with the types RudderStack gave them."""
    columns = []
    for name, kind, *_ in connection.execute(f"describe from {relation}").fetchall():
        if kind not in RUDDER_TYPES_OF_DUCKDB:
            raise EngineError(f"{relation}.{name} is {kind}, which RudderStack does not write")
        columns.append(RawColumn(name, RUDDER_TYPES_OF_DUCKDB[kind]))
    return columns


def write_parquet(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: list[RawColumn], parquet: Path
) -> int:
    """Write a raw table as the Parquet file `Engine.load_raw_table` takes; return the rows."""
    selected = ", ".join(
        f"cast({quote_identifier(column.name)} as {DUCKDB_TYPES[column.rudder_type]})"
        f" as {quote_identifier(column.name)}"
        for column in columns
    )
    row = connection.execute(
        f"copy (select {selected} from {relation})"
        f" to {quote_literal(str(parquet))} (format parquet)"
    ).fetchone()
    return int(row[0]) if row else 0
