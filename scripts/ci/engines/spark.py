"""A throw-away Spark cluster with raw tables as RudderStack's Databricks destination makes them."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pyhive.exc
from pyhive import hive
from thrift.transport.TTransport import TTransportException

from scripts.ci.engines.base import CursorEngine, EngineError, RawColumn, free_port
from scripts.ci.raw_catalogue import RAW_TYPES
from scripts.warehouse import PROJECT_DIR

CLUSTER_SCRIPT = PROJECT_DIR / "scripts" / "ci" / "spark_cluster"
HOST = "127.0.0.1"
USER = "dbt"
# The script itself fails after three minutes; before that it may have to prepare an environment.
SCRIPT_SECONDS = 900
WARM_UP_ROUNDS = 3
# As many as dbt opens at a time.
WARM_UP_SESSIONS = 4

PHYSICAL_TYPES = RAW_TYPES["spark"].types
# RudderStack partitions by the day on which an event arrived.
PARTITION_COLUMN = "event_date"
ARRIVAL_COLUMN = "received_at"
# What `describe table` writes between the columns and those of the partitions.
PARTITION_HEADING = "# Partition Information"


class Spark(CursorEngine):
    """Spark 4 with Parquet tables: a master, two workers and a thrift server on free ports."""

    name = "spark"
    target = "spark"
    flavour = "spark"
    file_format = "parquet"
    tests_run_once = True
    # Of Derby, which holds the catalog of this cluster; a metastore in Postgres or MySQL has room.
    view_text_limit = 32_700
    # No missing grant: open-source Spark has none, its tables are as safe as their files.
    mistakes: ClassVar[Mapping[str, str]] = {
        "wrong_password": "Error validating the login",
        "nothing_listens": "Could not connect to any of",
    }

    def __init__(self) -> None:
        """Choose ports and a password; nothing is started yet."""
        self._directory: Path | None = None
        self._password = secrets.token_urlsafe(16)
        self._directory_port = free_port()
        self._port = free_port()
        self._master_port = free_port()

    @property
    def event_logs(self) -> Path:
        """Return the folder where Spark writes what each query planned and ran."""
        return self._running_directory() / "events"

    def start(self, directory: Path) -> None:
        """Start the cluster with all its files below `directory`."""
        self._directory = directory
        self._cluster("start", str(directory), self.flavour)
        self._warm_up()

    def stop(self) -> None:
        """Stop the cluster."""
        if self._directory is not None:
            self._cluster("stop", str(self._directory))

    def kill_worker(self, number: int) -> None:
        """End worker 1 or 2 and its executor at once, as a machine that breaks down would."""
        self._cluster("kill-worker", str(self._running_directory()), str(number))

    def environment(self) -> dict[str, str]:
        """Return the variables of the spark target in profiles.yml, and the format of tables."""
        return {
            "AGENT_ANALYTICS_SPARK_HOST": HOST,
            "AGENT_ANALYTICS_SPARK_PORT": str(self._port),
            "AGENT_ANALYTICS_SPARK_USER": USER,
            "AGENT_ANALYTICS_SPARK_AUTH": "LDAP",
            "AGENT_ANALYTICS_SPARK_PASSWORD": self._password,
            "AGENT_ANALYTICS_SPARK_FILE_FORMAT": self.file_format,
        }

    @contextlib.contextmanager
    def mistake(self, kind: str) -> Iterator[dict[str, str]]:
        """Make one of `mistakes`; nothing needs to be undone afterwards."""
        yield {
            "wrong_password": {"AGENT_ANALYTICS_SPARK_PASSWORD": "wrong"},
            "nothing_listens": {"AGENT_ANALYTICS_SPARK_PORT": str(free_port())},
        }[kind]

    def list_tables(self, schema: str) -> list[str]:
        """Return the names of all tables and views of a schema."""
        if schema not in self._schemas():
            return []
        return sorted({*self._names("tables", schema), *self._names("views", schema)})

    def partition_columns(self, schema: str, table: str) -> list[str]:
        """Return the columns a table is partitioned by, which a Parquet table holds last."""
        described = [row[0] for row in self.query(f"describe table {_relation(schema, table)}")]
        if PARTITION_HEADING not in described:
            return []
        # The heading is followed by one for names and types.
        return described[described.index(PARTITION_HEADING) + 2 :]

    def load_raw_table(
        self, schema: str, table: str, columns: list[RawColumn], parquet: Path
    ) -> None:
        """Replace a raw table, partitioned by the day of arrival as RudderStack does it."""
        relation = _relation(schema, table)
        selected = [
            f"cast({_identifier(column.name)} as {PHYSICAL_TYPES[column.rudder_type]})"
            f" as {_identifier(column.name)}"
            for column in columns
        ]
        partitioned = spread = ""
        if any(column.name == ARRIVAL_COLUMN for column in columns):
            selected.append(f"cast({ARRIVAL_COLUMN} as date) as {PARTITION_COLUMN}")
            partitioned = f"partitioned by ({PARTITION_COLUMN})"
            # One file per day instead of one per day and task.
            spread = f"distribute by {PARTITION_COLUMN}"
        with self._cursor() as cursor:
            cursor.execute(f"create schema if not exists {_identifier(schema)}")
            cursor.execute(f"drop table if exists {relation}")
            # A path in the from clause would be looked up in the catalog of Iceberg.
            cursor.execute(
                "create temporary view agent_analytics_rows using parquet"
                f" options (path {_literal(str(parquet.resolve()))})"
            )
            cursor.execute(
                f"create table {relation} using {self.file_format} {partitioned} as"
                f" select {', '.join(selected)} from agent_analytics_rows {spread}"
            )

    def export_table(self, schema: str, table: str, parquet: Path) -> None:
        """Write a table as a folder of Parquet files, by the workers and past the driver."""
        self.execute(
            f"insert overwrite directory {_literal(str(parquet.resolve()))} using parquet"
            f" select * from {_relation(schema, table)}"
        )

    def drop_schemas(self, prefix: str) -> None:
        """Drop every schema whose name starts with `prefix`."""
        for schema in self._schemas():
            if schema.startswith(prefix):
                self._drop_schema(schema)

    def _warm_up(self) -> None:
        """Open and close sessions side by side, as dbt does; the last round must end well.

        When the first sessions end at the same time the server may fail to close one: it looks for
        classes of Hive that Spark does not ship (NoClassDefFoundError), once. dbt would stop.
        """
        for _ in range(WARM_UP_ROUNDS):
            with ThreadPoolExecutor(WARM_UP_SESSIONS) as pool:
                sessions = [pool.submit(self._schemas) for _ in range(WARM_UP_SESSIONS)]
        for session in sessions:
            session.result()

    def _drop_schema(self, schema: str) -> None:
        self.execute(f"drop schema {_identifier(schema)} cascade")

    def _schemas(self) -> list[str]:
        return [row[0] for row in self.query("show schemas")]

    def _names(self, kind: str, schema: str) -> list[str]:
        """Return the names of the tables or views of a schema."""
        return [row[1] for row in self.query(f"show {kind} in {_identifier(schema)}")]

    def _running_directory(self) -> Path:
        if self._directory is None:
            raise EngineError("the Spark cluster was never started")
        return self._directory

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[hive.Cursor]:
        """Yield the cursor of a session of its own."""
        try:
            with (
                contextlib.closing(
                    hive.connect(
                        HOST, self._port, username=USER, auth="LDAP", password=self._password
                    )
                ) as connection,
                contextlib.closing(connection.cursor()) as cursor,
            ):
                yield cursor
        except (pyhive.exc.Error, TTransportException) as error:
            raise EngineError(f"Spark: {_first_line(error)}") from error

    def _rows(self, cursor: hive.Cursor) -> list[tuple]:
        try:
            return super()._rows(cursor)
        except TypeError:
            # The thrift server before Spark 4 sends no columns at all for an empty result.
            return []

    def _cluster(self, *arguments: str) -> None:
        settings = {
            "AGENT_ANALYTICS_SPARK_PORT": str(self._port),
            "AGENT_ANALYTICS_SPARK_MASTER_PORT": str(self._master_port),
            "AGENT_ANALYTICS_SPARK_DIRECTORY_PORT": str(self._directory_port),
            "AGENT_ANALYTICS_SPARK_PASSWORD": self._password,
        }
        # Not a pipe: the servers that stay would keep it open.
        result = subprocess.run(
            [str(CLUSTER_SCRIPT), *arguments],
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SCRIPT_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            lines = result.stderr.strip().splitlines() or ["no message"]
            named = [line for line in lines if line.startswith("spark_cluster: ")] or lines[-1:]
            raise EngineError(named[0].removeprefix("spark_cluster: "))


class Iceberg(Spark):
    """Spark 3.5 with Iceberg tables, on the same kind of cluster."""

    name = "iceberg"
    flavour = "iceberg"
    file_format = "iceberg"

    def build_arguments(self) -> list[str]:
        """Return the option without which dbt-spark fails on this version.

        The client cannot read the empty result that the thrift server before Spark 4 sends for the
        statements of a unit test.
        """
        return ["--exclude-resource-type", "unit_test"]

    def _drop_schema(self, schema: str) -> None:
        # Iceberg's catalog ignores `cascade`.
        for kind in ("view", "table"):
            for name in self._names(f"{kind}s", schema):
                self.execute(f"drop {kind} {_relation(schema, name)}")
        super()._drop_schema(schema)


def _identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _relation(schema: str, table: str) -> str:
    return f"{_identifier(schema)}.{_identifier(table)}"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _first_line(error: Exception) -> str:
    """Return what the server said, without the stack trace it sends along."""
    answer = error.args[0] if error.args else error
    status = getattr(answer, "status", None)
    message = getattr(status, "errorMessage", None) or str(error) or type(error).__name__
    return message.strip().splitlines()[0]
