"""The salt: in every hash of a text, in no log, artefact or definition, and never two mixed."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from hashlib import md5, sha256

import pytest

from scripts.publish_marts import publish
from tests.python.warehouses import UP_TO_FACTS, Warehouse, assert_refused, errors_of, story

SALT = "easy-to-find-salt"
OTHER_SALT = "another-salt"
PUBLISHED = "published.duckdb"
MODELS = ("--resource-type", "seed", "--resource-type", "model")

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("hash_salt")]


@contextmanager
def salted(salt):
    """Set the salt as users do."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AGENT_ANALYTICS_HASH_SALT", salt)
        yield


def dbt(warehouse, *command):
    """Run a command that must succeed."""
    result = warehouse.dbt(*command)
    assert result.success, result.exception or errors_of(result)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a warehouse built with a known salt, every statement of dbt in its log."""
    warehouse = Warehouse(tmp_path_factory.mktemp("hash_salt"), keeps_artifacts=True)
    warehouse.log_level = "debug"
    warehouse.parses = True
    for table, rows in story().items():
        warehouse.create(table, rows)
    with salted(SALT):
        dbt(warehouse, "build", *MODELS)
        publish(warehouse.path, warehouse.folder / PUBLISHED)
        # rollups hash nothing, what they add to is not of interest
        dbt(warehouse, "build", *MODELS, *UP_TO_FACTS)
        dbt(warehouse, "docs", "generate", "--static")
    shutil.copyfile(warehouse.path, warehouse.folder / "built")
    return warehouse


@pytest.fixture
def warehouse(built):
    """Return the warehouse as it was built."""
    shutil.copyfile(built.folder / "built", built.path)
    return built


def test_no_file_of_dbt_and_no_published_file_holds_the_salt(warehouse):
    files = [warehouse.folder / PUBLISHED]
    for folder in ("target", "logs"):
        files += [file for file in (warehouse.folder / folder).rglob("*") if file.is_file()]
    read = {file.name for file in files}
    assert {"dbt.log", "manifest.json", "partial_parse.msgpack", "static_index.html"} <= read
    assert {"stg_rudderstack__user_prompts.sql"} <= read
    log = (warehouse.folder / "logs" / "dbt.log").read_text()
    assert "stg_rudderstack__user_prompts" in log and "hash_salt" in log
    assert [file for file in files if SALT.encode() in file.read_bytes()] == []


def test_no_definition_in_the_warehouse_holds_the_salt(warehouse):
    definitions = warehouse.query(
        "select sql from duckdb_views() where not internal "
        "union all select sql from duckdb_tables()"
    )
    assert any("sha256" in sql for (sql,) in definitions)
    assert [sql for (sql,) in definitions if SALT in sql] == []
    rows = warehouse.query("select * from analytics_secrets.hash_salt")
    assert [salt for salt, _ in rows] == [SALT]


def test_every_hash_of_a_text_is_salted(warehouse):
    """A guess of the text, hashed as anybody can, is found nowhere."""

    def salted_text(text):
        return sha256((SALT + text).encode()).hexdigest()

    prompts = warehouse.query(
        "select prompt_hash from analytics_staging.stg_rudderstack__user_prompts"
    )
    assert prompts == [(salted_text("Where is it?"),)]
    inputs = warehouse.query(
        "select tool_input_hash from analytics_marts.fct_agent_steps where tool_name = 'search'"
    )
    assert inputs == [(salted_text("query=order 7"),)]
    failed = warehouse.query(
        "select error_message_class, replace(failure_signal_key::varchar, '-', '') "
        "from analytics_intermediate.int_events where error_message_class is not null"
    )
    message = "request failed with status code 503"
    signal = f"tool_call|error||503||{message}"
    assert failed == [
        (
            salted_text("request failed with status code <number>")[:12],
            md5((SALT + signal).encode()).hexdigest(),
        )
    ]


def state(warehouse):
    """Return what a change of salt may not mix: the salt, and hashes at both ends."""
    return [
        warehouse.query(statement)
        for statement in (
            "select * from analytics_secrets.hash_salt",
            "select prompt_hash from analytics_staging.stg_rudderstack__user_prompts",
            "select tool_input_hash from analytics_marts.fct_agent_steps order by all",
            "select error_message_class from analytics_marts.fct_agent_steps order by all",
        )
    ]


@pytest.mark.parametrize(
    "command",
    [
        ("build", *MODELS),
        ("run", "--select", "stg_rudderstack__discards"),
        ("run", "--full-refresh", "--select", "stg_rudderstack__discards"),
    ],
    ids=["build", "one", "one anew"],
)
def test_changed_salt_is_refused(command, warehouse):
    """Also for a part: what is not in it would keep the hashes of before."""
    before = state(warehouse)
    with salted(OTHER_SALT):
        result = warehouse.dbt(*command)
    assert not result.success
    lines = [line for line in str(result.exception).splitlines() if "AGENT_ANALYTICS" in line]
    assert len(lines) == 1 and "run dbt build --full-refresh" in lines[0]
    assert OTHER_SALT not in str(result.exception)
    assert state(warehouse) == before


@pytest.mark.slow
def test_full_refresh_takes_a_changed_salt(warehouse):
    before = state(warehouse)
    with salted(OTHER_SALT):
        dbt(warehouse, "build", *MODELS, "--full-refresh")
        changed = state(warehouse)
        dbt(warehouse, "build", *MODELS)
    assert all(one != other for one, other in zip(before, changed, strict=True))
    assert state(warehouse) == changed


def test_lost_salt_is_not_replaced_silently(warehouse):
    """Nobody can tell whether the one of today is the one that hashed what is there."""
    warehouse.query("drop table analytics_secrets.hash_salt")
    with salted(OTHER_SALT):
        result = warehouse.dbt("build", *MODELS)
    assert_refused(result)
