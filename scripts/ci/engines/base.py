"""What a test or a timing needs of an engine: start it, fill it, build on it, read it back."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from scripts.warehouse import PROJECT_DIR

# The types RudderStack knows; each warehouse has a physical type for each.
RUDDER_TYPES = ("string", "int", "float", "datetime", "boolean", "json")


class EngineError(Exception):
    """An engine that does not start or refuses a statement; the message is one clear line."""


@dataclass(frozen=True)
class RawColumn:
    """A column of a raw table, with the type RudderStack gave it."""

    name: str
    rudder_type: str

    def __post_init__(self) -> None:
        """Refuse a type RudderStack does not know."""
        if self.rudder_type not in RUDDER_TYPES:
            raise ValueError(f"column {self.name}: {self.rudder_type} is no type of RudderStack")


class Engine(ABC):
    """A throw-away server of one engine.

    `name` is what users type, `target` the output of profiles.yml that reaches it.
    """

    name: str
    target: str
    # Whether there is something to connect to, or the engine runs in the process that asks.
    has_server: ClassVar[bool] = True
    # Whether a time in RudderStack's raw tables is more exact than a second.
    keeps_fractions_of_seconds: ClassVar[bool] = True
    # As can_replace_rows() in macros/cross_db has it.
    builds_incrementally: ClassVar[bool] = False
    # Mistakes in the connection or the grants that can be made here, each with words that what dbt
    # says about it must contain. `mistake` makes one.
    mistakes: ClassVar[Mapping[str, str]] = {}

    # Where a test takes as long as a model, tests of the project run once, by themselves.
    tests_run_once: ClassVar[bool] = False
    # Characters of a view's text that the catalog of this server holds.
    view_text_limit: ClassVar[int | None] = None

    @abstractmethod
    def start(self, directory: Path) -> None:
        """Start a server with its data below `directory`; raises EngineError."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the server; does nothing when it does not run."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return the environment variables with which dbt reaches the server."""

    def dbt_command(self) -> list[str]:
        """Return the command that runs dbt with the adapter of this engine."""
        return [str(PROJECT_DIR / ".venv" / "bin" / "dbt")]

    def build_arguments(self) -> list[str]:
        """Return what `dbt build` needs to be told on this engine besides the target."""
        return []

    def mistake(self, kind: str) -> AbstractContextManager[dict[str, str]]:
        """Make one of `mistakes` for as long as the context lasts.

        Gives the variables that replace those of `environment` meanwhile.
        """
        raise EngineError(f"{self.name} knows no mistake {kind}")

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Run one statement; raises EngineError."""

    @abstractmethod
    def query(self, sql: str) -> list[tuple]:
        """Run one statement and return its rows; raises EngineError."""

    def uncounted_tables(self, schema: str) -> list[str]:
        """Return the tables of a schema without the statistics that the planner needs."""
        return []

    @abstractmethod
    def list_tables(self, schema: str) -> list[str]:
        """Return the names of all tables and views of a schema, none when there is no schema."""

    def partition_columns(self, schema: str, table: str) -> list[str]:
        """Return the columns that the engine puts last because the table is partitioned by them."""
        return []

    @abstractmethod
    def load_raw_table(
        self, schema: str, table: str, columns: list[RawColumn], parquet: Path
    ) -> None:
        """Replace a raw table by the rows of a Parquet file, in RudderStack's types.

        The file holds exactly these columns in this order, as DuckDB writes them: VARCHAR, BIGINT,
        DOUBLE, TIMESTAMP WITH TIME ZONE, BOOLEAN, and JSON as VARCHAR. Creates a missing schema.
        """

    @abstractmethod
    def export_table(self, schema: str, table: str, parquet: Path) -> None:
        """Write every row and column of a table to `parquet`, a file or a folder of files."""

    @abstractmethod
    def drop_schemas(self, prefix: str) -> None:
        """Drop every schema whose name starts with `prefix`, with all it holds."""


class Cursor(Protocol):
    """What is used of a cursor as PEP 249 has it."""

    def execute(self, sql: str) -> object:
        """Run one statement."""

    def fetchall(self) -> list[tuple]:
        """Return the rows of the last statement."""


class CursorEngine(Engine):
    """An engine whose client has cursors."""

    @abstractmethod
    def _cursor(self) -> AbstractContextManager[Cursor]:
        """Give a cursor for as long as the context lasts; raises EngineError."""

    def execute(self, sql: str) -> None:
        """Run one statement."""
        with self._cursor() as cursor:
            cursor.execute(sql)

    def query(self, sql: str) -> list[tuple]:
        """Run one statement and return its rows."""
        with self._cursor() as cursor:
            cursor.execute(sql)
            return self._rows(cursor)

    def _rows(self, cursor: Cursor) -> list[tuple]:
        return cursor.fetchall()


def engines() -> dict[str, Callable[[], Engine]]:
    """Return what makes each engine that can be started here, by the name users type.

    Modules are imported only when asked for: each needs the client of its engine.
    """

    def postgres() -> Engine:
        from scripts.ci.engines.postgres import Postgres

        return Postgres()

    def spark() -> Engine:
        from scripts.ci.engines.spark import Spark

        return Spark()

    def iceberg() -> Engine:
        from scripts.ci.engines.spark import Iceberg

        return Iceberg()

    def clickhouse() -> Engine:
        from scripts.ci.engines.clickhouse import ClickHouse

        return ClickHouse()

    return {
        "postgres": postgres,
        "spark": spark,
        "iceberg": iceberg,
        "clickhouse": clickhouse,
    }


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
