"""A throw-away Postgres server with raw tables as RudderStack's Postgres destination makes them."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import duckdb
import psycopg2

from scripts.ci.engines.base import CursorEngine, EngineError, RawColumn, free_port
from scripts.ci.raw_catalogue import RAW_TYPES
from scripts.warehouse import (
    AUDIT_SCHEMA,
    PROJECT_DIR,
    RAW_SCHEMA,
    quote_identifier,
    quote_literal,
)

SERVER_SCRIPT = PROJECT_DIR / "scripts" / "ci" / "postgres_server"
SUPERUSER = "postgres"
# Who builds: may create schemas in the database and read the raw tables, and nothing else.
BUILDER = "agent_analytics_builder"
# May connect, and nothing else unless a mistake needs it.
NEWCOMER = "agent_analytics_newcomer"
DATABASE = "agent_analytics"
START_SECONDS = 300
# Stands for null in the CSV files between DuckDB and Postgres; a text that reads the same is quoted
# and stays a text on both sides.
NULL_MARK = r"\N"

PHYSICAL_TYPES = RAW_TYPES["postgres"].types
# Types of built tables, by the name Postgres gives them without length or precision.
DUCKDB_TYPES = {
    "text": "VARCHAR",
    "character varying": "VARCHAR",
    "uuid": "UUID",
    "jsonb": "VARCHAR",
    "json": "VARCHAR",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
}


class Postgres(CursorEngine):
    """Postgres of the system's package, on a free port of this machine."""

    name = "postgres"
    target = "postgres"
    builds_incrementally = True
    mistakes: ClassVar[Mapping[str, str]] = {
        "wrong_password": f'password authentication failed for user "{BUILDER}"',
        "nothing_listens": "Connection refused",
        "unknown_database": 'database "agent_analytics_absent" does not exist',
        "may_not_enter_raw_schema": "permission denied for schema rudderstack",
        "may_not_read_raw_tables": "permission denied for table ai_",
        "may_not_create_in_schemas": "permission denied for schema analytics_",
        "may_not_create_schemas": f"permission denied for database {DATABASE}",
    }

    def __init__(self) -> None:
        """Choose port and password; nothing is started yet."""
        self._directory: Path | None = None
        self._port = free_port()
        self._password = secrets.token_urlsafe(16)
        self._builder_password = secrets.token_urlsafe(16)

    def start(self, directory: Path) -> None:
        """Start the server with its data below `directory`, and let a plain user build on it."""
        self._directory = directory
        self._server("start", directory)
        password = quote_literal(self._builder_password)
        for user in (BUILDER, NEWCOMER):
            self.execute(f"create role {user} login password {password}")
        self.execute(f"grant create on database {DATABASE} to {BUILDER}")

    def stop(self) -> None:
        """Stop the server."""
        if self._directory is not None:
            self._server("stop", self._directory)

    def environment(self) -> dict[str, str]:
        """Return the variables of the postgres target in profiles.yml."""
        return {
            "AGENT_ANALYTICS_POSTGRES_HOST": "127.0.0.1",
            "AGENT_ANALYTICS_POSTGRES_PORT": str(self._port),
            "AGENT_ANALYTICS_POSTGRES_USER": BUILDER,
            "AGENT_ANALYTICS_POSTGRES_PASSWORD": self._builder_password,
            "AGENT_ANALYTICS_POSTGRES_DATABASE": DATABASE,
        }

    @contextlib.contextmanager
    def mistake(self, kind: str) -> Iterator[dict[str, str]]:
        """Make one of `mistakes`; grants are as before afterwards."""
        variables = {
            "wrong_password": {"AGENT_ANALYTICS_POSTGRES_PASSWORD": "wrong"},
            "nothing_listens": {"AGENT_ANALYTICS_POSTGRES_PORT": str(free_port())},
            "unknown_database": {"AGENT_ANALYTICS_POSTGRES_DATABASE": "agent_analytics_absent"},
            "may_not_create_in_schemas": {"AGENT_ANALYTICS_POSTGRES_USER": NEWCOMER},
            "may_not_create_schemas": {"AGENT_ANALYTICS_POSTGRES_USER": NEWCOMER},
        }
        schemas = [row[0] for row in self.query("select nspname from pg_namespace")]
        raw = [quote_identifier(name) for name in schemas if name.startswith(RAW_SCHEMA)]
        undo: list[str] = []
        if kind == "may_not_enter_raw_schema":
            for schema in raw:
                self.execute(f"revoke usage on schema {schema} from {BUILDER}")
                undo.append(f"grant usage on schema {schema} to {BUILDER}")
        elif kind == "may_not_read_raw_tables":
            for schema in raw:
                self.execute(f"revoke select on all tables in schema {schema} from {BUILDER}")
                undo.append(f"grant select on all tables in schema {schema} to {BUILDER}")
        elif kind.startswith("may_not_create"):
            for schema in raw:
                self.execute(f"grant usage on schema {schema} to {NEWCOMER}")
                self.execute(f"grant select on all tables in schema {schema} to {NEWCOMER}")
        if kind == "may_not_create_in_schemas":
            self.execute(f"grant create on database {DATABASE} to {NEWCOMER}")
            undo.append(f"revoke create on database {DATABASE} from {NEWCOMER}")
        if kind == "may_not_create_schemas":
            # One that is there needs no creating; it waits under another name.
            audit, waiting = quote_identifier(AUDIT_SCHEMA), "waiting_meanwhile"
            self.execute(f"alter schema {audit} rename to {waiting}")
            undo.append(f"alter schema {waiting} rename to {audit}")
        try:
            yield variables.get(kind, {})
        finally:
            for statement in undo:
                self.execute(statement)

    def list_tables(self, schema: str) -> list[str]:
        """Return the names of all tables and views of a schema."""
        rows = self.query(
            "select table_name from information_schema.tables "
            f"where table_schema = {quote_literal(schema)} order by table_name"
        )
        return [row[0] for row in rows]

    def uncounted_tables(self, schema: str) -> list[str]:
        """Return the tables of a schema of which Postgres does not know how many rows they have."""
        rows = self.query(
            # -1 where it has never counted
            "select relname from pg_class as tables"
            " inner join pg_namespace as schemas on tables.relnamespace = schemas.oid"
            f" where schemas.nspname = {quote_literal(schema)}"
            " and tables.relkind = 'r' and tables.reltuples < 0 order by relname"
        )
        return [row[0] for row in rows]

    def load_raw_table(
        self, schema: str, table: str, columns: list[RawColumn], parquet: Path
    ) -> None:
        """Replace a raw table; blank text arrives as null, as RudderStack loads it."""
        relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
        definition = ", ".join(
            f"{quote_identifier(column.name)} {PHYSICAL_TYPES[column.rudder_type]}"
            for column in columns
        )
        with tempfile.TemporaryDirectory(prefix="agent_analytics_load_") as scratch:
            rows = Path(scratch) / "rows.csv"
            with duckdb.connect() as connection:
                connection.execute("set TimeZone = 'UTC'")
                selected = ", ".join(_loaded_value(column) for column in columns)
                connection.execute(
                    f"copy (select {selected} from read_parquet({quote_literal(str(parquet))}))"
                    f" to {quote_literal(str(rows))}"
                    f" (format csv, header false, nullstr {quote_literal(NULL_MARK)},"
                    " force_quote *)"
                )
            with self._cursor() as cursor:
                cursor.execute(f"create schema if not exists {quote_identifier(schema)}")
                cursor.execute(f"drop table if exists {relation}")
                cursor.execute(f"create table {relation} ({definition})")
                with rows.open("rb") as handle:
                    cursor.copy_expert(
                        f"copy {relation} from stdin (format csv, null {quote_literal(NULL_MARK)})",
                        handle,
                    )
                cursor.execute(f"grant usage on schema {quote_identifier(schema)} to {BUILDER}")
                cursor.execute(f"grant select on {relation} to {BUILDER}")
                cursor.execute(f"analyze {relation}")

    def export_table(self, schema: str, table: str, parquet: Path) -> None:
        """Write a table as one Parquet file with the types it has here."""
        relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
        columns = self._columns(schema, table)
        if not columns:
            raise EngineError(f"Postgres has no table {schema}.{table}")
        names = ", ".join(quote_identifier(name) for name in columns)
        with tempfile.TemporaryDirectory(prefix="agent_analytics_export_") as scratch:
            rows = Path(scratch) / "rows.csv"
            with self._cursor() as cursor, rows.open("wb") as handle:
                cursor.copy_expert(
                    f"copy (select {names} from {relation}) to stdout"
                    f" (format csv, null {quote_literal(NULL_MARK)}, force_quote *)",
                    handle,
                )
            types = ", ".join(
                f"{quote_literal(name)}: {quote_literal(kind)}" for name, kind in columns.items()
            )
            with duckdb.connect() as connection:
                connection.execute("set TimeZone = 'UTC'")
                connection.execute(
                    f"copy (from read_csv({quote_literal(str(rows))}, columns = {{{types}}},"
                    " auto_detect = false, header = false, delim = ',', quote = '\"',"
                    f" escape = '\"', nullstr = {quote_literal(NULL_MARK)},"
                    " allow_quoted_nulls = false, max_line_size = 100000000))"
                    f" to {quote_literal(str(parquet))} (format parquet)"
                )

    def drop_schemas(self, prefix: str) -> None:
        """Drop every schema whose name starts with `prefix`."""
        rows = self.query("select nspname from pg_namespace")
        for (schema,) in rows:
            if schema.startswith(prefix):
                self.execute(f"drop schema {quote_identifier(schema)} cascade")

    def _columns(self, schema: str, table: str) -> dict[str, str]:
        """Return DuckDB's type per column of a table, in order."""
        rows = self.query(
            "select column_name, data_type, numeric_precision, numeric_scale"
            " from information_schema.columns"
            f" where table_schema = {quote_literal(schema)}"
            f" and table_name = {quote_literal(table)} order by ordinal_position"
        )
        columns = {}
        for name, kind, precision, scale in rows:
            if kind == "numeric":
                # A numeric without limits has no counterpart; nothing with a contract is one.
                columns[name] = f"DECIMAL({precision},{scale})" if precision else "DOUBLE"
            elif kind in DUCKDB_TYPES:
                columns[name] = DUCKDB_TYPES[kind]
            else:
                raise EngineError(f"{schema}.{table}.{name} is {kind}, which cannot be compared")
        return columns

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[psycopg2.extensions.cursor]:
        """Yield the cursor of a connection of the superuser that commits at the end."""
        try:
            connection = psycopg2.connect(
                host="127.0.0.1",
                port=self._port,
                user=SUPERUSER,
                password=self._password,
                dbname=DATABASE,
            )
            try:
                with connection, connection.cursor() as cursor:
                    yield cursor
            finally:
                connection.close()
        except psycopg2.Error as error:
            raise EngineError(f"Postgres: {str(error).strip().splitlines()[0]}") from error

    def _server(self, action: str, directory: Path) -> None:
        result = subprocess.run(
            [str(SERVER_SCRIPT), action, str(directory)],
            env={
                **os.environ,
                "AGENT_ANALYTICS_POSTGRES_PORT": str(self._port),
                "AGENT_ANALYTICS_POSTGRES_PASSWORD": self._password,
            },
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            lines = result.stderr.strip().splitlines() or ["no message"]
            raise EngineError(lines[-1].removeprefix("error: "))


def _loaded_value(column: RawColumn) -> str:
    """Return the DuckDB expression of what RudderStack would load for a column."""
    name = quote_identifier(column.name)
    if column.rudder_type == "string":
        return f"case when regexp_full_match({name}, '\\s*') then null else {name} end"
    return name
