"""Random dbt commands are drawn from the whole project, and only a refusal may stop one."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from tests.python.commands import (
    Command,
    Project,
    draw_commands,
    lacks_what_was_never_built,
    outcome,
    refusal,
)
from tests.python.warehouses import WITHOUT_UNIT_TESTS

SENTENCE = '"w"."analytics_marts"."fct" cannot be built by itself; run dbt build --full-refresh'
PROJECT = Project(("fct", "int_events"), ("path:models/marts", "project.marts"), ("prices",))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (SENTENCE, SENTENCE),
        (f"Compilation Error in model fct (models/fct.sql)\n  {SENTENCE}", SENTENCE),
        (
            f"Compilation Error in model fct (models/fct.sql)\n  {SENTENCE}\n  \n"
            "  > in macro refuse (macros/refuse.sql)\n  > called by model fct (models/fct.sql)",
            SENTENCE,
        ),
        (f"Runtime Error\n  {SENTENCE}", SENTENCE),
        # Names no command, or says more than one line, or is an error that quotes a command.
        ("Compilation Error in model fct (models/fct.sql)\n  fct is not there any more", None),
        (f"Compilation Error in model fct (models/fct.sql)\n  {SENTENCE}\n  And more.", None),
        (
            "Runtime Error in model fct (models/fct.sql)\n  Binder Error: no column x\n"
            "  LINE 1: select 'run dbt build'",
            None,
        ),
        ("", None),
    ],
)
def test_refusal_is_one_line_that_names_a_command(message, expected):
    """Everything else is a failure."""
    assert refusal(message) == expected


def node(name, status, message, resource_type="model"):
    """Return what dbt says of one node."""
    described = SimpleNamespace(name=name, resource_type=resource_type)
    return SimpleNamespace(node=described, status=status, message=message)


def test_only_errors_that_are_no_refusal_are_failures():
    """Data tests of half-built tables may fail, models and hooks may not."""
    nodes = [
        node("fct", "error", f"Compilation Error in model fct (m)\n  {SENTENCE}"),
        node("broken", "error", "Runtime Error in model broken (m)\n  Binder Error: no column"),
        node("hook", "error", "Database Error in operation hook", "operation"),
        node("unique", "fail", "Got 3 results", "test"),
        node("unit", "error", "Runtime Error in unit_test unit", "unit_test"),
        node("later", "skipped", None),
    ]
    found = outcome(None, PROJECT, SimpleNamespace(success=False, result=nodes, exception=None))
    assert found.refusals == (f"fct: {SENTENCE}",)
    assert [failure.split(":")[0] for failure in found.failures] == ["broken", "hook"]
    exception = outcome(None, PROJECT, SimpleNamespace(success=False, result=None, exception="No"))
    assert exception.failures == ("dbt: No",)


@pytest.mark.parametrize(
    ("table", "is_there", "expected"),
    [
        ("int_events", False, True),
        ('"analytics_intermediate.int_events"', False, True),
        ("int_events", True, False),
        ("raw_events", False, False),
    ],
)
def test_missing_parent_is_one_that_was_never_built(table, is_there, expected):
    """A model of the project that is nowhere in the warehouse, and no other table."""
    warehouse = SimpleNamespace(query=lambda statement: [(1,)] if is_there else [])
    message = f"Runtime Error in model fct (m)\n  Catalog Error: Table with name {table} does not"
    assert lacks_what_was_never_built(warehouse, PROJECT, message + " exist!") is expected


def test_every_kind_of_command_is_drawn():
    """The same number draws the same commands; what breaks off is often retried."""
    columns = {"prices": ["model"]}
    plan = draw_commands(random.Random(7), PROJECT, columns, 400)
    assert plan == draw_commands(random.Random(7), PROJECT, columns, 400)
    assert {len(commands) for commands in plan} >= {0, 1, 2}
    drawn = {str(command) for commands in plan for command in commands}
    assert drawn == {
        "dbt run",
        "dbt run without prices.model",
        "dbt retry",
        *(
            f"dbt {words}"
            for model in PROJECT.models
            for words in (
                f"run --select {model}",
                f"run --select {model}+",
                f"run --select +{model}",
                f"run --select {model} --full-refresh",
                f"run --exclude {model}",
                f"build {' '.join(WITHOUT_UNIT_TESTS)} --exclude {model}",
            )
        ),
        *(f"dbt run --select {folder}" for folder in PROJECT.folders),
    }
    commands = [command for commands in plan for command in commands]
    broken = sum(command.damaged is not None for command in commands)
    assert commands.count(Command(("retry",))) > broken / 3
