"""dbt commands as people type them between two loads, drawn at random, and what they may answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.python.warehouses import WITHOUT_UNIT_TESTS

# First line of a message of dbt: which kind of error in which model.
HEADER = re.compile(r"^\w[\w ]* Error( in .+)?$")
# A refusal names the command that helps.
HELPFUL_COMMAND = re.compile(r"\brun dbt (build|run)\b")
MISSING_TABLE = re.compile(r'Catalog Error: Table with name "?([\w.]+)"? does not exist')
# The others are judged where they are the subject: data tests of half-built tables may fail.
NOT_JUDGED = {"test", "unit_test"}


@dataclass(frozen=True)
class Command:
    """One dbt command; with a damaged seed it breaks off where the seed's column is read."""

    arguments: tuple[str, ...]
    damaged: tuple[str, str] | None = None

    def __str__(self):
        without = f" without {'.'.join(self.damaged)}" if self.damaged else ""
        return f"dbt {' '.join(self.arguments)}{without}"


@dataclass(frozen=True)
class Project:
    """What commands can select: names of models, folders as path and as dotted name, seeds."""

    models: tuple[str, ...]
    folders: tuple[str, ...]
    seeds: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What a command did; `failures` are errors that are no refusal."""

    succeeded: bool
    refusals: tuple[str, ...]
    failures: tuple[str, ...]

    def __str__(self):
        if self.failures:
            return "failed: " + "; ".join(self.failures)
        if self.refusals:
            return "refused: " + self.refusals[0]
        return "done" if self.succeeded else "broke off"


def read_project(warehouse):
    """Return what the manifest that dbt wrote last says of models, folders and seeds."""
    path = warehouse.folder / "target" / "manifest.json"
    if not path.exists():
        # Where another test of the process has loaded the seeds, no command was given here so far.
        assert warehouse.dbt("parse").success
    manifest = json.loads(path.read_text())
    nodes = manifest["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model"]
    folders = set()
    for model in models:
        folders |= {".".join(model["fqn"][:end]) for end in range(2, len(model["fqn"]))}
        parents = PurePosixPath(model["original_file_path"]).parents
        folders |= {f"path:{parent}" for parent in parents if len(parent.parts) > 1}
    return Project(
        tuple(sorted(model["name"] for model in models)),
        tuple(sorted(folders)),
        tuple(sorted(node["name"] for node in nodes if node["resource_type"] == "seed")),
    )


def draw_command(rng, project, seed_columns):
    """Draw one command.

    `rng`: random.Random. `seed_columns`: columns of each seed, to damage one.
    """
    model = rng.choice(project.models)
    seed = rng.choice(project.seeds)
    # Command and how often it is drawn, in relation to the others.
    commands = {
        Command(("run",)): 5,
        Command(("run", "--select", model)): 3,
        Command(("run", "--select", rng.choice(project.folders))): 3,
        Command(("run", "--select", f"{model}+")): 3,
        Command(("run", "--select", f"+{model}")): 3,
        Command(("run", "--select", model, "--full-refresh")): 2,
        Command(("run", "--exclude", model)): 2,
        # Runs data tests too, which takes twice as long.
        Command(("build", *WITHOUT_UNIT_TESTS, "--exclude", model)): 1,
        Command(("run",), (seed, rng.choice(seed_columns[seed]))): 2,
        Command(("retry",)): 1,
    }
    (drawn,) = rng.choices(list(commands), list(commands.values()))
    return drawn


def draw_commands(rng, project, seed_columns, steps):
    """Draw none, one or two commands for each of so many steps.

    What breaks off is retried half of the time, at once or after the next load.
    """
    plan = [[] for _ in range(steps)]
    for step, commands in enumerate(plan):
        for _ in range(rng.choices((0, 1, 2), (1, 3, 1))[0]):
            command = draw_command(rng, project, seed_columns)
            commands.append(command)
            if command.damaged and rng.random() < 0.5:
                plan[min(step + rng.randint(0, 1), steps - 1)].append(Command(("retry",)))
    return plan


def seed_columns(warehouse, project):
    """Return the columns of each seed in the warehouse."""
    found = {seed: [] for seed in project.seeds}
    for table, column in warehouse.query(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'analytics_seeds' order by all"
    ):
        found[table].append(column)
    return found


def give(warehouse, project, command, variables=None):
    """Run a command and return its outcome."""
    if not command.damaged:
        return outcome(warehouse, project, warehouse.dbt(*command.arguments, variables=variables))
    seed, column = command.damaged
    warehouse.query(f'alter table analytics_seeds.{seed} rename column "{column}" to no_more')
    try:
        result = warehouse.dbt(*command.arguments, variables=variables)
    finally:
        warehouse.query(f'alter table analytics_seeds.{seed} rename column no_more to "{column}"')
    # Whatever it says about the seed is right.
    return Outcome(result.success, (), ())


def outcome(warehouse, project, result):
    """Judge what dbt returned."""
    if result.result is None:
        messages = [] if result.success else [("dbt", str(result.exception))]
    else:
        messages = [
            (node.node.name, node.message or "")
            for node in result.result
            if node.status in ("error", "fail", "runtime error", "partial success")
            and node.node.resource_type not in NOT_JUDGED
        ]
    refusals = [(name, refusal(message)) for name, message in messages]
    return Outcome(
        result.success,
        tuple(f"{name}: {sentence}" for name, sentence in refusals if sentence),
        tuple(
            f"{name}: {message}"
            for (name, message), (_, sentence) in zip(messages, refusals, strict=True)
            if sentence is None and not lacks_what_was_never_built(warehouse, project, message)
        ),
    )


def refusal(message):
    """Return the one sentence with which a model refuses, None when it failed in another way."""
    lines = [line.strip() for line in message.splitlines()]
    # Which macro raised it, called by which.
    lines = [line for line in lines if line and not line.startswith("> ")]
    if lines and HEADER.match(lines[0]):
        del lines[0]
    if len(lines) == 1 and HELPFUL_COMMAND.search(lines[0]):
        return lines[0]
    return None


def lacks_what_was_never_built(warehouse, project, message):
    """Say whether a model failed because one that it reads was selected by no command so far.

    As in every dbt project; once everything was built this cannot be.
    """
    found = MISSING_TABLE.search(message)
    name = found and found[1].split(".")[-1]
    return name in project.models and not warehouse.query(
        f"select 1 from information_schema.tables where table_name = '{name}'"
    )
