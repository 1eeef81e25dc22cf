"""Compile this project for a warehouse that is not there. Run by scripts/ci/check_dialects.py.

Runs in the environment that holds the adapter. What the models ask the adapter about raw tables is
answered from a catalogue, queries of seeds from their CSV files; everything else that would need
the warehouse fails and names the model that asked.
"""
# ruff: noqa: ANN401 - the objects of dbt's adapters have no type in common.

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dbt.adapters.contracts.connection import AdapterResponse
from dbt.adapters.factory import FACTORY
from dbt.cli.main import dbtRunner
from dbt_common.clients.agate_helper import table_from_rows
from dbt_common.events.contextvars import get_node_info
from dbt_common.exceptions import DbtRuntimeError


class NoConnection:
    """Stands where an adapter keeps its connection; whoever uses it gets an error with a name."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def __getattr__(self, name: str) -> Any:
        raise needs_connection()


class OfflineWarehouse:
    """Answers for a warehouse: raw tables from a catalogue, seeds from files, nothing else."""

    def __init__(self, adapter_type: str, seeds: Iterable[Path]) -> None:
        """Know the type of the warehouse; the catalogue follows with every pass."""
        self.adapter_type = adapter_type
        self.catalogue: dict[str, dict[str, list[list[str]]]] = {}
        self._seeds = {path.stem: path for path in seeds}

    def install(self) -> None:
        """Put this warehouse in the place of the adapter's connection."""
        FACTORY.load_plugin(self.adapter_type)
        adapter_class = FACTORY.get_adapter_class_by_name(self.adapter_type)
        warehouse = self

        def get_relation(
            adapter: Any, database: Any, schema: str, identifier: str, **_: Any
        ) -> Any:
            return warehouse.relation(adapter, database, schema, identifier)

        def get_columns_in_relation(adapter: Any, relation: Any, *_: Any, **__: Any) -> list[Any]:
            return warehouse.columns(adapter, relation)

        def execute(_: Any, sql: str, *__: Any, **___: Any) -> tuple[AdapterResponse, Any]:
            return AdapterResponse("offline"), warehouse.query(sql)

        def list_relations(*_: Any, **__: Any) -> Any:
            raise needs_connection()

        def open_connection(_: Any, connection: Any) -> Any:
            # BigQuery's adapter opens one in any case, so only the use of it fails.
            connection.state = "open"
            connection.handle = NoConnection()
            return connection

        replaced = {
            "get_relation": get_relation,
            "get_columns_in_relation": get_columns_in_relation,
            "execute": execute,
            "list_relations_without_caching": list_relations,
        }
        if hasattr(adapter_class, "has_dbr_capability"):
            # Databricks' adapter asks the cluster how old it is: one of today
            replaced["has_dbr_capability"] = lambda *_, **__: True
        for name, function in replaced.items():
            setattr(adapter_class, name, function)
        adapter_class.ConnectionManager.open = classmethod(open_connection)

    def relation(self, adapter: Any, database: Any, schema: str, identifier: str) -> Any:
        """Return the relation under the name the warehouse gives it, or None."""
        found = self._find(schema, identifier)
        if found is None:
            return None
        # Names from a catalogue are exact; the adapters quote them for that reason.
        return adapter.Relation.create(
            database=database,
            schema=found[0],
            identifier=found[1],
            type="table",
            quote_policy=dict.fromkeys(("database", "schema", "identifier"), True),
        )

    def columns(self, adapter: Any, relation: Any) -> list[Any]:
        """Return the columns of a relation as the adapter would describe them."""
        found = self._find(relation.schema, relation.identifier)
        if found is None:
            raise DbtRuntimeError(f"{asking_node()} asks for the columns of {relation}")
        return [
            self._column(adapter, name, physical_type)
            for name, physical_type in self.catalogue[found[0]][found[1]]
        ]

    def _find(self, schema: str, identifier: str) -> tuple[str, str] | None:
        for known_schema, tables in self.catalogue.items():
            for table in tables:
                if (known_schema.lower(), table.lower()) == (schema.lower(), identifier.lower()):
                    return known_schema, table
        return None

    def _column(self, adapter: Any, name: str, physical_type: str) -> Any:
        column = adapter.Column
        if hasattr(column, "create_from_field"):
            from google.cloud.bigquery import SchemaField

            return column.create_from_field(SchemaField(name, physical_type))
        if self.adapter_type in ("snowflake", "redshift", "postgres"):
            return column.from_description(name, physical_type)
        return column(name, physical_type)

    def query(self, sql: str) -> Any:
        """Return the rows of a query that reads seeds and nothing else."""
        names = "|".join(map(re.escape, self._seeds))
        local_sql, replaced = re.subn(rf"[\w\"`.-]*\b({names})\b[\"`]?", r'"\1"', sql)
        with sqlite3.connect(":memory:") as database:
            for name in set(re.findall(rf"\b({names})\b", local_sql)):
                with self._seeds[name].open(encoding="utf-8", newline="") as lines:
                    header, *rows = csv.reader(lines)
                database.execute(f'create table "{name}" ({", ".join(header)})')
                places = ", ".join("?" * len(header))
                database.executemany(
                    f'insert into "{name}" values ({places})',
                    [[value or None for value in row] for row in rows],
                )
            try:
                if not replaced:
                    raise sqlite3.Error("it reads no seed")
                answer = database.execute(local_sql)
            except sqlite3.Error as error:
                raise DbtRuntimeError(
                    f"{asking_node()} asks the warehouse while it compiles ({error}): {sql.strip()}"
                ) from error
            return table_from_rows(answer.fetchall(), [name for name, *_ in answer.description])


def asking_node() -> str:
    """Return the name of the node that dbt is compiling."""
    return get_node_info().get("node_name") or "the project"


def needs_connection() -> DbtRuntimeError:
    """Return the error for whatever cannot be answered without the warehouse."""
    return DbtRuntimeError(f"{asking_node()} needs a connection to the warehouse")


def compile_pass(target: str, folder: Path, description: dict[str, Any]) -> list[dict[str, str]]:
    """Compile one pass into a folder named like it; return the problems."""
    # One target folder for all passes, so that dbt parses the project only once.
    target_folder = folder / "target"
    os.environ.update(description["environment"])
    arguments = [
        "--quiet",
        "compile",
        *("--target", target, "--target-path", str(target_folder)),
        *("--log-path", str(target_folder)),
        *("--vars", json.dumps(description["vars"]), "--threads", "1"),
        "--no-populate-cache",
    ]
    if target != "duckdb":
        arguments.append("--no-introspect")  # dbt then asks for no connection of its own
    if description["select"]:
        arguments += ["--select", description["select"]]
    shutil.rmtree(target_folder / "compiled", ignore_errors=True)
    outcome = dbtRunner().invoke(arguments)
    compiled = folder / description["name"] / "compiled"
    shutil.rmtree(compiled, ignore_errors=True)
    compiled.parent.mkdir(parents=True, exist_ok=True)
    if (target_folder / "compiled").exists():
        (target_folder / "compiled").rename(compiled)
    results = getattr(outcome.result, "results", [])
    problems = [
        {"node": result.node.name, "message": str(result.message)}
        for result in results
        if str(result.status) not in ("success", "pass")
    ]
    if not outcome.success and not problems:
        problems = [{"node": "project", "message": str(outcome.exception or "dbt compile failed")}]
    return problems


def main() -> int:
    """Compile every pass of a plan and write down the problems."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path, help="JSON: target, adapter, seeds, passes")
    parser.add_argument("folder", type=Path, help="folder to write compiled SQL and problems to")
    arguments = parser.parse_args()
    plan = json.loads(arguments.plan.read_text("utf-8"))
    warehouse = OfflineWarehouse(plan["adapter"], map(Path, plan["seeds"]))
    if plan["adapter"] != "duckdb":  # whose raw tables are there, in a file
        warehouse.install()
    problems = []
    for description in plan["passes"]:
        warehouse.catalogue = description["catalogue"]
        found = compile_pass(plan["target"], arguments.folder, description)
        problems += [{"pass": description["name"], **problem} for problem in found]
    (arguments.folder / "problems.json").write_text(json.dumps(problems), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
