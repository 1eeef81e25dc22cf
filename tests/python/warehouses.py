"""Throw-away DuckDB files with raw tables, and dbt run on them in this process."""

import gc
import os
import shutil
from datetime import datetime
from pathlib import Path

import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from scripts.warehouse import PROJECT_DIR, connect, quote_identifier

EVENT_TABLES = (
    "ai_user_prompt_created",
    "ai_agent_session_started",
    "ai_agent_step_completed",
    "ai_agent_session_completed",
    "ai_agent_response_received",
    "ai_interaction_completed",
    "ai_user_action",
)
FACTS = ("fct_agent_runs", "fct_agent_sessions", "fct_agent_steps", "fct_user_actions")


class Warehouse:
    """One DuckDB file that is filled and built again and again.

    The path stays the same, so that dbt parses the project once and not for every build.
    """

    def __init__(self, folder: Path, project: Path = PROJECT_DIR):
        self.folder = folder
        self.project = project
        self.path = folder / "warehouse.duckdb"
        self.seeded = folder / "seeded.duckdb"

    def dbt(self, *arguments, variables=None):
        """Run dbt and return its result; the caller judges it."""
        settings = {
            "AGENT_ANALYTICS_DUCKDB_PATH": str(self.path),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        command = [*arguments, "--quiet"]
        command += ["--project-dir", str(self.project), "--profiles-dir", str(self.project)]
        command += ["--target-path", str(self.folder / "target")]
        command += ["--log-path", str(self.folder / "logs"), "--log-level-file", "none"]
        if variables:
            command += ["--vars", yaml.safe_dump(variables)]
        try:
            return dbtRunner().invoke(command)
        finally:
            # DuckDB keeps a file open as long as anything refers to it
            DuckDBConnectionManager.close_all_connections()
            gc.collect()
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def fresh(self):
        """Start again from a file that holds the seeds and nothing else."""
        if not self.seeded.exists():
            assert self.dbt("seed").success
            self.path.replace(self.seeded)
        shutil.copyfile(self.seeded, self.path)

    def create(self, table, rows, schema="rudderstack", types=None):
        """Create one raw table from rows given as dicts; first values decide the types."""
        columns = {}
        for row in rows:
            for name, value in row.items():
                columns.setdefault(name, physical_type(value))
        columns |= types or {}
        definition = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in columns.items())
        target = f"{quote_identifier(schema)}.{quote_identifier(table)}"
        with connect(self.path) as connection:
            connection.execute(f"create schema if not exists {quote_identifier(schema)}")
            connection.execute(f"create table {target} ({definition})")
            connection.executemany(
                f"insert into {target} values ({', '.join('?' * len(columns))})",
                [[row.get(name) for name in columns] for row in rows],
            )

    def query(self, statement):
        """Return the rows of a statement."""
        with connect(self.path) as connection:
            return connection.execute(statement).fetchall()

    def records(self, statement):
        """Return the rows of a statement as dicts."""
        with connect(self.path) as connection:
            result = connection.execute(statement)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def counts(self):
        """Return the number of rows of every fact."""
        return {
            name: self.query(f"select count(*) from analytics_marts.{name}")[0][0] for name in FACTS
        }


def physical_type(value):
    """Return the column type RudderStack would choose for a first value."""
    kinds = ((bool, "BOOLEAN"), (int, "BIGINT"), (float, "DOUBLE"))
    for python_type, kind in kinds:
        if isinstance(value, python_type):
            return kind
    return "TIMESTAMP WITH TIME ZONE" if isinstance(value, datetime) else "VARCHAR"


def failed_nodes(result):
    """Return the names of the models and tests that did not succeed."""
    if result.result is None:
        raise AssertionError(f"dbt did not run: {result.exception}")
    return {
        node.node.name
        for node in result.result
        if node.status not in ("success", "pass", "skipped", "no-op")
    }


def errors_of(result):
    """Return what dbt said about the nodes that failed, for assertion messages."""
    if result.result is None:
        return str(result.exception)
    return "\n".join(f"{node.node.name}: {node.message}" for node in result.result if node.message)
