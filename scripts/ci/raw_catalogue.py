"""What an adapter would find in RudderStack's raw schemas, without a warehouse.

The columns are read from the `expected_columns` lists of the staging models, so that the catalogue
offers everything the models can use and never falls behind them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from scripts.ci.engines.base import EngineError

# Layout -> table -> column -> type as RudderStack names it.
Layouts = dict[str, dict[str, dict[str, str]]]
# Schema -> table -> pairs of a column and its physical type.
Catalogue = dict[str, dict[str, list[tuple[str, str]]]]

RUDDER_TYPE_OF_LOGICAL_TYPE = {
    "text": "string",
    "name": "string",
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
    """Return the `expected_columns` of every raw table, as the staging models give them."""
    tables: dict[str, list[dict]] = {}

    def typed_source(_source: str, table: str, columns: list[dict]) -> str:
        tables[table] = columns
        return ""

    environment = jinja2.Environment(extensions=["jinja2.ext.do"], undefined=_Anything)
    environment.globals |= {"return": _return, "typed_source": typed_source}
    shared = (project / "macros/staging/standard_event_columns.sql").read_text("utf-8")
    for macro, name in re.findall(r"({% macro (\w+)\(.*?{% endmacro %})", shared, flags=re.DOTALL):
        environment.globals[name] = _returning(environment.from_string(macro), name)
    for model in sorted((project / "models/staging").rglob("*.sql")):
        environment.from_string(model.read_text("utf-8")).render()
    if not tables or not all(tables.values()):
        raise EngineError(
            "no expected_columns found in models/staging; adapt scripts/ci/raw_catalogue.py"
            " to the way the staging models name their columns"
        )
    return tables


class _Anything(jinja2.ChainableUndefined):
    """Stands for all that only dbt knows."""

    def __call__(self, *_arguments: object, **_named: object) -> _Anything:
        return self


class _Returned(Exception):  # noqa: N818 - as in dbt it is no error
    """Carries what a macro returns."""


def _return(value: object) -> None:
    raise _Returned(value)


def _returning(template: jinja2.Template, name: str) -> Callable[..., object]:
    """Return a macro as a function of what it returns, as dbt calls it."""

    def called(*arguments: object) -> object:
        try:
            # Made anew for each call, as a module keeps the macros that it knew when it was made.
            return getattr(template.make_module(), name)(*arguments)
        except _Returned as returned:
            return returned.args[0]

    return called


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
            flat |= {path[0]: "json" for path in column["json"]}
        else:
            flat |= dict.fromkeys(_raw_names(column), RUDDER_TYPE_OF_LOGICAL_TYPE[column["type"]])
    return flat
