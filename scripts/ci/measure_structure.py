"""Measure how the project hangs together, and fail when a target is broken.

Targets and exceptions stand in scripts/ci/structure.yml. Prints one table: measure, value, target.
Below it stands every violation of a rule and every exception that nothing needs any more.

What models really read is seen in the statements that dbt runs, those asked while a model is
compiled included, so two small builds are made in a throw-away folder, the second one incremental.
They take a minute or two; --build-in keeps them in a folder, --built takes them from there, and
--parse-only leaves them and the measure of hidden edges out.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts import generate_events
from scripts.ci.equal_code import code_files, equal_pairs
from scripts.ci.project_rules import RULES, Project, Violation
from scripts.warehouse import PROJECT_DIR, fail

CONFIGURATION = PROJECT_DIR / "scripts/ci/structure.yml"
# Enough of a history that each branch of an incremental build has something to do.
RUNS = 40
RELATION = re.compile(r"[\"`]?(\w+)[\"`]?\.[\"`]?(\w+)[\"`]?(?![\w\"`]*\.[\"`\w])")


@dataclass
class Configuration:
    """Targets by measure and, by rule, the exceptions with their reasons."""

    targets: dict[str, int]
    longest_way_to: str
    exceptions: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Configuration:
        """Read a configuration; exits with one line when it is not one."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            read = cls(
                dict(content["targets"]),
                str(content["longest_way_to"]),
                {rule: dict(allowed or {}) for rule, allowed in content["exceptions"].items()},
            )
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
            fail(f"{path}: not a configuration of measure_structure.py: {error!r}")
        known = {rule.__name__ for rule in RULES} | {"hidden_edges"}
        for name in read.exceptions:
            if name not in known:
                fail(f"{path}: exceptions for {name}, which is no rule; {_one_of(known)}")
        for rule, allowed in read.exceptions.items():
            for subject, reason in allowed.items():
                if not isinstance(reason, str) or not reason.strip():
                    fail(f"{path}: {rule}: the exception for {subject} needs a reason")
        for name in MEASURES:
            if not isinstance(read.targets.get(name), int):
                fail(f"{path}: targets.{name} should be a whole number")
        for name in read.targets:
            if name not in MEASURES:
                fail(f"{path}: targets.{name} is no measure; {_one_of(MEASURES)}")
        return read


def _one_of(names: Sequence[str] | set[str]) -> str:
    return f"those are {', '.join(sorted(names))}"


# Measures with a target of their own in the configuration; a rule's target is always 0.
MEASURES = {
    "models": "models",
    "paths": "directed paths in the graph",
    "longest_way": "edges on the longest way from a raw event to {longest_way_to}",
    "build_state_models": "models with only build state (meta: build_state)",
    "build_state_edges": "edges of these models",
    "equal_code": "pairs of files with equal code",
}


@dataclass(frozen=True)
class Measure:
    """One row of the table; `value` is none when it was not measured."""

    name: str
    value: int | None
    target: int

    @property
    def state(self) -> str:
        """Whether the target is met, in a word."""
        if self.value is None:
            return "not measured"
        return "ok" if self.value <= self.target else "BROKEN"


@dataclass
class Report:
    """Everything that was measured."""

    measures: list[Measure] = field(default_factory=list)
    # Rule and violation, those with an exception left out.
    violations: list[tuple[str, Violation]] = field(default_factory=list)
    # Rule and pattern of exceptions that no violation needs.
    stale: list[tuple[str, str]] = field(default_factory=list)
    # What is counted and has no target.
    remarks: list[str] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        """Whether all targets are met and all exceptions are needed."""
        return not self.stale and all(measure.state != "BROKEN" for measure in self.measures)

    def __str__(self) -> str:
        width = max(len(measure.name) for measure in self.measures)
        lines = [f"{'measure':{width}}  {'value':>12}  {'target':>11}"]
        for measure in self.measures:
            value = "-" if measure.value is None else f"{measure.value:,}"
            target = f"<= {measure.target:,}" if measure.target else "0"
            lines.append(f"{measure.name:{width}}  {value:>12}  {target:>11}  {measure.state}")
        lines += self.remarks
        lines += [f"{rule}: {found.subject}: {found.message}" for rule, found in self.violations]
        lines += [
            f"{rule}: the exception for {pattern} is not needed: delete it from "
            f"{CONFIGURATION.relative_to(PROJECT_DIR)}"
            for rule, pattern in self.stale
        ]
        return "\n".join(lines)


def measure(
    project: Project,
    configuration: Configuration,
    statements: Sequence[tuple[str, str]] | None = None,
) -> Report:
    """Measure a project.

    `statements` are the unique id of a model and a statement that was run for it; without them
    hidden edges are not measured, and exceptions for them are taken to be needed.
    """
    report = Report()
    state = {
        key for key, node in project.models.items() if node["config"]["meta"].get("build_state")
    }
    edges = [(parent, key) for key, parents in project.parents.items() for parent in parents]
    values = {
        "models": len(project.models),
        "paths": project.path_count(),
        "longest_way": project.longest_way_to(configuration.longest_way_to),
        "build_state_models": len(state),
        "build_state_edges": sum(1 for edge in edges if state & set(edge)),
        "equal_code": len(project.equal_code),
    }
    for name, label in MEASURES.items():
        row = label.format(longest_way_to=configuration.longest_way_to)
        report.measures.append(Measure(row, values[name], configuration.targets[name]))
    found = {rule.__name__: list(rule(project)) for rule in RULES}
    if statements is not None:
        found["hidden_edges"] = list(hidden_edges(project, statements))
    for rule in ("hidden_edges", *(rule.__name__ for rule in RULES)):
        if rule not in found:
            report.measures.append(Measure(rule.replace("_", " "), None, 0))
            continue
        left, stale = without_exceptions(found[rule], configuration.exceptions.get(rule, {}))
        report.measures.append(Measure(rule.replace("_", " "), len(left), 0))
        report.violations += [(rule, violation) for violation in sorted(left)]
        report.stale += [(rule, pattern) for pattern in stale]
    report.remarks.append(
        f"{sum(pair.is_exact for pair in project.equal_code)} of the pairs with equal code are "
        "equal to the letter, the others but for names and values"
    )
    fanned = [key for key in project.models if _leaves(project, key) >= 3]
    report.remarks.append(
        "models from which three or more last models are built: "
        + (", ".join(sorted(map(project.name, fanned))) or "none")
    )
    return report


def _leaves(project: Project, key: str) -> int:
    """Return how many models that nothing reads are built from a model itself."""
    return sum(1 for child in project.children[key] if not project.children[child])


def without_exceptions(
    violations: Sequence[Violation], exceptions: Mapping[str, str]
) -> tuple[list[Violation], list[str]]:
    """Return the violations that no pattern excepts, and the patterns that except none."""

    def matches(pattern: str) -> list[Violation]:
        return [violation for violation in violations if fnmatchcase(violation.subject, pattern)]

    excepted = {violation for pattern in exceptions for violation in matches(pattern)}
    left = [violation for violation in violations if violation not in excepted]
    return left, [pattern for pattern in exceptions if not matches(pattern)]


def hidden_edges(project: Project, statements: Sequence[tuple[str, str]]) -> Iterator[Violation]:
    """Each model reads and writes only itself and what ref() and source() name.

    A violation's subject is the relation and its reader, `read > reader`.
    """
    relations = {
        (node["schema"], node.get("alias") or node["identifier"]): key
        for key, node in project.nodes.items()
    }
    read_by: dict[str, set[str]] = {}
    for key, statement in statements:
        if key in project.models:
            read_by.setdefault(key, set()).update(
                relations[found]
                for found in RELATION.findall(statement)
                if found in relations and relations[found] != key
            )
    for key, others in sorted(read_by.items()):
        for other in sorted(others - project.readable(key)):
            way = "is built from it" if key in _ancestors(project, other) else "is not named by it"
            yield Violation(
                f"{project.name(other)} > {project.name(key)}",
                f"{project.name(key)} reads {project.name(other)}, which {way}",
            )


def _ancestors(project: Project, key: str) -> set[str]:
    """Return everything that a node is built from, itself included."""
    found = {key}
    waiting = [key]
    while waiting:
        for parent in project.parents[waiting.pop()]:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def read_statements(log: Path) -> list[tuple[str, str]]:
    """Return model and text of each statement in a log of dbt in JSON, of the level debug."""
    statements = []
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            event: dict[str, Any] = json.loads(line)
            if event["info"]["name"] == "SQLQuery":
                node = (event["data"].get("node_info") or {}).get("unique_id")
                if node:
                    statements.append((node, event["data"]["sql"]))
    return statements


def build_twice(folder: Path) -> None:
    """Build the project on a few generated events, then incrementally on more.

    Leaves `target/manifest.json` and, of the second build, `logs/dbt.log` in `folder`. Exits with
    one line when a build fails.
    """
    lake = folder / "lake"
    for number in (1, 2):
        events = folder / f"events_{number}"
        arguments = ["--out", str(events), "--runs", str(RUNS), "--days", "3"]
        with contextlib.redirect_stdout(io.StringIO()):
            generate_events.main([*arguments, "--seed", str(number), "--format", "parquet"])
        for file in events.glob("*.parquet"):
            part = lake / file.stem / f"{number}.parquet"
            part.parent.mkdir(parents=True, exist_ok=True)
            file.replace(part)
        shutil.rmtree(folder / "logs", ignore_errors=True)
        what = "a first build" if number == 1 else "an incremental build"
        print(f"{what} of {RUNS} generated runs", file=sys.stderr)
        command = ("build", "--exclude-resource-type", "test", "unit_test")
        run_dbt(folder, *command, "--vars", f"{{rudderstack_parquet_dir: '{lake}'}}")


def run_dbt(folder: Path, *command: str) -> None:
    """Run dbt with a warehouse, target and log of its own in `folder`."""
    completed = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", *command, "--quiet"),
            *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)),
            *("--target", "duckdb", "--target-path", str(folder / "target")),
            *("--log-path", str(folder / "logs")),
            *("--log-level-file", "debug", "--log-format-file", "json"),
        ],
        env=os.environ
        | {
            "AGENT_ANALYTICS_DUCKDB_PATH": str(folder / "warehouse.duckdb"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if completed.returncode:
        fail(f"dbt {command[0]} failed, so nothing was measured\n{completed.stdout}")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--configuration",
        type=Path,
        default=CONFIGURATION,
        metavar="FILE",
        help="targets and exceptions (default scripts/ci/structure.yml)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--parse-only", action="store_true", help="build nothing; hidden edges are not measured"
    )
    how.add_argument(
        "--build-in", type=Path, metavar="DIR", help="empty folder for the builds, which stay there"
    )
    how.add_argument(
        "--built",
        type=Path,
        metavar="DIR",
        help="folder with target/manifest.json and logs/dbt.log of an incremental build, made "
        "with --log-level-file debug --log-format-file json",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 when a target is broken or an exception is stale."""
    options = parse_arguments(arguments)
    configuration = Configuration.read(options.configuration)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.built or options.build_in or Path(scratch)
        if options.parse_only:
            run_dbt(folder, "parse")
        elif not options.built:
            build_twice(folder)
        try:
            manifest = json.loads((folder / "target/manifest.json").read_text(encoding="utf-8"))
            statements = None if options.parse_only else read_statements(folder / "logs/dbt.log")
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}; --built names the folder of a build")
    project = Project(manifest, equal_pairs(code_files(PROJECT_DIR)))
    report = measure(project, configuration, statements)
    print(report)
    return 0 if report.is_met else 1


if __name__ == "__main__":
    raise SystemExit(main())
