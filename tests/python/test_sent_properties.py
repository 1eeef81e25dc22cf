"""Optional properties of events reach the facts when they are sent, and are null otherwise."""

from __future__ import annotations

import pytest

from tests.python.warehouses import UP_TO_FACTS, Warehouse, assert_refused, errors_of, story

MODELS = ("--resource-type", "seed", "--resource-type", "model", *UP_TO_FACTS)
VARIABLES = {"passthrough_columns": ["tenant_id", "seat_count"]}
RUNS = "select {} from analytics_marts.fct_agent_runs"

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("sent_properties")]


def with_properties():
    """Return the events of one run with everything that may be sent along."""
    rows = story()
    for table in rows.values():
        for row in table:
            row["seat_count"] = 12
    rows["ai_user_prompt_created"][0] |= {
        "tenant_id": "acme",
        "request_category": "Order status",
        "intent": "where_is_it",
        "context_traits_plan": "team",
    }
    rows["ai_interaction_completed"][0] |= {
        "tenant_id": "of the completion",
        "output_type": "Message",
        "result_location": "https://bob:secret@files.example/report.pdf?signature=abc#page=2",
    }
    for table in ("ai_agent_session_started", "ai_agent_session_completed"):
        rows[table][0]["agent_version"] = "2.1" if table.endswith("started") else "2.2"
    rows["ai_agent_step_completed"][0] |= {
        "time_to_first_token_ms": 320,
        "reasoning_tokens": 40,
        "agent_version": "2.3",
    }
    return rows


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a warehouse with one run that has all properties."""
    warehouse = Warehouse(tmp_path_factory.mktemp("sent_properties"))
    for table, rows in with_properties().items():
        warehouse.create(table, rows)
    result = warehouse.dbt("build", *MODELS, variables=VARIABLES)
    assert result.success, errors_of(result)
    return warehouse


def test_properties_of_a_run(built):
    """The prompt is believed before the completion; an address keeps nothing that may be secret."""
    assert built.records(
        RUNS.format(
            "tenant_id, seat_count, request_category, request_category_source, intent, plan_name, "
            "output_type, result_location"
        )
    ) == [
        {
            "tenant_id": "acme",
            "seat_count": "12",
            "request_category": "Order status",
            "request_category_source": "sent",
            "intent": "where_is_it",
            "plan_name": "team",
            "output_type": "message",
            "result_location": "https://files.example/report.pdf",
        }
    ]


def test_properties_of_sessions_and_steps(built):
    """A session has the version of its end; a step its own, else that of its session."""
    sessions = "select agent_version from analytics_marts.fct_agent_sessions"
    assert built.query(sessions) == [("2.2",)]
    steps = "select agent_version, time_to_first_token_ms, reasoning_tokens, output_tokens "
    assert built.query(steps + "from analytics_marts.fct_agent_steps order by step_number") == [
        ("2.3", 320, 40, 100),
        ("2.2", None, None, None),
        ("2.2", None, None, None),
    ]


def test_other_properties_need_a_build_of_everything(built):
    """Rows that were built without a property would lack it for good."""
    assert_refused(built.dbt("build", *MODELS, variables={"passthrough_columns": ["tenant_id"]}))
    result = built.dbt(
        "build", *MODELS, "--full-refresh", variables={"passthrough_columns": ["tenant_id"]}
    )
    assert result.success, errors_of(result)
    assert built.query(RUNS.format("tenant_id")) == [("acme",)]
