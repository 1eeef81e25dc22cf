"""Payloads that RudderStack's AI SDK itself makes are the same facts as those of agents.

sdk_payloads.py makes them, in an environment of its own.
"""

from __future__ import annotations

import subprocess
from decimal import Decimal

import pytest

from scripts import load_events
from scripts.warehouse import PROJECT_DIR
from tests.python.warehouses import Warehouse, errors_of

RUNS = "analytics_marts.fct_agent_runs"
SESSIONS = "analytics_marts.fct_agent_sessions"

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("sdk_events")]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a warehouse with what the SDK sent."""
    prepared = subprocess.run(
        ["scripts/ci/prepare_environment", "sdk"],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if prepared.returncode:
        pytest.skip(f"the SDK cannot be used here: {prepared.stderr.strip()}")
    folder = tmp_path_factory.mktemp("sdk_events")
    payloads = folder / "payloads.ndjson"
    interpreter = PROJECT_DIR / ".venv-sdk/bin/python"
    script = PROJECT_DIR / "tests/python/sdk_payloads.py"
    subprocess.run([interpreter, script, payloads], check=True, capture_output=True)
    warehouse = Warehouse(folder)
    assert load_events.main([str(payloads), "--warehouse", str(warehouse.path)]) == 0
    result = warehouse.dbt("build", "--exclude-resource-type", "unit_test")
    assert result.success, errors_of(result)
    return warehouse


def test_runs(built):
    """One run per answer: who asked, how it ended, what it used; unknown is null and not 0."""
    found = built.query(
        "select workflow_name, trigger_type, execution_mode, run_status, input_tokens, "
        "cache_read_tokens, cache_write_tokens, output_tokens, cost_usd, anonymous_id "
        f"from {RUNS} order by conversation_id, workflow_name"
    )
    half_a_cent = Decimal("0.0035")
    assert found == [
        ("support_bot", "user", "sync", "partial_success", 10, 0, 0, 16, Decimal("0.0002"), None),
        ("fact_check", "agent", "async", "success", 100, 0, 0, 10, Decimal("0.001"), None),
        ("nightly_digest", "schedule", "async", "success", 1000, 0, 0, 100, half_a_cent, None),
        ("support_bot", "user", "sync", "timeout", 0, 0, 0, 0, None, None),
        ("support_bot", "user", "sync", "cancelled", None, None, None, None, None, None),
        ("support_bot", "user", "sync", "success", 1300, 800, 100, 150, Decimal("0.006955"), None),
    ]


def test_sessions(built):
    """Each agent and model of an answer is a session; all input tokens include cached ones.

    The writer has no reported cost: 300 x 3 + 600 x 0.3 + 100 x 3.75 + 50 x 15 = 2,205 millionths.
    """
    found = built.query(
        "select agent_name, canonical_model, session_status, input_tokens, cache_read_tokens, "
        f"cost_usd, cost_basis from {SESSIONS} where conversation_id = 'two agents' order by 1"
    )
    assert found == [
        ("planner", "gpt-4o-2024-08-06", "success", 1000, 200, Decimal("0.00475"), "reported"),
        ("writer", "claude-sonnet-4-5", "success", 300, 600, Decimal("0.002205"), "list_price"),
    ]


def test_answer_to_an_agent_has_a_parent(built):
    """The part of a job is a run that the job started."""
    assert built.query(
        f"select children.workflow_name, parents.workflow_name from {RUNS} as children "
        f"inner join {RUNS} as parents on children.parent_run_key = parents.run_key"
    ) == [("fact_check", "nightly_digest")]


def test_what_users_did(built):
    """The SDK's words for actions are known, and so is the intent that it sends with the answer."""
    assert built.query(
        f"select rating, copied_count, request_category from {RUNS} "
        "where conversation_id = 'two agents'"
    ) == [(1.0, 1, "order_status")]


def test_failures_have_a_mode(built):
    """A call that timed out and an answer that was cut off are found by the rules."""
    assert built.query(
        f"select conversation_id, failure_mode from {RUNS} where failure_mode is not null "
        "order by conversation_id"
    ) == [("cut off", "output_truncated"), ("late", "provider_timeout"), ("left", "user_cancelled")]


def test_reserved_word_is_read_with_its_underscore(built):
    """On Snowflake and in S3 data lakes RudderStack writes `_trigger`, and `trigger` elsewhere."""
    answers = (
        "select event_id, trigger_type from analytics_staging.stg_rudderstack__answers order by all"
    )
    table = "rudderstack.ai_response_received"
    before = built.query(answers)
    assert len({kind for _, kind in before}) > 1
    for old, new in (("trigger", "_trigger"), ("_trigger", "trigger")):
        built.query(f"alter table {table} rename column {old} to {new}")
        result = built.dbt("run", "--select", "stg_rudderstack__answers")
        assert result.success, errors_of(result)
        assert built.query(answers) == before, new


def test_every_row_is_accounted_for(built):
    """All rows of the three tables are accepted."""
    assert built.query(
        "select sum(raw_rows), sum(accepted_rows) from analytics_audit.audit_event_ledger"
    ) == [(12, 12)]
