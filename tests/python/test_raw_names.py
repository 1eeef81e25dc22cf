"""Names of raw columns, schemas, folders and files are names, whatever they are made of."""

from __future__ import annotations

import shutil
from hashlib import sha256

import pytest

from scripts.warehouse import quote_literal
from tests.python.warehouses import EVENT_TABLES, UP_TO_FACTS, Warehouse, errors_of, story

HOSTILE = (
    "it's",
    'say "hi"',
    'x"; drop schema analytics_marts cascade; --',
    "x'); drop schema analytics_marts cascade; --",
    "back`tick",
    "back\\slash\\",
    "{{ 1 / 0 }} {% x %}",
    "-- none /* of ; this",
    "two\nlines",
    "100% {braces} ${x} [a-z]* ?",
)
MODELS = ("--resource-type", "seed", "--resource-type", "model")
SALT = "development-salt-change-me"

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("raw_names")]


def with_arguments(tables, arguments):
    """Give a tool call arguments, each a raw column as RudderStack flattens them."""
    step = tables["ai_agent_step_completed"][1]
    del step["tool_input_query"]
    step |= {f"tool_input_{name}": value for name, value in arguments.items()}
    return tables


def hash_of(arguments, salt=SALT):
    """Return the hash of a tool's input."""
    lines = "\n".join(f"{name}={value}" for name, value in sorted(arguments.items()))
    return sha256((salt + lines).encode()).hexdigest()


def build(warehouse, *selection, **variables):
    """Build all models, or a selection; return the hashes of what the tool was given."""
    result = warehouse.dbt("build", *MODELS, *selection, variables=variables)
    assert result.success, result.exception or errors_of(result)
    found = warehouse.query(
        "select tool_input_hash from analytics_marts.fct_agent_steps where tool_name = 'search'"
    )
    return [text_hash for (text_hash,) in found]


@pytest.fixture(autouse=True)
def _salt(monkeypatch):
    monkeypatch.setenv("AGENT_ANALYTICS_HASH_SALT", SALT)


def test_hostile_names_of_schemas_and_columns(tmp_path):
    """Every schema is read, with every column; a thousand more columns are no matter."""
    warehouse = Warehouse(tmp_path)
    arguments = {name: f"value {number}" for number, name in enumerate(HOSTILE)}
    arguments |= {f"argument_{number:04}": f"{number}" for number in range(1000)}
    for number, schema in enumerate(HOSTILE):
        tables = story(f"{number}-", conversation=f"c{number}")
        if number == 0:
            with_arguments(tables, arguments)
        for table, rows in tables.items():
            warehouse.create(table, rows, schema=schema)
        warehouse.create("ai_new", [{"id": "1"}], schema=schema)
    # names of schemas and columns are in staging, facts and what is audited, not in rollups
    selection = (*UP_TO_FACTS, "+path:models/audit")
    hashes = build(warehouse, *selection, rudderstack_schemas=list(HOSTILE))
    assert sorted(hashes) == sorted(
        [hash_of(arguments)] + [hash_of({"query": "order 7"})] * (len(HOSTILE) - 1)
    )
    assert warehouse.counts()["fct_agent_runs"] == len(HOSTILE)
    # what is said of them is right, too
    told = warehouse.query("select distinct raw_schema from analytics_intermediate.int_events")
    assert {schema for (schema,) in told} == set(HOSTILE)


def test_hostile_names_of_folders_and_files(tmp_path):
    """No name is a pattern; a backslash is a separator to DuckDB and stands in none of them."""
    warehouse = Warehouse(tmp_path)
    names = [name for name in HOSTILE if "\\" not in name and "/" not in name]
    lake = tmp_path / " ".join(names)
    # what a pattern would find in place of the folder
    decoy = tmp_path / " ".join(names).replace("[a-z]* ?", "ab !")
    arguments = {name: f"value {number}" for number, name in enumerate(HOSTILE)}
    tables = with_arguments(story(), arguments)
    decoy.mkdir()
    for table in EVENT_TABLES:
        warehouse.create(table, tables[table])
        file = lake / table / names[0] / f"{names[-1]}.parquet"
        file.parent.mkdir(parents=True)
        warehouse.query(f"copy rudderstack.{table} to {quote_literal(str(file))} (format parquet)")
        shutil.copyfile(file, decoy / f"{table}.parquet")
    assert build(warehouse, *UP_TO_FACTS, rudderstack_parquet_dir=str(lake)) == [hash_of(arguments)]
    assert warehouse.counts()["fct_agent_runs"] == 1


@pytest.mark.slow
def test_five_thousand_arguments(tmp_path):
    """Each is a raw column, and each is part of what the tool was given."""
    warehouse = Warehouse(tmp_path)
    arguments = {f"argument_{number:04}": f"{number}" for number in range(5000)}
    for table, rows in with_arguments(story(), arguments).items():
        warehouse.create(table, rows)
    assert hash_of(arguments) in build(warehouse)
