"""scripts/ci/check_spark_plans.py finds plans of models that do not split the work."""

import json

import pytest

from scripts.ci import check_spark_plans
from scripts.ci.check_spark_plans import REPLANNED, STARTED

MODEL = "model.agent_analytics.fct_things"


def node(name, *children, text=None):
    return {"nodeName": name, "simpleString": text or name, "children": list(children)}


def to_one_task(*children):
    return node("Exchange", *children, text="Exchange SinglePartition, ENSURE_REQUIREMENTS")


def by_key(*children):
    return node("Exchange", *children, text="Exchange hashpartitioning(key#1, 4)")


def started(number, plan, node_id=MODEL):
    return {
        "Event": STARTED,
        "executionId": number,
        "description": f'/* {{"app": "dbt", "node_id": "{node_id}"}} */ create table …',
        "physicalPlanDescription": "== Physical Plan ==",
        "sparkPlanInfo": plan,
    }


def replanned(number, plan):
    event = {"Event": REPLANNED, "executionId": number}
    return event | {"physicalPlanDescription": "== Physical Plan ==", "sparkPlanInfo": plan}


@pytest.fixture
def check(tmp_path, capsys):
    """Return what checks events and gives the exit code and what was printed."""

    def run(*events):
        (tmp_path / "events").mkdir()
        lines = [json.dumps(event, separators=(",", ":")) for event in events]
        # A cluster that still runs may be in the middle of a line.
        lines.append(f'{{"Event":"{STARTED}","executionId":7')
        (tmp_path / "events" / "app.inprogress").write_text("\n".join(lines), "utf-8")
        code = check_spark_plans.main([str(tmp_path)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_windows_by_key_and_totals_in_one_task_are_fine(check):
    total = to_one_task(node("HashAggregate", node("Window", node("Sort", by_key()))))
    code, printed = check(started(1, node("HashAggregate", total)))
    assert code == 0
    assert "1 models" in printed


def test_window_over_all_rows_is_found_after_replanning_too(check):
    plan = node("Window", node("Sort", node("ShuffleQueryStage", to_one_task(node("Scan")))))
    code, printed = check(started(1, node("Scan")), replanned(1, node("AdaptiveSparkPlan", plan)))
    assert code == 1
    assert "fct_things sorts all rows in one task" in printed


def test_join_of_all_with_all_is_found_although_left_out_later(check):
    plan = node("Project", node("CartesianProduct", node("Scan"), node("Scan")))
    code, printed = check(started(1, plan), replanned(1, node("LocalTableScan")))
    assert code == 1
    assert "fct_things joins every row with every other" in printed


def test_tests_and_unit_tests_may_do_so(check):
    bad = node("CartesianProduct")
    events = [started(2, bad, "test.agent_analytics.t.1"), started(3, bad, "unit_test.x.y")]
    assert check(started(1, node("Scan")), *events)[0] == 0


def test_no_models_is_an_error(check):
    with pytest.raises(SystemExit) as stopped:
        check(started(1, node("Scan"), "test.agent_analytics.t.1"))
    assert stopped.value.code == 2
