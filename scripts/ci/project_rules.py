"""What is asked of the project's graph, tests and descriptions, read from dbt's manifest.

Each rule returns one `Violation` for each thing that breaks it. Some are those of
dbt-project-evaluator, under its names, that have exceptions with reasons; the others are this
project's own. What dbt-bouncer knows stands in dbt-bouncer.yml.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from scripts.ci.equal_code import Pair

Node = Mapping[str, Any]

MOST_PARENTS = 8
LONGEST_CHAIN_OF_VIEWS = 5
LONGEST_COMMENT = 256
# What every rollup says of the rows it rests on.
ROLLUP_COUNTS = ("n_all", "n_used", "n_unfinished", "n_unpriced", "n_partial")
# The test that several columns together are a key; it fails for null too.
COMBINED_KEY_TEST = "unique_combination"
MACRO_HEAD = re.compile(r"\{%-?\s*macro\s+\w+\s*\((.*?)\)\s*-?%\}", re.DOTALL)


@dataclass(frozen=True, order=True)
class Violation:
    """One thing that breaks a rule: what exceptions name it by, and what is wrong with it."""

    subject: str
    message: str


@dataclass
class Project:
    """The graph of a manifest: models, seeds and sources, with who reads whom.

    `equal_code` is what scripts/ci/equal_code.py found in the files beside it.
    """

    manifest: Node
    equal_code: Sequence[Pair] = field(default_factory=list)

    @cached_property
    def package(self) -> str:
        """Name of the project, which is the package of its own nodes."""
        return self.manifest["metadata"]["project_name"]

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Models, seeds and sources of the project by unique id."""
        nodes = {
            key: node
            for key, node in self.manifest["nodes"].items()
            if node["resource_type"] in ("model", "seed", "snapshot")
        }
        return {
            key: node
            for key, node in (nodes | self.manifest["sources"]).items()
            if node["package_name"] == self.package
        }

    @cached_property
    def models(self) -> dict[str, Node]:
        """Models of the project by unique id."""
        return {key: node for key, node in self.nodes.items() if node["resource_type"] == "model"}

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """What each node reads itself."""
        return {
            key: sorted({parent for parent in depended_on(node) if parent in self.nodes})
            for key, node in self.nodes.items()
        }

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """Who reads each node itself."""
        children: dict[str, list[str]] = {key: [] for key in self.nodes}
        for key, parents in self.parents.items():
            for parent in parents:
                children[parent].append(key)
        return children

    @cached_property
    def tests(self) -> dict[str, list[Node]]:
        """Generic tests by the unique id of what they test."""
        tests: dict[str, list[Node]] = defaultdict(list)
        for node in self.manifest["nodes"].values():
            if node["resource_type"] == "test" and node.get("attached_node"):
                tests[node["attached_node"]].append(node)
        return tests

    @cached_property
    def in_order(self) -> list[str]:
        """All nodes, each behind what it reads."""
        order: dict[str, None] = {}

        def visit(key: str) -> None:
            if key not in order:
                for parent in self.parents[key]:
                    visit(parent)
                order[key] = None

        for key in sorted(self.nodes):
            visit(key)
        return list(order)

    def name(self, key: str) -> str:
        """Return the name of a node as people write it; a source with its schema."""
        node = self.nodes[key]
        if node["resource_type"] == "source":
            return f"{node['source_name']}.{node['name']}"
        return node["name"]

    def kind(self, key: str) -> str:
        """Return the first folder below models/ of a model, else the type of the node."""
        if self.nodes[key]["resource_type"] != "model":
            return self.nodes[key]["resource_type"]
        return layer(self.nodes[key])

    def path_count(self) -> int:
        """Return the number of directed paths between any two nodes, those of length 0 included.

        It is the number of rows that dbt-project-evaluator would write out.
        """
        ending: dict[str, int] = {}
        for key in self.in_order:
            ending[key] = 1 + sum(ending[parent] for parent in self.parents[key])
        return sum(ending.values())

    def longest_way_to(self, model: str) -> int:
        """Return the number of edges on the longest way from a source to a model.

        Zero when no source leads to it. Raises KeyError when there is no such model.
        """
        longest: dict[str, int | None] = {}
        for key in self.in_order:
            begins = 0 if self.nodes[key]["resource_type"] == "source" else None
            ways = [longest[parent] for parent in self.parents[key]]
            longest[key] = max((1 + way for way in ways if way is not None), default=begins)
        return longest[f"model.{self.package}.{model}"] or 0

    def readable(self, key: str) -> set[str]:
        """Return what a node may read: its parents, and through ephemeral ones theirs."""
        found: set[str] = set()
        waiting = [key]
        while waiting:
            for parent in self.parents[waiting.pop()]:
                found.add(parent)
                if self.nodes[parent].get("config", {}).get("materialized") == "ephemeral":
                    waiting.append(parent)
        return found

    def has_key(self, key: str) -> bool:
        """Return whether tests or constraints say what is unique and never null in a model."""
        tested: dict[str, set[str]] = defaultdict(set)
        for test in self.tests.get(key, []):
            name = test["test_metadata"]["name"]
            if name == COMBINED_KEY_TEST:
                return True
            tested[(test.get("column_name") or "").lower()].add(name)
        for column in self.nodes[key]["columns"].values():
            for constraint in column.get("constraints") or []:
                kind = {"primary_key": ("unique", "not_null")}.get(
                    constraint["type"], (constraint["type"],)
                )
                tested[column["name"].lower()].update(kind)
        return any({"unique", "not_null"} <= kinds for column, kinds in tested.items() if column)


def depended_on(node: Node) -> list[str]:
    """Return the unique ids that a node of a manifest reads; a source reads nothing."""
    return node.get("depends_on", {}).get("nodes", [])


def layer(node: Node) -> str:
    """Return the first folder below models/ in which a model lies, or nothing."""
    folders = PurePosixPath(node["original_file_path"]).parts[1:-1]
    return folders[0] if folders else ""


def missing_primary_key_tests(project: Project) -> Iterator[Violation]:
    """Each model has a column, or a combination, that is tested to be unique and not null."""
    for key, node in project.models.items():
        if not project.has_key(key):
            yield Violation(
                node["name"], "no column with the tests unique and not_null: add both to its key"
            )


def too_many_joins(project: Project) -> Iterator[Violation]:
    """No model reads more than eight others."""
    for key, node in project.models.items():
        count = len(project.parents[key])
        if count > MOST_PARENTS:
            yield Violation(node["name"], f"reads {count} nodes, at most {MOST_PARENTS}: split it")


def rejoining_of_upstream_concepts(project: Project) -> Iterator[Violation]:
    """No model joins what it reads with what only it derives from the same."""
    for key in project.models:
        for between in project.parents[key]:
            if project.children[between] != [key]:
                continue
            for origin in project.parents[between]:
                if origin in project.parents[key]:
                    a, b, c = project.name(origin), project.name(between), project.name(key)
                    yield Violation(
                        f"{a} > {b} > {c}", f"{b} has no other reader: make it a part of {c}"
                    )


def staging_dependent_on_staging(project: Project) -> Iterator[Violation]:
    """No staging model reads another; base models are there to be read."""
    for key, node in project.models.items():
        for parent in project.parents[key]:
            is_staged = project.kind(parent) == "staging"
            if project.kind(key) == "staging" and is_staged and _is_staging(project.name(parent)):
                yield Violation(node["name"], f"reads {project.name(parent)}, also of staging")


def _is_staging(name: str) -> bool:
    return not name.startswith("base_")


def chained_views(project: Project) -> Iterator[Violation]:
    """No more than five views and ephemeral models stand behind each other."""
    chain: dict[str, int] = {}
    for key in project.in_order:
        materialized = project.nodes[key].get("config", {}).get("materialized")
        before = max((chain[parent] for parent in project.parents[key]), default=0)
        chain[key] = 1 + before if materialized in ("view", "ephemeral") else 0
        if chain[key] == LONGEST_CHAIN_OF_VIEWS + 1:
            yield Violation(
                project.name(key), f"the last of {chain[key]} views in a row: make one a table"
            )


def undocumented_columns(project: Project) -> Iterator[Violation]:
    """Each column that is declared is described."""
    for key, node in project.nodes.items():
        for column in node.get("columns", {}).values():
            if not column["description"].strip():
                yield Violation(f"{project.name(key)}.{column['name']}", "no description")


def long_comments(project: Project) -> Iterator[Violation]:
    """Descriptions that become comments on columns fit into Hive's metastore.

    Its table of columns has 256 characters for a comment, and a longer one is an error of the build
    there (Iceberg in a metastore on Derby).
    """
    for key, node in project.nodes.items():
        if not node.get("config", {}).get("persist_docs", {}).get("columns"):
            continue
        for column in node.get("columns", {}).values():
            length = len(column["description"])
            if length > LONGEST_COMMENT:
                yield Violation(
                    f"{project.name(key)}.{column['name']}",
                    f"{length} characters, and {LONGEST_COMMENT} fit into a comment",
                )


def undocumented_macros(project: Project) -> Iterator[Violation]:
    """Each macro is described in YAML, with the arguments it takes and no others.

    Not asked of tests and materializations, of the variants of a dispatched macro, which answer to
    the name without their adapter, and of helpers for one file, whose names begin with `_`.
    """
    macros = project.manifest["macros"].values()
    names = {macro["name"] for macro in macros}
    for macro in macros:
        name = macro["name"]
        head = MACRO_HEAD.search(macro["macro_sql"])
        is_own = macro["package_name"] == project.package and not name.startswith("_")
        if not is_own or head is None or name.partition("__")[2] in names:
            continue
        if not macro["description"].strip():
            yield Violation(
                name, f"no description in the YAML beside {macro['original_file_path']}"
            )
            continue
        taken = _argument_names(head.group(1))
        described = {argument["name"]: argument for argument in macro["arguments"]}
        if set(taken) != set(described):
            differing = ", ".join(sorted(set(taken) ^ set(described)))
            yield Violation(name, f"arguments in YAML and in the macro differ: {differing}")
        for argument in macro["arguments"]:
            if not argument.get("type") or not argument["description"].strip():
                yield Violation(name, f"argument {argument['name']} has no type or no description")


def _argument_names(signature: str) -> list[str]:
    """Return the names of a macro's arguments, without their defaults."""
    depth = 0
    flat = ""
    for letter in signature:
        depth += (letter in "([{") - (letter in ")]}")
        flat += letter if depth == 0 else ""
    return [part.split("=")[0].strip() for part in flat.split(",") if part.strip()]


def source_directories(project: Project) -> Iterator[Violation]:
    """A source and its staging models lie in models/staging/<name of the source>."""
    for key, node in project.nodes.items():
        if project.kind(key) == "source":
            own = PurePosixPath("models/staging") / node["source_name"]
            if PurePosixPath(node["original_file_path"]).parent != own:
                yield Violation(project.name(key), f"declared outside {own}")
            for reader in project.children[key]:
                path = project.nodes[reader]["original_file_path"]
                if own not in PurePosixPath(path).parents:
                    yield Violation(project.name(reader), f"stages {node['source_name']} in {path}")


def folders_in_a_circle(project: Project) -> Iterator[Violation]:
    """No two folders of one layer read each other."""
    edges: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in project.models:
        for parent in project.parents[key]:
            if project.kind(key) == project.kind(parent):
                edge = (_folder(project.nodes[parent]), _folder(project.nodes[key]))
                edges[edge].append(f"{project.name(parent)} > {project.name(key)}")
    for (first, second), there in sorted(edges.items()):
        back = edges.get((second, first), [])
        if first < second and back:
            fewer = min(there, back, key=len)
            yield Violation(
                f"{first} = {second}", f"read each other; one way only without {', '.join(fewer)}"
            )


def _folder(node: Node) -> str:
    return PurePosixPath(node["original_file_path"]).parent.as_posix()


def rollups_without_counts(project: Project) -> Iterator[Violation]:
    """Each rollup says how many rows it rests on."""
    for node in project.models.values():
        if layer(node) == "marts" and node["name"].startswith("mart_"):
            missing = [name for name in ROLLUP_COUNTS if name not in node["columns"]]
            if missing:
                yield Violation(node["name"], f"has no {', '.join(missing)}")


def equal_code_of_siblings(project: Project) -> Iterator[Violation]:
    """No two models of one folder hold the same lines."""
    for pair in project.equal_code:
        if pair.is_exact and pair.are_siblings and pair.first_file.startswith("models/"):
            yield Violation(
                f"{pair.first_file} = {pair.second_file}",
                f"{pair.lines} equal lines from lines {pair.first} and {pair.second}",
            )


RULES: tuple[Callable[[Project], Iterator[Violation]], ...] = (
    missing_primary_key_tests,
    too_many_joins,
    rejoining_of_upstream_concepts,
    staging_dependent_on_staging,
    chained_views,
    undocumented_columns,
    long_comments,
    undocumented_macros,
    source_directories,
    folders_in_a_circle,
    rollups_without_counts,
    equal_code_of_siblings,
)
