"""What the articles behind this project send and say, as payloads of RudderStack's SDKs.

One article specifies the events with a conversation of a customer data platform's assistant, the
other says what a run of an agent is. Where they write no value, none is sent.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

CONVERSATION = "conv_abc123"
TEN_O_CLOCK = datetime(2026, 2, 28, 10, tzinfo=UTC)
# of the agent and of the step that failed, at "2:14 PM"
FAILED_AT = datetime(2026, 2, 28, 14, 14, tzinfo=UTC)

# What the query builder used; its end and its response both say so.
EFFORT = {
    "duration_ms": 1850,
    "steps_count": 3,
    "model_used": "gpt-4-turbo",
    "cost": 0.018,
    "tokens_used": {
        "prompt_tokens": 150,
        "completion_tokens": 95,
        "cache_read": 245,
        "cache_write": 12236,
    },
    "tools_used": ["sql_validator", "warehouse_query"],
}


def track(message_id, sent_at, event, user_id="user-1", **properties):
    """Return one payload; RudderStack takes none that names neither a user nor a device."""
    moment = sent_at.isoformat()
    return {
        "type": "track",
        "messageId": message_id,
        **({"userId": user_id} if user_id else {"anonymousId": "no user"}),
        "event": event,
        "properties": properties,
        "originalTimestamp": moment,
        "sentAt": moment,
        "receivedAt": moment,
    }


def conversation():
    """Return the conversation about a segment: two questions and four agents."""
    sent = []

    def send(milliseconds, event, interaction, session=None, **properties):
        ids = {"conversation_id": CONVERSATION, "interaction_id": interaction}
        ids |= {"agent_session_id": session} if session else {}
        moment = TEN_O_CLOCK + timedelta(milliseconds=milliseconds)
        sent.append(track(f"document-{len(sent)}", moment, event, **ids, **properties))

    def step(milliseconds, session, step_type, **properties):
        send(
            milliseconds,
            "ai_agent_step_completed",
            "int_1",
            session,
            step_type=step_type,
            status="success",
            **properties,
        )

    send(
        0,
        "ai_user_prompt_created",
        "int_1",
        prompt_text="Build a segment of high-value customers",
        input_method="text",
    )
    send(100, "ai_agent_session_started", "int_1", "session_1", agent_name="planner")
    send(
        900,
        "ai_agent_session_completed",
        "int_1",
        "session_1",
        agent_name="planner",
        status="success",
    )
    send(
        1000,
        "ai_agent_session_started",
        "int_1",
        "session_2",
        agent_name="query_builder",
        prompt_text="Generate SQL for high-value customer segment with lookback_days: 30",
        model_used="gpt-4-turbo",
    )
    step(
        2200,
        "session_2",
        "llm_call",
        model_name="gpt-4-turbo",
        prompt_tokens=150,
        completion_tokens=95,
        total_tokens=245,
        response_text="Generated SQL query structure",
        duration_ms=1200,
    )
    step(2200, "session_2", "tool_call", tool_name="sql_validator")
    step(
        2850,
        "session_2",
        "tool_call",
        tool_name="warehouse_query",
        tool_input={"query": "SELECT * FROM customers WHERE value > 1000"},
        tool_output={"rows_returned": 1247, "execution_time_ms": 120},
        duration_ms=650,
    )
    send(
        2850,
        "ai_agent_session_completed",
        "int_1",
        "session_2",
        agent_name="query_builder",
        status="success",
        response_text="Generated and validated SQL query: SELECT * FROM...",
        **EFFORT,
    )
    send(
        2850,
        "ai_agent_response_received",
        "int_1",
        agent_name="query_builder",
        response_status="success",
        response_text="Generated SQL query: SELECT * FROM customers WHERE...",
        **EFFORT,
    )
    send(2900, "ai_agent_session_started", "int_1", "session_3", agent_name="validator")
    step(3400, "session_3", "llm_call")
    step(3900, "session_3", "tool_call")
    send(
        4000,
        "ai_agent_session_completed",
        "int_1",
        "session_3",
        agent_name="validator",
        status="success",
    )
    send(
        4250,
        "ai_interaction_completed",
        "int_1",
        status="success",
        final_response_text="I've created a segment with 1,247 high-value customers...",
        agents_used=["planner", "query_builder", "validator"],
        duration_ms=4250,
        agents_count=3,
        steps_count=8,
        total_cost=0.045,
        tokens_used={
            "prompt_tokens": 450,
            "completion_tokens": 380,
            "cache_read": 245,
            "cache_write": 12236,
        },
    )
    send(
        30_000,
        "ai_user_action",
        "int_1",
        action_type="feedback_given",
        action_details={
            "feedback_type": "rating",
            "feedback_value": 5,
            "feedback_text": "Perfect! Exactly what I needed",
        },
    )
    # the second question, ten minutes into the conversation at most
    send(
        60_000,
        "ai_user_prompt_created",
        "int_2",
        prompt_text="Can you add only customers from California?",
    )
    send(60_100, "ai_agent_session_started", "int_2", "session_4", agent_name="query_modifier")
    send(
        61_000,
        "ai_agent_session_completed",
        "int_2",
        "session_4",
        agent_name="query_modifier",
        status="success",
    )
    send(
        61_100,
        "ai_interaction_completed",
        "int_2",
        status="success",
        final_response_text="Updated! Now showing 342 California customers...",
    )
    return sent


def broken_chain():
    """Return the run in which one agent handed an extraction to another, which failed."""
    ids = {"conversation_id": "contract", "interaction_id": "summary"}
    parent = ids | {"agent_session_id": "parent", "agent_name": "agent_a"}
    child = ids | {"agent_session_id": "child", "agent_name": "agent_b"}
    minute = timedelta(minutes=1)
    return [
        track(f"contract-{number}", FAILED_AT + after, event, **properties)
        for number, (after, event, properties) in enumerate(
            [
                (-2 * minute, "ai_user_prompt_created", ids | {"intent": "summarize_contract"}),
                (-2 * minute, "ai_agent_session_started", parent),
                (
                    -minute,
                    "ai_agent_session_started",
                    child | {"parent_agent_session_id": "parent"},
                ),
                (
                    timedelta(),
                    "ai_agent_step_completed",
                    child | {"step_type": "tool_call", "tool_name": "extract", "status": "timeout"},
                ),
                (timedelta(), "ai_agent_session_completed", child | {"status": "error"}),
                (timedelta(), "ai_agent_session_completed", parent | {"status": "error"}),
                (timedelta(), "ai_interaction_completed", ids | {"status": "error"}),
            ]
        )
    ]


def chain(length):
    """Return runs that each started the next one; a schedule started the first, and no user."""
    return [
        track(
            f"chain-{number}",
            FAILED_AT + timedelta(minutes=number),
            "ai_interaction_completed",
            user_id=None,
            conversation_id="chain",
            interaction_id=f"run-{number}",
            status="success",
            **(
                {"parent_interaction_id": f"run-{number - 1}"}
                if number
                else {"trigger_type": "schedule"}
            ),
        )
        for number in range(length)
    ]


def runs_of_a_month(user_id, number_of_runs):
    """Return runs of 0.03 $ each of a user who sent no plan: the default one costs 10 $ a month."""
    return [
        track(
            f"{user_id}-{number}",
            TEN_O_CLOCK + timedelta(seconds=number),
            "ai_interaction_completed",
            user_id=user_id,
            conversation_id=user_id,
            interaction_id=f"run-{number}",
            status="success",
            total_cost=0.03,
        )
        for number in range(number_of_runs)
    ]


def write_payloads(path):
    """Write all payloads to a file, one a line."""
    payloads = [
        *conversation(),
        *broken_chain(),
        *chain(5),
        *runs_of_a_month("within", 333),
        *runs_of_a_month("above", 334),
    ]
    path.write_text("".join(json.dumps(payload) + "\n" for payload in payloads))
