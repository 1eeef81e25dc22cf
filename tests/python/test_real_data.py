"""Facts built from real agent traces equal truth tables that were computed from the original logs.

One assertion per set and column. The traces lie beside the project, in ../shared/realdata; without
them these tests are skipped.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from scripts import load_events
from tests.python.rollups import ONLY_GENERATED, RECOMPUTED, difference
from tests.python.warehouses import WITHOUT_UNIT_TESTS, Warehouse, errors_of

PROJECT = Path(__file__).resolve().parents[2]
REAL_DATA = PROJECT.parent / "shared" / "realdata"
TRUTH = REAL_DATA / "truth"

pytestmark = [
    pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no real traces at {REAL_DATA}"),
    pytest.mark.xdist_group("real_data"),
]

RUN_SETS = ["tau1", "tau2", "whowhen", "moatless"]
ALWAYS = {
    "agent_sessions": "agent_session_count",
    "steps": "step_count",
    "llm_steps": "llm_call_count",
    "tool_steps": "tool_call_count",
    "error_steps": "failed_step_count",
    "status": "run_status",
}
MONEY_AND_TIME = {
    "total_cost": "reported_cost_usd",
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "duration_ms": "duration_ms",
}
BINDING = [(name, *pair) for name in RUN_SETS for pair in ALWAYS.items()] + [
    (name, *pair) for name in ("tau2", "moatless") for pair in MONEY_AND_TIME.items()
]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory):
    """Connection to a warehouse built from all real traces, every data test passed."""
    warehouse = Warehouse(tmp_path_factory.mktemp("real_data"))
    warehouse.fresh()
    files = sorted(str(path) for path in REAL_DATA.glob("*.ndjson.gz"))
    assert load_events.main([*files, "--warehouse", str(warehouse.path)]) == 0
    result = warehouse.dbt("build", *WITHOUT_UNIT_TESTS, "seed")
    assert result.success, errors_of(result)
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        yield connection


def truth_table(name: str, table: str) -> str:
    return f"read_csv('{TRUTH / name / table}.csv', all_varchar = true)"


@pytest.mark.parametrize("name", RUN_SETS)
def test_every_run_of_the_truth_is_there_and_no_other(facts, name):
    missing, extra = facts.execute(
        f"""
        select
            count(*) filter (where runs.run_key is null),
            count(*) filter (where truth.interaction_id is null)
        from {truth_table(name, "runs")} as truth
        full outer join (
            select * from analytics_marts.fct_agent_runs
            where conversation_id like 'conv-{name}-%'
        ) as runs using (conversation_id, interaction_id)
        """
    ).fetchone()
    assert (missing, extra) == (0, 0)


@pytest.mark.parametrize(("name", "truth_column", "fact_column"), BINDING)
def test_run_column_equals_truth(facts, name, truth_column, fact_column):
    if truth_column == "status":
        differs = """
            coalesce(truth.status, '') !=
            case
                when runs.run_status in ('abandoned', 'in_progress', 'unknown') then ''
                else runs.run_status
            end
        """
    else:
        # the truth of a sum of floats carries the floats' noise; money has nine decimals
        differs = f"""
            truth.{truth_column} is not null and (
                runs.{fact_column} is null
                or abs(cast(truth.{truth_column} as double) - runs.{fact_column}) > 1e-9
            )
        """
    wrong = facts.execute(
        f"""
        select truth.interaction_id, truth.{truth_column}, runs.{fact_column}
        from {truth_table(name, "runs")} as truth
        left join analytics_marts.fct_agent_runs as runs using (conversation_id, interaction_id)
        where {differs}
        """
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize("name", ["tau2", "moatless"])
def test_absent_cost_and_tokens_stay_absent(facts, name):
    wrong = facts.execute(
        f"""
        select truth.interaction_id
        from {truth_table(name, "runs")} as truth
        inner join analytics_marts.fct_agent_runs as runs using (conversation_id, interaction_id)
        where (truth.total_cost is null) != (runs.reported_cost_usd is null)
        or (truth.prompt_tokens is null) != (runs.input_tokens is null)
        """
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize("name", RUN_SETS)
def test_sessions_and_steps_per_agent_equal_truth(facts, name):
    wrong = facts.execute(
        f"""
        with sessions as (
            select interaction_id, agent_name, count(*) as sessions, sum(step_count) as steps
            from analytics_marts.fct_agent_sessions
            where conversation_id like 'conv-{name}-%'
            group by all
        )
        select truth.interaction_id, truth.agent_name, truth.sessions, sessions.sessions
        from {truth_table(name, "agent_runs")} as truth
        full outer join sessions using (interaction_id, agent_name)
        where truth.sessions is distinct from cast(sessions.sessions as varchar)
        or truth.steps is distinct from cast(sessions.steps as varchar)
        """
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize("name", ["tau1", "tau2", "moatless"])
def test_cost_per_agent_equals_truth(facts, name):
    wrong = facts.execute(
        f"""
        with sessions as (
            select interaction_id, agent_name, sum(reported_cost_usd) as cost
            from analytics_marts.fct_agent_sessions
            group by all
        )
        select truth.interaction_id, truth.agent_name, truth.cost, sessions.cost
        from {truth_table(name, "agent_runs")} as truth
        inner join sessions using (interaction_id, agent_name)
        where (truth.cost is null) != (sessions.cost is null)
        or abs(cast(truth.cost as double) - sessions.cost) > 1e-8
        """
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "table", "id_column"),
    [(name, "tool_runs", "interaction_id") for name in RUN_SETS]
    + [("claude_code", "tool_conversations", "conversation_id")],
)
def test_calls_and_errors_per_tool_equal_truth(facts, name, table, id_column):
    scope = "cc-%" if name == "claude_code" else f"conv-{name}-%"
    wrong = facts.execute(
        f"""
        with steps as (
            select
                {id_column},
                tool_name,
                count(*) as calls,
                count(*) filter (where step_status in ('error', 'timeout')) as errors
            from analytics_marts.fct_agent_steps
            where step_type = 'tool_call' and conversation_id like '{scope}'
            group by all
        )
        select {id_column}, tool_name, truth.calls, steps.calls, truth.errors, steps.errors
        from {truth_table(name, table)} as truth
        full outer join steps using ({id_column}, tool_name)
        where truth.calls is distinct from cast(steps.calls as varchar)
        or truth.errors is distinct from cast(steps.errors as varchar)
        """
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize(
    ("truth_column", "fact_column"),
    [
        ("steps", "step_count"),
        ("llm_steps", "llm_call_count"),
        ("tool_steps", "tool_call_count"),
        ("tool_errors", "failed_step_count"),
        ("prompt_tokens", "input_tokens"),
        ("completion_tokens", "output_tokens"),
        ("cache_read", "cache_read_tokens"),
        ("cache_write", "cache_write_tokens"),
    ],
)
def test_claude_code_conversation_equals_truth(facts, truth_column, fact_column):
    wrong = facts.execute(
        f"""
        with conversations as (
            select conversation_id, sum({fact_column}) as total
            from analytics_marts.fct_agent_runs
            group by conversation_id
        )
        select truth.conversation_id, truth.{truth_column}, conversations.total
        from {truth_table("claude_code", "conversations")} as truth
        left join conversations using (conversation_id)
        where cast(truth.{truth_column} as bigint) is distinct from conversations.total
        """
    ).fetchall()
    assert wrong == []


def test_list_price_per_model_equals_truth(facts):
    wrong = facts.execute(
        f"""
        with models as (
            select conversation_id, model_name, sum(list_cost_usd) as cost
            from analytics_marts.fct_agent_steps
            where conversation_id like 'cc-%' and step_type = 'llm_call'
            group by all
        )
        select conversation_id, model_name, truth.list_cost_flat_cache_write, models.cost
        from {truth_table("claude_code", "list_price")} as truth
        full outer join models using (conversation_id, model_name)
        where abs(cast(truth.list_cost_flat_cache_write as double) - models.cost) > 1e-6
        or truth.list_cost_flat_cache_write is null
        or models.cost is null
        """
    ).fetchall()
    assert wrong == []


def test_annotated_decisive_step_is_found_where_it_failed_first(facts):
    wrong = facts.execute(
        f"""
        select truth.interaction_id, truth.mistake_agent, truth.mistake_step,
            runs.first_failing_agent, runs.first_failing_step_number
        from {truth_table("whowhen", "runs")} as truth
        inner join analytics_marts.fct_agent_runs as runs using (conversation_id, interaction_id)
        where truth.error_steps = '1' and truth.label_consistent = '1' and (
            truth.mistake_agent is distinct from runs.first_failing_agent
            or truth.mistake_step is distinct from cast(runs.first_failing_step_number as varchar)
        )
        """
    ).fetchall()
    assert wrong == []


def test_every_raw_row_is_accounted_for(facts):
    raw = sum(
        facts.execute(f"select count(*) from rudderstack.{table}").fetchone()[0]
        for (table,) in facts.execute(
            "select table_name from information_schema.tables "
            "where table_schema = 'rudderstack' and table_name like 'ai_%'"
        ).fetchall()
    )
    ledger = facts.execute(
        """
        select sum(raw_rows), sum(accepted_rows + duplicate_rows + quarantined_rows)
        from analytics_audit.audit_event_ledger
        """
    ).fetchone()
    assert ledger == (raw, raw)


@pytest.mark.parametrize("table", RECOMPUTED)
def test_rollup_is_what_the_facts_say(facts, table):
    """Computed from the facts by another way than the model's."""
    assert facts.execute(difference(table)).fetchall() == []
    (rows,) = facts.execute(f"select count(*) from analytics_marts.{table}").fetchone()
    assert (rows == 0) == (table in ONLY_GENERATED)
