"""Use RudderStack's AI SDK as products do and write what it sends, one payload a line.

Runs in the environment `sdk`, which has the SDK and nothing of this project. The client stands for
rudder-sdk-python: it adds to each event what that adds.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rudderstack.ai import ai_interaction, ai_task, configure, track_action

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Client:
    """Collects payloads, a minute apart."""

    def __init__(self):
        self.payloads = []

    def track(self, *, user_id, anonymous_id, event, properties, context, timestamp=None):
        """Add one payload."""
        sent_at = (NOON + timedelta(minutes=len(self.payloads))).isoformat()
        payload = {
            "type": "track",
            "event": event,
            "messageId": f"m{len(self.payloads)}",
            "channel": "server",
            "originalTimestamp": sent_at,
            "timestamp": sent_at,
            "sentAt": sent_at,
            "properties": properties,
            "context": {**context, "library": {"name": "rudder-analytics-python", "version": "2"}},
        }
        payload |= {"userId": user_id} if user_id else {}
        payload |= {"anonymousId": anonymous_id} if anonymous_id else {}
        self.payloads.append(payload)
        return True, ""

    def flush(self):
        """Deliver nothing."""


def main():
    """Write the payloads of a few answers to the file named first."""
    client = Client()
    configure(analytics=client)
    # two agents with two models, one of which has no price: no total is sent
    with ai_interaction(
        user_id="u1", conversation_id="two agents", feature="support_bot"
    ) as answer:
        answer.record_call(
            provider="openai",
            model="gpt-4o-2024-08-06",
            agent_name="planner",
            input_tokens=1200,
            cached_input_tokens=200,
            output_tokens=100,
            cost_usd=0.00475,
        )
        answer.record_call(
            provider="anthropic",
            model="claude-sonnet-4-5",
            agent_name="writer",
            input_tokens=1000,
            cached_input_tokens=600,
            cache_write_tokens=100,
            output_tokens=50,
        )
        answer.set_intent("order_status")
    rated = {"conversation_id": "two agents", "interaction_id": answer.id, "user_id": "u1"}
    track_action(
        "feedback_given",
        action_details={"feedback_type": "thumbs", "feedback_value": True},
        **rated,
    )
    track_action("copied_response", **rated)
    # nobody waits for a job; the part of it that another agent does is a run of its own
    with ai_task("nightly_digest", trigger_source="schedule", conversation_id="job") as job:
        job.record_call(
            provider="openai",
            model="gpt-4o",
            input_tokens=1000,
            output_tokens=100,
            reasoning_tokens=40,
            cost_usd=0.0035,
        )
        with ai_task("fact_check") as child:
            child.record_call(
                provider="openai",
                model="gpt-4o",
                input_tokens=100,
                output_tokens=10,
                cost_usd=0.001,
            )
    with ai_interaction(user_id="u2", conversation_id="late", feature="support_bot") as answer:
        answer.record_call(provider="openai", model="gpt-4o", error_type="timeout")
    with ai_interaction(user_id="u2", conversation_id="cut off", feature="support_bot") as answer:
        answer.record_call(
            provider="openai",
            model="gpt-4o",
            input_tokens=10,
            output_tokens=16,
            finish_reason="length",
            cost_usd=0.0002,
        )
    # left before a model was asked: what it used is not known, and not nothing
    ai_interaction(user_id="u3", conversation_id="left", feature="support_bot").__enter__().end(
        status="cancelled"
    )
    with Path(sys.argv[1]).open("w", encoding="utf-8") as file:
        for payload in client.payloads:
            file.write(json.dumps(payload) + "\n")


if __name__ == "__main__":
    main()
