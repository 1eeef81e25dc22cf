"""What a change of the project does to the tables: only what changed is built, beside production.

`save` keeps what a comparison needs of the last build: its manifest and its warehouse. `build`
takes a copy of that warehouse, builds the models that differ from the manifest and all that read
them, and says in Markdown which tables differ and how the headline numbers moved.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import duckdb

from scripts.report import shown
from scripts.reporting import numbers
from scripts.reporting.numbers import Headline, Selection
from scripts.warehouse import (
    AUDIT_SCHEMA,
    MARTS_SCHEMA,
    PROJECT_DIR,
    connect,
    fail,
    quote_identifier,
    reading,
    warehouse_path,
)

MANIFEST = "manifest.json"
SCHEMAS = (MARTS_SCHEMA, AUDIT_SCHEMA)


@dataclass(frozen=True)
class Table:
    """Rows and columns of one table, and a number that is another one when a value is."""

    rows: int
    columns: frozenset[str]
    values: int = 0


@dataclass(frozen=True)
class State:
    """What is compared of a warehouse: tables by schema and name, and headline numbers."""

    tables: dict[str, Table]
    headlines: list[Headline]


def main(arguments: list[str] | None = None) -> int:
    """Save or build and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    actions = parser.add_subparsers(dest="action", required=True)
    saved = actions.add_parser("save", help="keep manifest and warehouse of the last build in DIR")
    saved.add_argument("folder", type=Path, metavar="DIR")
    built = actions.add_parser("build", help="build what differs from DIR and compare")
    built.add_argument("folder", type=Path, metavar="DIR")
    built.add_argument(
        "--comment", type=Path, metavar="FILE", help="write the comparison to FILE as well"
    )
    options = parser.parse_args(arguments)
    if options.action == "save":
        save(options.folder)
        return 0
    text, code = build(options.folder)
    if options.comment:
        options.comment.write_text(text, encoding="utf-8")
    print(text)
    return code


def target_path() -> Path:
    """Return the folder that dbt writes its manifest to."""
    return PROJECT_DIR / os.environ.get("DBT_TARGET_PATH", "target")


def save(folder: Path) -> None:
    """Copy the manifest and the warehouse of the last build to a folder."""
    manifest = target_path() / MANIFEST
    for file in (manifest, warehouse_path()):
        if not file.exists():
            fail(f"{file} is not there: run `make build` first")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(manifest, folder / MANIFEST)
    shutil.copyfile(warehouse_path(), folder / warehouse_path().name)
    print(f"Saved {manifest.name} and {warehouse_path().name} in {folder}")


def build(production: Path) -> tuple[str, int]:
    """Build what changed in a copy of the saved warehouse.

    Returns the comparison as Markdown and dbt's exit code.
    """
    # The file keeps its name: views name the database by it.
    saved = production / warehouse_path().name
    for file in (production / MANIFEST, saved):
        if not file.exists():
            fail(f"{file} is not there: run scripts/ci/changes.py save {production} on production")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / saved.name
        shutil.copyfile(saved, copy)
        command = [str(Path(sys.executable).with_name("dbt")), "build", "--quiet"]
        command += ["--select", "state:modified+", "--state", str(production.absolute())]
        command += ["--full-refresh", "--exclude-resource-type", "unit_test"]
        done = subprocess.run(
            command,
            cwd=PROJECT_DIR,
            env=os.environ
            | {
                "AGENT_ANALYTICS_DUCKDB_PATH": str(copy),
                "DBT_TARGET_PATH": str(Path(scratch) / "target"),
                "DBT_PROFILES_DIR": str(PROJECT_DIR),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        before, after = state(saved), state(copy)
    text = comparison(before, after)
    if done.returncode:
        text += "\n**The build failed:**\n\n```\n" + done.stdout.strip() + "\n```\n"
    return text, done.returncode


def state(path: Path) -> State:
    """Return what is compared of a warehouse."""
    with connect(path, read_only=True) as connection, reading(path):
        tables = {
            f"{schema}.{name}": read_table(connection, schema, name, columns)
            for schema, name, columns in connection.execute(
                "select table_schema, table_name, list(column_name || ' ' || data_type) "
                "from information_schema.columns where table_schema in (?, ?) "
                "group by all order by 1, 2",
                SCHEMAS,
            ).fetchall()
        }
        days = numbers.published_days(connection)
        headlines = numbers.headlines(connection, Selection(*days)) if days else []
    return State(tables, headlines)


def read_table(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, columns: list[str]
) -> Table:
    """Return what is compared of a table; its rows may lie in any order.

    Rows are hashed as text, since the hash of a row of two columns is the same when they swap their
    values with another row.
    """
    table = f"{quote_identifier(schema)}.{quote_identifier(name)}"
    [(rows, values)] = connection.execute(
        "select count(*), coalesce(sum(cast(hash(cast(compared as varchar)) as hugeint)), 0) "
        f"from {table} as compared"
    ).fetchall()
    return Table(rows, frozenset(columns), values)


def comparison(before: State, after: State) -> str:
    """Return what differs between two states, as Markdown."""
    lines = ["## What this change does to the tables", ""]
    lines += ["| number, over all runs | production | this change |", "|---|---:|---:|"]
    earlier = {headline.label: headline for headline in before.headlines}
    for headline in after.headlines:
        old = earlier.get(headline.label)
        old_text = shown(old.value, old.unit) if old else ""
        new_text = shown(headline.value, headline.unit)
        mark = "**" if old_text != new_text else ""
        lines.append(f"| {headline.label} | {old_text} | {mark}{new_text}{mark} |")
    changed = [
        name
        for name in sorted(before.tables.keys() | after.tables.keys())
        if before.tables.get(name) != after.tables.get(name)
    ]
    lines.append("")
    if changed:
        lines += ["| table | rows before | rows now | what changed |", "|---|---:|---:|---|"]
        lines += [
            table_line(name, before.tables.get(name), after.tables.get(name)) for name in changed
        ]
        lines.append("")
    same = len(after.tables.keys() | before.tables.keys()) - len(changed)
    lines.append(f"{same} tables are the same, row for row.")
    return "\n".join(lines) + "\n"


def table_line(name: str, before: Table | None, after: Table | None) -> str:
    """Return the line of a table that has changed, came or went."""
    if before is None or after is None:
        what = ["new table" if before is None else "gone"]
    else:
        what = [f"+ {column}" for column in sorted(after.columns - before.columns)]
        what += [f"- {column}" for column in sorted(before.columns - after.columns)]
        what = what or ["rows" if before.rows != after.rows else "values"]
    rows = (f"{table.rows:,}" if table else "" for table in (before, after))
    return f"| {name} | {' | '.join(rows)} | {', '.join(what)} |"


if __name__ == "__main__":
    raise SystemExit(main())
