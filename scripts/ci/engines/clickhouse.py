"""ClickHouse as a library (chdb) with raw tables in the types RudderStack gives them there.

No server runs: dbt and every statement open the data in a process of their own, one after another.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import ClassVar

from scripts.ci.engines.base import Engine, EngineError, RawColumn
from scripts.ci.engines.chdb_dbt import PATH_VARIABLE
from scripts.ci.raw_catalogue import RAW_TYPES
from scripts.warehouse import PROJECT_DIR

ENGINES = PROJECT_DIR / "scripts" / "ci" / "engines"
PREPARE = PROJECT_DIR / "scripts" / "ci" / "prepare_environment"
PYTHON = PROJECT_DIR / ".venv-clickhouse" / "bin" / "python"
PREPARE_SECONDS = 900
STATEMENT_SECONDS = 600
# A column of type DateTime has no zone of its own and is shown in that of the process.
UTC = {"TZ": "UTC"}

PHYSICAL_TYPES = RAW_TYPES["clickhouse"].types


class ClickHouse(Engine):
    """ClickHouse in the process that asks, with its data in a folder."""

    name = "clickhouse"
    target = "clickhouse"
    has_server: ClassVar[bool] = False
    keeps_fractions_of_seconds: ClassVar[bool] = False

    def __init__(self) -> None:
        """Nothing is prepared yet."""
        self._directory: Path | None = None

    def start(self, directory: Path) -> None:
        """Prepare the environment with the library, and an empty folder of data."""
        result = subprocess.run(
            [str(PREPARE), "clickhouse"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PREPARE_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            lines = result.stderr.strip().splitlines() or ["no message"]
            raise EngineError(lines[-1].removeprefix("prepare_environment: "))
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.execute("select 1")

    def stop(self) -> None:
        """Do nothing: no process outlives its statement."""

    def environment(self) -> dict[str, str]:
        """Return where the data lie; several threads would share the one session of the library."""
        return {PATH_VARIABLE: self._path(), "AGENT_ANALYTICS_THREADS": "1", **UTC}

    def dbt_command(self) -> list[str]:
        """Return dbt with the library in place of a connection."""
        return [str(PYTHON), str(ENGINES / "chdb_dbt.py")]

    def execute(self, sql: str) -> None:
        """Run one statement."""
        self._run([sql])

    def query(self, sql: str) -> list[tuple]:
        """Run one statement and return its rows."""
        # Whole numbers of 64 bits would be quoted, as JavaScript cannot hold them.
        return self._run([f"{sql} settings output_format_json_quote_64bit_integers = 0"])

    def list_tables(self, schema: str) -> list[str]:
        """Return the names of all tables and views of a schema."""
        rows = self.query(
            f"select name from system.tables where database = {_literal(schema)} order by name"
        )
        return [row[0] for row in rows]

    def load_raw_table(
        self, schema: str, table: str, columns: list[RawColumn], parquet: Path
    ) -> None:
        """Replace a raw table; an absent text arrives as an empty one, as RudderStack loads it.

        RudderStack's tables merge rows of the same id and time of arrival at a time nobody knows;
        here they all stay.
        """
        relation = _relation(schema, table)
        definition = ", ".join(
            f"{_identifier(column.name)} {PHYSICAL_TYPES[column.rudder_type]}" for column in columns
        )
        selected = ", ".join(_loaded_value(column) for column in columns)
        rows = f"file({_literal(str(parquet.resolve()))}, Parquet)"
        self._run(
            [
                f"create database if not exists {_identifier(schema)}",
                f"drop table if exists {relation}",
                f"create table {relation} ({definition}) engine = MergeTree order by tuple()",
                f"insert into {relation} select {selected} from {rows}",
            ]
        )

    def export_table(self, schema: str, table: str, parquet: Path) -> None:
        """Write a table as one Parquet file."""
        columns = self.query(
            f"select name, type from system.columns where database = {_literal(schema)}"
            f" and table = {_literal(table)} order by position"
        )
        if not columns:
            raise EngineError(f"ClickHouse has no table {schema}.{table}")
        # A comparison gives 0 or 1 as UInt8, of which the type Bool is only another name.
        selected = ", ".join(
            f"cast({name} as {kind.replace('UInt8', 'Bool')}) as {name}"
            if kind in ("UInt8", "Nullable(UInt8)")
            else name
            for name, kind in ((_identifier(name), kind) for name, kind in columns)
        )
        file = f"file({_literal(str(parquet.resolve()))}, Parquet)"
        self.execute(
            f"insert into function {file} select {selected} from {_relation(schema, table)}"
            " settings engine_file_truncate_on_insert = 1"
        )

    def drop_schemas(self, prefix: str) -> None:
        """Drop every schema whose name starts with `prefix`."""
        rows = self.query(
            f"select name from system.databases where startsWith(name, {_literal(prefix)})"
        )
        statements = [f"drop database {_identifier(row[0])}" for row in rows]
        if statements:
            self._run(statements)

    def _path(self) -> str:
        if self._directory is None:
            raise EngineError("ClickHouse was never started")
        return str(self._directory / "data")

    def _run(self, statements: list[str]) -> list[tuple]:
        """Run statements in one process; return the rows of the last."""
        result = subprocess.run(
            [str(PYTHON), str(ENGINES / "chdb_statements.py"), self._path()],
            input=json.dumps(statements),
            env={**os.environ, **UTC},
            capture_output=True,
            text=True,
            timeout=STATEMENT_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            lines = result.stderr.strip().splitlines() or ["no message"]
            named = [line for line in lines if line.startswith("error: ")] or lines[-1:]
            raise EngineError(f"ClickHouse: {named[-1].removeprefix('error: ')}")
        return [tuple(row) for row in json.loads(result.stdout.splitlines()[-1])]


def _loaded_value(column: RawColumn) -> str:
    name = _identifier(column.name)
    if column.rudder_type in ("string", "json"):
        return f"coalesce({name}, '')"
    if column.rudder_type == "datetime":
        # Cut off, not rounded.
        return f"toDateTime(toStartOfSecond({name}), 'UTC')"
    return name


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _relation(schema: str, table: str) -> str:
    return f"{_identifier(schema)}.{_identifier(table)}"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
