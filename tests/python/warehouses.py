"""Throw-away DuckDB files, a run to fill them with, and dbt run on them in this process."""

import atexit
import gc
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

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
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# What dbt needs of the project; the rest is for people and CI.
PROJECT_FOLDERS = ("models", "macros", "seeds", "tests/generic", "tests/integrity")
PROJECT_FILES = ("dbt_project.yml", "profiles.yml", ".dbtignore")
TOOL_ERROR = "Request failed with status code 503"
# Of dbt build, where rows are tested: unit tests test the code, and CI runs them all once.
WITHOUT_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
FACTS = ("fct_agent_runs", "fct_agent_sessions", "fct_agent_steps", "fct_user_actions")
# Selects the facts and what they are made of, half of a build; other marts follow in the tests that
# build everything.
UP_TO_FACTS = (
    "--select",
    *(f"+{name}" for name in (*FACTS, "fct_agent_handoffs", "fct_conversations")),
)
# Settings that change what dbt parses; all others are read when a model is compiled.
SETTINGS_THAT_ARE_PARSED = {"passthrough_columns", "test_whole_history"}


@cache
def parsed():
    """Return the folder of this process for what dbt has parsed, removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="agent_analytics_parsed_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def parsed_manifest():
    """Return the project as dbt parses it without vars, once for this process, as MessagePack."""
    warehouse = Warehouse(parsed() / "default")
    result = warehouse.dbt("parse")
    assert result.success, result.exception
    return (warehouse.folder / "target" / "partial_parse.msgpack").read_bytes()


class Warehouse:
    """One DuckDB file that is filled and built again and again.

    Parsing takes dbt longer than building, and it parses anew for other vars and another path of
    the file. So what a process has parsed once is given to dbt, whatever the vars, and where dbt
    has to look for itself all warehouses have one path, a link that leads to the one in use.
    `keeps_artifacts` lets dbt write manifest.json and run_results.json, which takes a second.
    """

    def __init__(self, folder: Path, project: Path = PROJECT_DIR, *, keeps_artifacts: bool = False):
        self.folder = folder
        self.project = project
        self.path = folder / "warehouse.duckdb"
        self.seeded = (parsed() if project == PROJECT_DIR else folder) / "seeded.duckdb"
        self.keeps_artifacts = keeps_artifacts
        self.log_level = "none"
        # Let dbt parse for every command, where its files are looked at.
        self.parses = False

    def environment(self):
        """Return what tells dbt which file to build in."""
        link = parsed() / "in_use"
        link.unlink(missing_ok=True)
        link.symlink_to(self.path.parent.absolute(), target_is_directory=True)
        return {
            "AGENT_ANALYTICS_DUCKDB_PATH": str(link / self.path.name),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }

    @contextmanager
    def kept_parse(self, target=None, variables=None):
        """Let dbt go on from what it parsed before in this process, and keep what it parses now."""
        is_copy = self.project != PROJECT_DIR
        found = self.folder / "target" / "partial_parse.msgpack"
        kept = parsed() / f"{hash((target, yaml.safe_dump(variables)))}.msgpack"
        # A copy, which a test changes, goes on from its own: dbt reads what differs.
        if kept.exists() and not (is_copy and found.exists()):
            found.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, found)
        yield
        if found.exists() and not kept.exists() and not is_copy:
            shutil.copyfile(found, kept)

    def dbt(self, *arguments, variables=None):
        """Run dbt and return its result; the caller judges it."""
        command = [*arguments, "--quiet"]
        command += ["--project-dir", str(self.project), "--profiles-dir", str(self.project)]
        command += ["--target-path", str(self.folder / "target")]
        command += ["--log-path", str(self.folder / "logs"), "--log-level-file", self.log_level]
        if not self.keeps_artifacts:
            command += ["--no-write-json"]
        if variables:
            command += ["--vars", yaml.safe_dump(variables)]
        target = arguments[arguments.index("--target") + 1] if "--target" in arguments else None
        must_parse = (
            self.project != PROJECT_DIR
            or self.parses
            or arguments[0] == "parse"
            or target is not None
            or (variables or {}).keys() & SETTINGS_THAT_ARE_PARSED
        )
        if must_parse:
            with self.kept_parse(target, variables):
                return self.invoke(command)
        # Read anew each time: dbt changes what it is given.
        return self.invoke(command, Manifest.from_msgpack(parsed_manifest()))

    def invoke(self, command, manifest=None):
        """Run one command of dbt on this warehouse, with a parsed project or none."""
        settings = self.environment()
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            return dbtRunner(manifest=manifest).invoke(command)
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


def damage(path, table):
    """Overwrite the blocks of a DuckDB file that hold a table, so that only reading it fails."""
    with connect(path) as connection:
        blocks = connection.execute(
            f"select distinct block_id from pragma_storage_info('{table}') where block_id >= 0"
        ).fetchall()
    assert blocks
    with path.open("r+b") as file:
        for (block,) in blocks:
            # three headers of 4 KiB, then blocks of 256 KiB, each behind its checksum
            file.seek(3 * 4096 + block * 262144 + 8)
            file.write(b"damage" * 10_000)


def copy_of_project(folder):
    """Copy what dbt needs of the project to `folder`, where a test may change it; return it."""
    for name in PROJECT_FOLDERS:
        shutil.copytree(PROJECT_DIR / name, folder / name)
    for name in PROJECT_FILES:
        shutil.copyfile(PROJECT_DIR / name, folder / name)
    return folder


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


def assert_refused(result):
    """Fail unless every node that failed says in one line what to run instead."""
    assert not result.success
    if result.result is None:
        messages = {"dbt": str(result.exception)}
    else:
        failed = failed_nodes(result)
        messages = {n.node.name: n.message for n in result.result if n.node.name in failed}
    assert messages
    for name, message in messages.items():
        lines = [line for line in message.splitlines() if re.search(r"\bdbt (build|run)\b", line)]
        assert len(lines) == 1, f"{name} does not say in one line what to run: {message}"


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def event(identity, seconds, **properties):
    """Return one raw row: standard columns and the properties of an event."""
    return {
        "id": identity,
        "received_at": at(seconds + 1),
        "sent_at": at(seconds),
        "original_timestamp": at(seconds),
        "timestamp": at(seconds),
        "uuid_ts": at(seconds + 600),
        "user_id": "user-1",
        "anonymous_id": "device-1",
        "context_source_id": "source-1",
        **properties,
    }


def story(prefix="", conversation="c1", interaction="i1", session="s1"):
    """Return one complete run, as rows per raw table in the flattened layout."""
    run = {"conversation_id": conversation, "interaction_id": interaction}
    in_session = {**run, "agent_session_id": session}
    tokens = {
        "tokens_used_prompt_tokens": 1000,
        "tokens_used_completion_tokens": 100,
        "tokens_used_cache_read": 200,
    }
    outcome = {
        "agent_name": "planner",
        "model_used": "gpt-4o",
        "duration_ms": 5000,
        "steps_count": 3,
        "cost": 0.0184,
        "response_text": "It arrives tomorrow.",
        **tokens,
    }
    step = {**in_session, "status": "success"}
    return {
        "ai_user_prompt_created": [
            event(prefix + "e1", 0, **run, prompt_text="Where is it?", input_method="text"),
        ],
        "ai_agent_session_started": [
            event(prefix + "e2", 1, **in_session, agent_name="planner", model_used="gpt-4o"),
        ],
        "ai_agent_step_completed": [
            event(
                prefix + "e3",
                3,
                **step,
                step_type="llm_call",
                duration_ms=1500,
                model_name="gpt-4o",
                **tokens,
            ),
            event(
                prefix + "e4",
                4,
                **step,
                step_type="tool_call",
                duration_ms=800,
                tool_name="search",
                tool_input_query="order 7",
                tool_output_error="not found",
                tool_output_failed=1.5,
                tool_output_ok=False,
            ),
            event(
                prefix + "e5",
                5,
                **{**step, "status": "error"},
                step_type="tool_call",
                duration_ms=700,
                tool_name="crawl",
                error_message=TOOL_ERROR,
                http_status=503,
            ),
        ],
        "ai_agent_session_completed": [
            event(prefix + "e6", 6, **in_session, status="success", **outcome),
        ],
        "ai_agent_response_received": [
            event(prefix + "e7", 6, **run, response_status="success", **outcome),
        ],
        "ai_interaction_completed": [
            event(
                prefix + "e8",
                7,
                **run,
                status="success",
                duration_ms=7000,
                agents_count=1,
                steps_count=3,
                total_cost=0.02,
                final_response_text="It arrives tomorrow.",
                **tokens,
            ),
        ],
        "ai_user_action": [
            event(
                prefix + "e9",
                60,
                **run,
                action_type="feedback",
                action_details_feedback_type="thumbs",
                action_details_feedback_value="up",
                action_details_feedback_text="thanks",
            ),
        ],
    }
