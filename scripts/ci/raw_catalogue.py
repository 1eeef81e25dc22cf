"""What an adapter would find in RudderStack's raw schemas, without a warehouse.

The columns are read from the `expected_columns` lists of the staging models, so that the catalogue
offers everything the models can use and never falls behind them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.ci.engines.base import EngineError

# Layout -> table -> column -> type as RudderStack names it.
Layouts = dict[str, dict[str, dict[str, str]]]
# Schema -> table -> pairs of a column and its physical type.
Catalogue = dict[str, dict[str, list[tuple[str, str]]]]

RUDDER_TYPE_OF_LOGICAL_TYPE = {
    "text": "string",
    "id": "string",
    "bigint": "int",
    "usd": "float",
    "double": "float",
    "boolean": "boolean",
    "timestamp": "datetime",
}
# What a nested object may be flattened into: one column of every type that has no place of its own.
FLATTENED_CHILDREN = {"name": "string", "count": "int", "share": "float", "found": "boolean"}

# The type of the first value a column ever had is the type it keeps, so any column can have any.
ONE_TYPE_LAYOUTS = {
    "texts_only": "string",
    "whole_numbers_only": "int",
    "fractions_only": "float",
    "booleans_only": "boolean",
    "times_only": "datetime",
}


@dataclass(frozen=True)
class RawTypes:
    """How one warehouse spells the types of RudderStack, as its dbt adapter reports them."""

    types: Mapping[str, str]
    upper_case: bool = False


SPARK_TYPES = RawTypes(
    {
        "string": "string",
        "int": "bigint",
        "float": "double",
        "datetime": "timestamp",
        "boolean": "boolean",
        "json": "string",
    }
)
RAW_TYPES = {
    "duckdb": RawTypes(
        {
            "string": "VARCHAR",
            "int": "BIGINT",
            "float": "DOUBLE",
            "datetime": "TIMESTAMP WITH TIME ZONE",
            "boolean": "BOOLEAN",
            "json": "JSON",
        }
    ),
    "postgres": RawTypes(
        {
            "string": "text",
            "int": "bigint",
            "float": "numeric",
            "datetime": "timestamp with time zone",
            "boolean": "boolean",
            "json": "jsonb",
        }
    ),
    "redshift": RawTypes(
        {
            "string": "character varying(65535)",
            "int": "bigint",
            "float": "double precision",
            "datetime": "timestamp without time zone",
            "boolean": "boolean",
            "json": "super",
        }
    ),
    "snowflake": RawTypes(
        {
            "string": "VARCHAR(16777216)",
            "int": "NUMBER(38,0)",
            "float": "FLOAT",
            "datetime": "TIMESTAMP_TZ(9)",
            "boolean": "BOOLEAN",
            "json": "VARIANT",
        },
        upper_case=True,
    ),
    "bigquery": RawTypes(
        {
            "string": "STRING",
            "int": "INTEGER",
            "float": "FLOAT",
            "datetime": "TIMESTAMP",
            "boolean": "BOOLEAN",
            "json": "STRING",
        }
    ),
    "databricks": SPARK_TYPES,
    "spark": SPARK_TYPES,
    "clickhouse": RawTypes(
        {
            "string": "Nullable(String)",
            "int": "Nullable(Int64)",
            "float": "Nullable(Float64)",
            "datetime": "Nullable(DateTime)",
            "boolean": "Nullable(UInt8)",
            "json": "Nullable(String)",
        }
    ),
}


def raw_layouts(project: Path) -> Layouts:
    """Return every raw layout the staging models have to cope with.

    Raises EngineError when the models no longer look as this module reads them.
    """
    expected = expected_columns(project)
    layouts: Layouts = {
        "flattened": {name: _flattened(columns) for name, columns in expected.items()},
        "json_columns": {name: _with_json(columns) for name, columns in expected.items()},
    }
    for layout, rudder_type in ONE_TYPE_LAYOUTS.items():
        layouts[layout] = {
            table: dict.fromkeys(columns, rudder_type)
            for table, columns in layouts["flattened"].items()
        }
    return layouts


def catalogue(layouts: Layouts, dialect: str) -> Catalogue:
    """Return the layouts as schemas of one warehouse, with its types and its case of names."""
    raw = RAW_TYPES[dialect]

    def spelled(name: str) -> str:
        return name.upper() if raw.upper_case else name

    return {
        spelled(layout): {
            spelled(table): [
                (spelled(name), raw.types[rudder_type]) for name, rudder_type in columns.items()
            ]
            for table, columns in tables.items()
        }
        for layout, tables in layouts.items()
    }


def expected_columns(project: Path) -> dict[str, list[dict]]:
    """Return the `expected_columns` of every raw table, as written in the staging models."""
    shared = _shared_lists(project / "macros/staging/standard_event_columns.sql")
    tables: dict[str, list[dict]] = {}
    for model in sorted((project / "models/staging").rglob("*.sql")):
        text = model.read_text("utf-8")
        called = re.search(r"typed_source\('\w+', '(\w+)', expected_columns\)", text)
        if called is None:
            continue
        columns = [
            column
            for name in re.findall(r"\b(\w+_columns)\(\)", text)
            for column in shared.get(name, [])
        ]
        tables[called.group(1)] = columns + _column_literals(text)
    if not tables or not all(tables.values()):
        raise EngineError(
            "no expected_columns found in models/staging; adapt scripts/ci/raw_catalogue.py"
            " to the way the staging models name their columns"
        )
    return tables


def _shared_lists(macros: Path) -> dict[str, list[dict]]:
    text = macros.read_text("utf-8")
    bodies = re.findall(r"macro (\w+_columns)\(\)(.*?)endmacro", text, flags=re.DOTALL)
    return {name: _column_literals(body) for name, body in bodies}


def _column_literals(text: str) -> list[dict]:
    return [ast.literal_eval(found) for found in re.findall(r"\{'name':[^{}]*\}", text)]


def _raw_names(column: dict) -> list[str]:
    return column.get("raw_names", [column["name"]])


def _flattened(columns: list[dict]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for column in columns:
        if column["type"] == "object":
            for child, rudder_type in FLATTENED_CHILDREN.items():
                flat[f"{column['name']}_{child}"] = rudder_type
        else:
            flat |= dict.fromkeys(_raw_names(column), RUDDER_TYPE_OF_LOGICAL_TYPE[column["type"]])
    return flat


def _with_json(columns: list[dict]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for column in columns:
        if column["type"] == "object":
            flat[column["name"]] = "json"
        elif "json" in column:
            flat[column["json"][0]] = "json"
        else:
            flat |= dict.fromkeys(_raw_names(column), RUDDER_TYPE_OF_LOGICAL_TYPE[column["type"]])
    return flat
