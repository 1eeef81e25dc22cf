"""Compile the whole project for every warehouse, without any of them, and parse what comes out.

Per dialect: all models and data tests are compiled with the warehouse's dbt adapter, against a
catalogue of raw tables in the types RudderStack gives them there. Every statement is then read by
sqlglot and by sqlfluff, checked for functions that sqlglot does not know, and for what the
warehouse refuses although it can be parsed (scripts/ci/dialect_rules.py). This finds SQL that is
wrong in itself; what the SQL answers only a run on the warehouse can tell.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import sqlglot
import yaml
from sqlfluff.core import FluffConfig, Linter
from sqlglot import exp

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.ci.dialect_rules import broken_rules
from scripts.ci.engines.base import EngineError
from scripts.ci.raw_catalogue import ONE_TYPE_LAYOUTS, Catalogue, catalogue, raw_layouts
from scripts.warehouse import PROJECT_DIR, quote_identifier

KNOWN_FUNCTIONS = PROJECT_DIR / "scripts/ci/functions_unknown_to_sqlglot.yml"
OFFLINE_COMPILE = PROJECT_DIR / "scripts/ci/offline_compile.py"

# The environment that holds the adapter, of those scripts/ci/prepare_environment makes.
ENVIRONMENTS = {
    "duckdb": ".venv",
    "postgres": ".venv",
    "spark": ".venv",
    "snowflake": ".venv-cloud",
    "bigquery": ".venv-cloud",
    "redshift": ".venv-cloud",
    "databricks": ".venv-databricks",
    "clickhouse": ".venv-clickhouse",
}
SQLFLUFF_NAMES = {"spark": "sparksql"}
# Any value will do, as nothing is contacted; in upper case, as Snowflake would have it.
CREDENTIALS = {
    "POSTGRES": ("USER", "DATABASE"),
    "SNOWFLAKE": ("ACCOUNT", "USER", "PASSWORD", "ROLE", "WAREHOUSE", "DATABASE"),
    "BIGQUERY": ("PROJECT",),
    "REDSHIFT": ("HOST", "USER", "PASSWORD", "DATABASE"),
    "DATABRICKS": ("HOST", "HTTP_PATH", "TOKEN"),
}

# One model of each kind of column is enough for layouts that no other model sees a difference in.
CONVERSIONS = "stg_rudderstack__agent_steps_completed stg_rudderstack__user_actions"
PASSES = (
    ("whole_project", ("flattened",), ""),
    ("other_layouts", ("json_columns", *ONE_TYPE_LAYOUTS), CONVERSIONS),
    ("no_raw_table", (), "path:models/staging"),
)


@dataclass
class Verdict:
    """What the check of one dialect found."""

    dialect: str
    models: int = 0
    tests: int = 0
    # One line per problem, each beginning with the file it is in.
    problems: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0


def check_dialect(dialect: str, folder: Path, *, with_sqlfluff: bool, processes: int) -> Verdict:
    """Compile and parse the project in one dialect."""
    verdict = Verdict(dialect)
    started = time.monotonic()
    verdict.problems += compile_project(dialect, folder)
    files = compiled_files(folder)
    verdict.tests = sum(_is_test(name) for name in files)
    verdict.models = len(files) - verdict.tests
    if not verdict.models:
        verdict.problems.append("project: nothing was compiled")
    verdict.problems += read_with_sqlglot(dialect, files)
    if with_sqlfluff:
        say(f"{dialect}: {len(files)} statements compiled, sqlfluff reads them")
        with ProcessPoolExecutor(processes) as pool:
            names = [name for name in files if _sqlfluff_reads(name, files)]
            found = pool.map(
                _sqlfluff_problem, names, map(files.get, names), [dialect] * len(names)
            )
            verdict.problems += [problem for problem in found if problem]
    verdict.seconds = time.monotonic() - started
    return verdict


def compile_project(dialect: str, folder: Path) -> list[str]:
    """Compile every pass of one dialect into `folder`; return the problems."""
    layouts = raw_layouts(PROJECT_DIR)
    whole = catalogue(layouts, dialect)
    environment = dict(
        os.environ, DBT_PROFILES_DIR=str(PROJECT_DIR), DBT_SEND_ANONYMOUS_USAGE_STATS="false"
    )
    for warehouse, names in CREDENTIALS.items():
        environment |= {f"AGENT_ANALYTICS_{warehouse}_{name}": "OFFLINE" for name in names}
    passes = []
    for name, present, select in PASSES:
        tables = {schema: whole[schema] for schema in whole if schema.lower() in present}
        description = {
            "name": name,
            "select": select,
            # Always the same, so that dbt parses the project once; the catalogue says what exists.
            "vars": {"rudderstack_schemas": list(layouts)},
            "catalogue": tables,
            "environment": {},
        }
        if dialect == "duckdb":
            path = folder / f"{name}.duckdb"
            path.unlink(missing_ok=True)
            create_raw_tables(path, tables)
            description["environment"] = {"AGENT_ANALYTICS_DUCKDB_PATH": str(path)}
        passes.append(description)
    plan = {
        "target": dialect,
        "adapter": dialect,
        "seeds": [str(path) for path in sorted((PROJECT_DIR / "seeds").rglob("*.csv"))],
        "passes": passes,
    }
    plan_file = folder / "plan.json"
    plan_file.write_text(json.dumps(plan), "utf-8")
    python = PROJECT_DIR / ENVIRONMENTS[dialect] / "bin/python"
    finished = subprocess.run(
        [python, OFFLINE_COMPILE, plan_file, folder],
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    problems_file = folder / "problems.json"
    if finished.returncode != 0 or not problems_file.exists():
        last = (finished.stderr or finished.stdout).strip().splitlines()[-1:]
        return [f"project: {OFFLINE_COMPILE.name} failed: {' '.join(last)}"]
    return [
        f"{problem['pass']}/{problem['node']}: does not compile: {_one_line(problem['message'])}"
        for problem in json.loads(problems_file.read_text("utf-8"))
    ]


def create_raw_tables(path: Path, tables: Catalogue) -> None:
    """Create a DuckDB file with the raw tables of a catalogue, all empty."""
    with duckdb.connect(str(path)) as connection:
        for schema, columns_of_table in tables.items():
            connection.execute(f"create schema {quote_identifier(schema)}")
            for table, columns in columns_of_table.items():
                listed = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in columns)
                relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
                connection.execute(f"create table {relation} ({listed})")


def compiled_files(folder: Path) -> dict[str, str]:
    """Return the compiled statements under short names: pass, and path inside the project."""
    files = {}
    for name, _, _ in PASSES:
        root = folder / name / "compiled"
        for path in sorted(root.rglob("*.sql")):
            if path.is_file() and "unit_tests" not in path.parent.name:
                # compiled/<project>/…
                short = Path(name, *path.relative_to(root).parts[1:])
                files[str(short)] = path.read_text("utf-8")
    return files


def _is_test(name: str) -> bool:
    parts = Path(name).parts
    return parts[1] == "tests" or any(part.endswith(".yml") for part in parts)


def _sqlfluff_reads(name: str, files: dict[str, str]) -> bool:
    """Whether sqlfluff, which is slow, would learn anything from this statement."""
    if "/base/" in name and not _is_test(name):
        return False  # ephemeral: the same text stands in the model that reads it
    return "/" in name and bool(files[name].strip())


def read_with_sqlglot(dialect: str, files: dict[str, str]) -> list[str]:
    """Parse every statement; return syntax errors, unknown functions and broken rules."""
    allowed = set(yaml.safe_load(KNOWN_FUNCTIONS.read_text("utf-8")).get(dialect) or ())
    problems: list[str] = []
    unknown: Counter[str] = Counter()
    first_use: dict[str, str] = {}
    # It says with a warning what is an error here.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    for name, sql in files.items():
        try:
            statements = sqlglot.parse(sql, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
        except sqlglot.errors.SqlglotError as error:
            problems.append(f"{name}: sqlglot: {_one_line(str(error))}")
            continue
        for statement in statements:
            if statement is None:
                continue
            if isinstance(statement, exp.Command):
                if not _is_hook(name):
                    problems.append(f"{name}: sqlglot: cannot read the statement")
                continue
            problems += [f"{name}: {broken}" for broken in broken_rules(dialect, statement)]
            for function in _unknown_functions(statement):
                if function not in allowed:
                    unknown[function] += 1
                    first_use.setdefault(function, name)
    problems += [
        f"{first_use[function]}: unknown function {function} ({uses} uses); if {dialect} has it,"
        f" add it to {KNOWN_FUNCTIONS.relative_to(PROJECT_DIR)}"
        for function, uses in sorted(unknown.items())
    ]
    return problems


def _is_hook(name: str) -> bool:
    return "-on-run-" in name


def _unknown_functions(statement: exp.Expr) -> Iterator[str]:
    for function in statement.find_all(exp.Anonymous):
        # Functions the project creates itself carry its name.
        if not function.name.lower().startswith("agent_analytics_"):
            yield function.name.lower()


def _sqlfluff_problem(name: str, sql: str, dialect: str) -> str:
    """Return what sqlfluff cannot parse in one statement, or an empty text."""
    if _is_hook(name):
        return ""
    config = FluffConfig(
        overrides={
            "dialect": SQLFLUFF_NAMES.get(dialect, dialect),
            "templater": "raw",
            "large_file_skip_byte_limit": 0,
            # What reads many raw layouts is large, not hostile: its limits would end the check.
            "max_parse_nodes": 0,
            "rust_parser_max_iterations": 100_000_000,
            "rust_parser_warn_threshold": 100_000_000,
        }
    )
    violations = Linter(config=config).parse_string(sql, fname=name).violations
    if not violations:
        return ""
    first = min(violations, key=lambda violation: violation.line_no)
    return f"{name}: sqlfluff: line {first.line_no}: {_one_line(first.desc())}"


def _one_line(text: str, limit: int = 300) -> str:
    flat = " ".join(text.replace("\x1b[4m", "").replace("\x1b[0m", "").split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def say(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--dialect",
        action="append",
        choices=sorted(ENVIRONMENTS),
        metavar="NAME",
        help=f"only this dialect; may be given several times ({', '.join(sorted(ENVIRONMENTS))})",
    )
    parser.add_argument(
        "--quick", action="store_true", help="without sqlfluff, which takes most of the time"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="folder to leave the compiled SQL in"
    )
    parser.add_argument(
        "--processes", type=int, default=2, metavar="N", help="sqlfluff processes (default 2)"
    )
    parser.add_argument(
        "--skip-missing-environments",
        action="store_true",
        help="leave out dialects whose environment was not prepared, instead of failing",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the dialects asked for; return 1 when anything is wrong."""
    options = parse_arguments(arguments)
    dialects = options.dialect or list(ENVIRONMENTS)
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="agent_analytics_dialects_") as scratch:
        for dialect in dialects:
            environment = ENVIRONMENTS[dialect]
            if not (PROJECT_DIR / environment / "bin/python").exists():
                missing = f"run scripts/ci/prepare_environment {environment.removeprefix('.venv-')}"
                verdict = Verdict(dialect, skipped=missing)
                if not options.skip_missing_environments:
                    verdict.problems.append(f"environment: {missing}")
                verdicts.append(verdict)
                continue
            folder = (options.keep or Path(scratch)) / dialect
            folder.mkdir(parents=True, exist_ok=True)
            say(f"{dialect}: compiling")
            try:
                verdict = check_dialect(
                    dialect,
                    folder,
                    with_sqlfluff=not options.quick,
                    processes=options.processes,
                )
            except EngineError as error:
                print(f"check_dialects: {error}", file=sys.stderr)
                return 1
            verdicts.append(verdict)
    return report(verdicts)


def report(verdicts: Sequence[Verdict]) -> int:
    """Print one block per dialect; return 1 when any of them has a problem."""
    for verdict in verdicts:
        if verdict.skipped:
            print(f"{verdict.dialect}: not checked, {verdict.skipped}")
            continue
        state = f"{len(verdict.problems)} problems" if verdict.problems else "ok"
        print(
            f"{verdict.dialect}: {verdict.models} models, {verdict.tests} tests: {state}"
            f" ({verdict.seconds:.0f} s)"
        )
        for problem in verdict.problems:
            print(f"  {problem}")
    return int(any(verdict.problems for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
