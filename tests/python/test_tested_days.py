"""Data tests look at what the last build replaced, and miss nothing of it.

One warehouse is built, gets the events of the last days, and is built again. Then one row per rule
is damaged, of a run on a day that was built again or on one that was not.
"""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from scripts import generate_events, load_events
from scripts.warehouse import quote_literal
from tests.python.loads import Arrivals, load
from tests.python.warehouses import Warehouse, errors_of, failed_nodes

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("tested_days")]

SCHEMA = "rudderstack"
# The generator's history ends on 20 November.
NEW_SINCE = "2026-11-11"
FIRST_LOAD = datetime(2026, 11, 21, tzinfo=UTC)

# Rule -> statement that breaks it for one run. All together: each has a run of its own.
DAMAGES = {
    # generic tests of a fact
    "unique_fct_agent_steps_step_key": (
        "insert into analytics_marts.fct_agent_steps select * from analytics_marts.fct_agent_steps "
        "where run_key = {run} limit 1"
    ),
    "non_negative_fct_agent_sessions_input_tokens": (
        "update analytics_marts.fct_agent_sessions set input_tokens = -1 where run_key = {run}"
    ),
    # a generic test of a rollup
    "not_null_mart_cost_per_interaction_workflow_name": (
        "update analytics_marts.mart_cost_per_interaction set workflow_name = null "
        "where run_date = "
        "(select run_date from analytics_marts.fct_agent_runs where run_key = {run})"
    ),
    # within one fact
    "assert_token_classes_add_up": (
        "update analytics_marts.fct_agent_steps set total_tokens = 1 + coalesce(total_tokens, 0) "
        "where run_key = {run}"
    ),
    # between two or three facts
    "assert_steps_add_up_to_sessions": (
        "update analytics_marts.fct_agent_sessions set step_count = 1 + step_count "
        "where run_key = {run}"
    ),
    "assert_lower_levels_add_up_to_runs": (
        "update analytics_marts.fct_agent_runs set llm_call_count = 1 + llm_call_count "
        "where run_key = {run}"
    ),
    # between events and facts
    "assert_accepted_actions_and_steps_reach_their_facts": (
        "delete from analytics_marts.fct_agent_steps where run_key = {run}"
    ),
    "assert_accepted_events_and_runs_agree": (
        "delete from analytics_marts.fct_agent_runs where run_key = {run}"
    ),
    # between a rollup and a fact
    "assert_rollup_cost_equals_run_cost": (
        "update analytics_marts.mart_cost_per_interaction set n_all = 1 + n_all where run_date = "
        "(select run_date from analytics_marts.fct_agent_runs where run_key = {run})"
    ),
}
# Runs with steps and all their days, beside whether these are among the days built again.
RUNS = """
with days as (
    select run_key, run_date as day from analytics_marts.fct_agent_runs
    union
    select run_key, session_date from analytics_marts.fct_agent_sessions
    union
    select run_key, step_date from analytics_marts.fct_agent_steps
    union
    select run_key, action_date from analytics_marts.fct_user_actions
),

replaced as (
    select distinct replaced_date from analytics_intermediate.state_days_replaced
    where build_number = (select max(build_number) from analytics_intermediate.state_days_replaced)
)

select run_key
from days
left join replaced on days.day = replaced.replaced_date
left join analytics_working.int_runs_affected as runs using (run_key)
where run_key in (select run_key from analytics_marts.fct_agent_steps)
group by run_key
having {condition}
order by run_key
"""
OF_REPLACED_DAYS = "count(runs.run_key) > 0"
OF_OTHER_DAYS = "count(replaced.replaced_date) = 0"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """Return a warehouse built twice, the second time with the events of the last days."""
    folder = tmp_path_factory.mktemp("tested_days")
    events = folder / "events"
    assert generate_events.main(["--out", str(events), "--runs", "40", "--seed", "5"]) == 0
    source = folder / "source.duckdb"
    arguments = [str(events / "events.ndjson"), "--warehouse", str(source)]
    assert load_events.main([*arguments, "--schema", SCHEMA, "--mode", "append"]) == 0
    arrivals = Arrivals(str(source), (SCHEMA,))
    warehouse = Warehouse(folder, keeps_artifacts=True)
    warehouse.fresh()
    for place, comparison in enumerate(("<", ">=")):
        condition = f"received_at {comparison} {quote_literal(NEW_SINCE)}"
        load(
            warehouse,
            arrivals,
            lambda *_, condition=condition: condition,
            FIRST_LOAD + timedelta(days=place),
        )
        result = warehouse.dbt("run")
        assert result.success, errors_of(result)
    shutil.copyfile(warehouse.path, folder / "built.duckdb")
    return warehouse


@pytest.fixture
def built(warehouse):
    """Return the warehouse as the second build left it."""
    shutil.copyfile(warehouse.path.with_name("built.duckdb"), warehouse.path)
    return warehouse


def damage(warehouse, condition):
    """Break every rule for a run of its own, among those for which the condition holds."""
    runs = [str(run) for (run,) in warehouse.query(RUNS.format(condition=condition))]
    assert len(runs) >= len(DAMAGES)
    for run, statement in zip(runs, DAMAGES.values(), strict=False):
        assert warehouse.query(statement.format(run=quote_literal(run)))[0][0] > 0, statement


def broken_rules(warehouse, *names, **variables):
    """Return which of the damaged rules, or of those named, dbt test finds broken."""
    result = warehouse.dbt("test", "--select", *(names or DAMAGES), variables=variables)
    assert result.result is not None, result.exception
    assert {node.node.name for node in result.result} >= set(names or DAMAGES)
    assert not [node for node in result.result if node.status == "error"], errors_of(result)
    return failed_nodes(result)


def test_nothing_is_broken_before(built):
    """Data tests of marts and between models pass on two builds, of the tested days and of all."""
    names = ("test_type:singular,path:tests/integrity", "test_type:generic,path:models/marts")
    for variables in ({}, {"test_whole_history": True}):
        result = built.dbt("test", "--select", *names, variables=variables)
        assert result.success, errors_of(result)


def test_damage_on_a_replaced_day_is_found(built):
    """Every rule is still tested on the rows that the last build replaced."""
    damage(built, OF_REPLACED_DAYS)
    assert broken_rules(built) == set(DAMAGES)


def test_damage_on_another_day_is_found_when_asked_for(built):
    """What the last build left as it was is looked at with the variable only."""
    damage(built, OF_OTHER_DAYS)
    assert broken_rules(built) == set()
    assert broken_rules(built, test_whole_history=True) == set(DAMAGES)


def test_damage_after_a_full_refresh_is_found(built):
    """A full build replaces every row, so every row is tested."""
    other = [str(run) for (run,) in built.query(RUNS.format(condition=OF_OTHER_DAYS))]
    result = built.dbt("run", "--full-refresh")
    assert result.success, errors_of(result)
    damage(built, f"run_key in ({', '.join(map(quote_literal, other))})")
    assert broken_rules(built) == set(DAMAGES)


def test_session_on_another_day_belongs_to_its_run(built):
    """Facts are compared by run: of one run, session and steps may lie on days of their own."""
    run, day = built.query(
        "select run_key, (select min(run_date) from analytics_marts.fct_agent_runs) "
        f"from ({RUNS.format(condition=OF_REPLACED_DAYS)}) limit 1"
    )[0]
    for fact, column in (("fct_agent_sessions", "session_date"), ("fct_agent_steps", "step_date")):
        built.query(f"update analytics_marts.{fact} set {column} = '{day}' where run_key = '{run}'")
    rules = ("assert_lower_levels_add_up_to_runs", "assert_steps_add_up_to_sessions")
    assert broken_rules(built, *rules) == set()
    built.query(
        "update analytics_marts.fct_agent_steps set is_retry = not is_retry "
        f"where run_key = '{run}'"
    )
    assert broken_rules(built, *rules) == set(rules)


def test_missing_day_is_found(built):
    """A row without a day lies on no day: whether there is one is tested everywhere."""
    rule = "not_null_fct_agent_steps_step_date"
    run = built.query(RUNS.format(condition=OF_OTHER_DAYS))[0][0]
    built.query(
        f"update analytics_marts.fct_agent_steps set step_date = null where run_key = '{run}'"
    )
    assert broken_rules(built, rule) == {rule}


def test_every_mart_is_tested_by_a_day_known_before_it(built):
    """While a build goes on, a model is tested right after it: its days must be there by then."""
    assert built.dbt("parse").success
    manifest = json.loads((built.folder / "target" / "manifest.json").read_text())
    for name, node in manifest["nodes"].items():
        if node["resource_type"] != "model" or node["fqn"][1] != "marts":
            continue
        # what is made anew in every build is tested whole
        if "history" not in node["config"]["meta"]:
            continue
        assert node["config"]["meta"]["tested_by_day"] in node["columns"], name
        ancestors = set()
        pending = [name]
        while pending:
            parents = set(manifest["parent_map"].get(pending.pop(), ())) - ancestors
            ancestors |= parents
            pending += parents
        assert "model.agent_analytics.int_runs_affected" in ancestors, name
