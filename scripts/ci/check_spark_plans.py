"""Fail when Spark built a model in a way that cannot work on more data than one machine holds.

Two things in a physical plan do that: a join that compares every row with every other, and a window
function over rows that were all sent to one task. Reads the event logs that a cluster of
scripts/ci/spark_cluster writes; looks at models only, not at tests and unit tests.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.warehouse import fail

# Model -> why a window over all of its rows in one task is fine there: their number is bounded.
SINGLE_TASK_ALLOWED: Mapping[str, str] = {
    "int_model_calls_daily": "the thresholds of the price list, some ten",
    "mart_breakpoints": "one row per workflow, agent, step type, tool and failure mode",
}

STARTED = "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"
REPLANNED = "org.apache.spark.sql.execution.ui.SparkListenerSQLAdaptiveExecutionUpdate"
# dbt writes it into the comment before every statement.
MODEL_ID = re.compile(r'"node_id": "model\.[^"]*?\.(\w+)"')
SINGLE_TASK = "Exchange SinglePartition"

Plan = Mapping[str, object]


@dataclass(frozen=True)
class ModelPlan:
    """A plan Spark had for a statement of a model, before it began or while it ran."""

    model: str
    root: Plan
    text: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the logs; return 1 when a plan does what it must not."""
    options = _parse(arguments)
    logs = sorted(path for path in (options.directory / "events").glob("*") if path.is_file())
    if not logs:
        fail(f"no event log below {options.directory / 'events'}: name the folder of a cluster", 2)
    plans = [plan for log in logs for plan in read_plans(log)]
    models = sorted({plan.model for plan in plans})
    if not models:
        fail(f"no model was built by the cluster of {options.directory}", 2)
    if options.plan:
        texts = [plan.text for plan in plans if plan.model == options.plan]
        if not texts:
            fail(f"no plan of a model {options.plan}; there are {', '.join(models)}", 2)
        print(max(texts, key=len))
        return 0
    found = sorted({problem for plan in plans for problem in problems(plan)})
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    if found:
        return 1
    print(f"the plans of {len(models)} models compare and collect only what belongs together")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Fail when Spark built a model with a join of every row with every other, or "
        "with a window function over all rows in one task."
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder of the cluster")
    parser.add_argument("--plan", metavar="MODEL", help="only print the physical plan of a model")
    return parser.parse_args(arguments)


def read_plans(log: Path) -> Iterator[ModelPlan]:
    """Yield every plan of every statement of a model in one event log.

    The first plan counts as much as the last: where a table turned out to be empty, the last leaves
    out what depends on it.
    """
    models: dict[int, str] = {}
    for event in _plan_events(log):
        number = int(str(event["executionId"]))
        if event["Event"] == STARTED and (named := MODEL_ID.search(str(event["description"]))):
            models[number] = named.group(1)
        if number in models:
            root = event["sparkPlanInfo"]
            assert isinstance(root, Mapping)
            yield ModelPlan(models[number], root, str(event["physicalPlanDescription"]))


def _plan_events(log: Path) -> Iterator[Mapping[str, object]]:
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            # Most lines are about tasks; reading these as well would take minutes.
            if line.startswith(f'{{"Event":"{STARTED}"') or line.startswith(
                f'{{"Event":"{REPLANNED}"'
            ):
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    # The last line of a cluster that still runs may be half written.
                    return


def problems(plan: ModelPlan) -> Iterator[str]:
    """Yield what a plan does that it must not, one line each."""
    for node in _nodes(plan.root):
        name = str(node["nodeName"])
        if name == "CartesianProduct":
            yield f"{plan.model} joins every row with every other (CartesianProduct)"
        elif (
            name == "Window"
            and plan.model not in SINGLE_TASK_ALLOWED
            and any(_is_fed_by_one_task(child) for child in _children(node))
        ):
            yield f"{plan.model} sorts all rows in one task (Window above {SINGLE_TASK})"


def _is_fed_by_one_task(node: Plan) -> bool:
    """Say whether the nearest exchange below sends all rows to one task."""
    if str(node["nodeName"]).startswith("Exchange"):
        return str(node["simpleString"]).startswith(SINGLE_TASK)
    return any(_is_fed_by_one_task(child) for child in _children(node))


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in _children(plan):
        yield from _nodes(child)


def _children(plan: Plan) -> Sequence[Plan]:
    children = plan.get("children", [])
    assert isinstance(children, list)
    return children


if __name__ == "__main__":
    raise SystemExit(main())
