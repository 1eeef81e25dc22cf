"""Try everything `dbt build` needs of a warehouse, and say in one line what is missing.

Connects as dbt does, looks for RudderStack's raw tables, reads one of each, and creates and drops
a view in every schema the project builds. Schemas that are missing are created, as dbt would.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml
from dbt.cli.main import dbtRunner
from dbt_common.events.base_types import EventMsg

from scripts.warehouse import PROJECT_DIR, fail

PROFILE = "agent_analytics"
# Begins the lines the template below logs: what is tried next, and what came out.
TRIES, FOUND = "check_connection tries ", "check_connection found "

# Run by dbt itself, so that every adapter is asked the way a build asks it. A `tries` line precedes
# each step: the last one before an error is the step that failed.
TEMPLATE = """
{%- set tries, found = 'check_connection tries ', 'check_connection found ' -%}
{%- if execute -%}
    {%- do log(tries ~ 'connect ' ~ target.name, info=true) -%}
    {%- do run_query('select 1 as probe') -%}
    {%- do log(found ~ 'connected to target ' ~ target.name, info=true) -%}

    {%- if not var('rudderstack_parquet_dir') -%}
    {%- for schema in var('rudderstack_schemas') -%}
        {%- do log(tries ~ 'read ' ~ schema, info=true) -%}
        {%- set tables = [] -%}
        {%- for node in graph.sources.values() -%}
            {%- set declared = api.Relation.create(
                database=node.database, schema=node.schema, identifier=node.identifier
            ) -%}
            {%- set relation = raw_relation(declared, schema, node.identifier) -%}
            {%- if relation is not none -%}
                {%- do log(tries ~ 'read ' ~ relation, info=true) -%}
                {%- do run_query('select * from ' ~ raw_name(relation) ~ ' limit 1') -%}
                {%- do tables.append(node.identifier) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do log(tries ~ 'raw_schema ' ~ schema, info=true) -%}
        {%- if not tables -%}
            {{- exceptions.raise_compiler_error(
                'schema ' ~ schema ~ ' holds no raw table, such as ai_agent_step_completed'
            ) -}}
        {%- endif -%}
        {%- set count = tables | length -%}
        {%- do log(found ~ 'read ' ~ count ~ ' raw tables in schema ' ~ schema, info=true) -%}
    {%- endfor -%}
    {%- endif -%}

    {%- set schemas = [] -%}
    {%- for node in graph.nodes.values() -%}
        {%- if node.resource_type in ('model', 'seed') and node.config.materialized != 'ephemeral'
            and node.schema not in schemas -%}
            {%- do schemas.append(node.schema) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for schema in schemas | sort -%}
        {%- do log(tries ~ 'create ' ~ schema, info=true) -%}
        {%- set probe = api.Relation.create(
            database=target.database, schema=schema, identifier='connection_probe', type='view'
        ) -%}
        {%- if not adapter.check_schema_exists(target.database, schema) -%}
            {%- do adapter.create_schema(probe) -%}
        {%- endif -%}
        {%- do adapter.drop_relation(probe) -%}
        {%- call statement('create_probe') -%}
            create view {{ probe }} as select 1 as probe
        {%- endcall -%}
        {%- do adapter.drop_relation(probe) -%}
    {%- endfor -%}
    {%- set names = schemas | sort | join(', ') -%}
    {%- do log(found ~ 'created and dropped a view in ' ~ names, info=true) -%}
{%- endif -%}
select 1 as probe
"""

# Words of dbt around what the warehouse said.
WRAPPERS = re.compile(
    r"^(Encountered an error|(Database|Runtime|Compilation|Parsing|Env var|Profile) Error|>|$)"
    r"|^(Operational|Programming|Internal)Error$"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one target and return the exit code: 0 when a build can start, else 1."""
    options = _parse(arguments)
    variables = _variables(options.target)
    print(f"checking target {options.target}, about ten seconds", flush=True)
    check = _Check()
    with tempfile.TemporaryDirectory(prefix="agent_analytics_check_") as scratch:
        command = ["--log-level", "none", "--log-level-file", "none", "--log-path", scratch]
        command += ["compile", "--inline", TEMPLATE, "--no-populate-cache"]
        command += ["--target", options.target, "--project-dir", str(PROJECT_DIR)]
        command += ["--profiles-dir", os.environ.get("DBT_PROFILES_DIR", str(PROJECT_DIR))]
        command += ["--vars", options.vars]
        result = dbtRunner(callbacks=[check.hear]).invoke(command)
    for line in check.found:
        print(f"ok: {line}")
    if result.success:
        print("ready for `dbt build`")
        return 0
    reason = _reason(result.exception) or check.error or "dbt gave no reason"
    print(f"error: {reason}; {_fix(check, variables, reason)}", file=sys.stderr)
    return 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="check_connection.py",
        description="Try everything `dbt build` needs of a warehouse: the connection, the raw "
        "tables of RudderStack, the right to read them, the right to create in the project's "
        "schemas (missing ones are created). Prints one line with the fix and exits with 1 when "
        "something is missing.",
    )
    parser.add_argument(
        "--target",
        default=_default_target(),
        metavar="NAME",
        help="target of profiles.yml: " + ", ".join(_outputs()) + " (default: %(default)s)",
    )
    parser.add_argument(
        "--vars",
        default="{}",
        metavar="YAML",
        help="variables of dbt, such as '{rudderstack_schemas: [production]}'",
    )
    options = parser.parse_args(arguments)
    if options.target not in _outputs():
        fail(f"no target {options.target} in profiles.yml: choose from {', '.join(_outputs())}")
    return options


class _Check:
    """Collects what the template logs, and the last step before an error."""

    def __init__(self) -> None:
        self.step = "start"
        self.name = ""
        self.found: list[str] = []
        self.error = ""

    def hear(self, event: EventMsg) -> None:
        """Take one event of dbt."""
        text = event.info.msg
        if event.info.name == "JinjaLogInfo" and text.startswith(TRIES):
            self.step, _, self.name = text.removeprefix(TRIES).strip().partition(" ")
        elif event.info.name == "JinjaLogInfo" and text.startswith(FOUND):
            self.found.append(text.removeprefix(FOUND).strip())
        elif event.info.level == "error" and not self.error:
            self.error = _first_line(text)


def _reason(exception: object) -> str:
    return _first_line(str(exception)) if exception is not None else ""


def _first_line(text: str) -> str:
    """Return the line that says what happened, without dbt's headings."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line.strip() for line in plain.splitlines()]
    return next((line for line in lines if not WRAPPERS.search(line)), "").rstrip(".;")


def _fix(check: _Check, variables: Sequence[str], reason: str) -> str:
    """Return what the reader can do about the step that failed."""
    if "Could not find adapter type" in reason:
        return "install the adapter: pip install dbt-NAME, NAME being that type"
    if check.step in ("start", "connect"):
        return "the target is described by " + (", ".join(variables) or "profiles.yml")
    if check.step == "raw_schema":
        return (
            "name the schemas RudderStack writes to with --vars '{rudderstack_schemas: [NAME]}'; "
            "they appear with the first event, until then a build gives empty tables"
        )
    if check.step == "read":
        return f"grant the user of this target the right to use and to read {check.name}"
    return (
        f"grant the user of this target the right to create schemas, or create {check.name} and "
        "the right to create in it"
    )


def _outputs() -> Mapping[str, Mapping[str, object]]:
    folder = Path(os.environ.get("DBT_PROFILES_DIR", PROJECT_DIR))
    return yaml.safe_load((folder / "profiles.yml").read_text("utf-8"))[PROFILE]["outputs"]


def _default_target() -> str:
    folder = Path(os.environ.get("DBT_PROFILES_DIR", PROJECT_DIR))
    return yaml.safe_load((folder / "profiles.yml").read_text("utf-8"))[PROFILE]["target"]


def _variables(target: str) -> list[str]:
    """Return the environment variables that decide where a target is and who asks."""
    text = yaml.safe_dump(dict(_outputs()[target]))
    names = re.findall(r"env_var\(\s*'{1,2}(\w+)", text)
    return [name for name in dict.fromkeys(names) if not name.endswith(("_THREADS", "_LIMIT"))]


if __name__ == "__main__":
    raise SystemExit(main())
