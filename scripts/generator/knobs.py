"""What can be switched on: kinds of dirt, and patterns that the marts have to find."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.warehouse import fail


@dataclass(frozen=True)
class Knob:
    """One kind of dirt or pattern: its usual rate, what that is a share of, and what happens."""

    rate: float
    share_of: str
    effect: str


KNOBS: dict[str, Knob] = {
    "duplicates": Knob(
        0.03,
        "events",
        "delivered again later with the same messageId: in Parquet a second row with the same id; "
        "as NDJSON in events_redelivered.ndjson, because one load never keeps both",
    ),
    "late_arrival": Knob(0.05, "events", "received up to ten days after it happened"),
    "out_of_order": Knob(0.20, "events", "written far from its place in the order of arrival"),
    "missing_session_started": Knob(0.05, "agent sessions", "no session-started event"),
    "missing_session_completed": Knob(0.05, "agent sessions", "no session-completed event"),
    "missing_interaction_completed": Knob(0.05, "runs", "no interaction-completed event"),
    "missing_prompt": Knob(0.05, "runs", "no prompt event"),
    "standard_events_only": Knob(
        0.10, "runs", "only prompt, responses, completion and actions: no session or step events"
    ),
    "missing_conversation_id": Knob(
        0.02,
        "events",
        "no conversation_id: repairable, or ambiguous where ids restart in every conversation",
    ),
    "missing_interaction_id": Knob(
        0.02, "events", "no interaction_id: repairable through the session id, or not"
    ),
    "orphan_steps": Knob(
        0.03, "agent sessions", "steps only: no session event, in half of them no response either"
    ),
    "conflicting_completions": Knob(
        0.03, "runs and agent sessions", "a second, later completion with another status"
    ),
    "clock_skew": Knob(
        0.02,
        "events",
        "timestamp days ahead of receivedAt, or (NDJSON) a timestamp that is no time at all",
    ),
    "unknown_models": Knob(0.05, "agent sessions", "a model nobody has a price for"),
    "cached_token_conventions": Knob(
        0.15,
        "agent sessions with a caching model",
        "cached tokens beside the prompt tokens whatever the provider's convention says, "
        "provably so because there are more of them",
    ),
    "reused_ids": Knob(
        0.20, "conversations", "interaction and session ids that restart: int_1, session_1, ..."
    ),
    "wrong_types": Knob(
        0.03,
        "steps, agent sessions, runs and conversations",
        "cost and duration as text in number columns (RudderStack discards them: null), numeric "
        "conversation ids, feedback values as booleans and numbers in a text column",
    ),
    "zero_cost_with_tokens": Knob(
        0.03, "steps, agent sessions and runs that send a cost", "cost 0 although tokens were used"
    ),
    "negative_cost": Knob(
        0.01, "steps, agent sessions and runs that send a cost", "cost below zero"
    ),
    "pii_canaries": Knob(
        0.02,
        "events",
        "a unique CANARY-... text in a sensitive property, listed in truth/canaries.txt",
    ),
    "blank_ids": Knob(
        0.01,
        "events",
        "conversation, interaction or session id empty or only spaces; in Parquet also no event "
        "id (RudderStack's gateway fills a blank messageId, so NDJSON cannot have that)",
    ),
}


PATTERNS: dict[str, Knob] = {
    "loops": Knob(
        0.05,
        "runs with tools, and runs of data_analysis",
        "an agent calls one tool with one input again and again; two agents of data_analysis send "
        "the work back and forth",
    ),
    "model_switch": Knob(
        1.0, "sessions of triage_agent", "gpt-4.1 until a known day, from then on gpt-4.1-mini"
    ),
    "model_trial": Knob(
        0.4,
        "conversations with inbox_assistant",
        "gpt-4.1-mini is tried instead of gpt-4o, and its answers fail more often",
    ),
    "version_release": Knob(
        1.0,
        "sessions of web_researcher from the day of the release on",
        "all agents send their version; 2.0.0 of web_researcher fails more often, writes more and "
        "takes longer than 1.0.0",
    ),
    "anomalies": Knob(
        1.0,
        "the full effect",
        "single days of customer_support with many more runs, dear answers, failures and slow "
        "answers; no other day is slow",
    ),
    "slowdown": Knob(
        1.0,
        "the full effect",
        "from a known day on all agents of data_analysis take ten times as long",
    ),
    "flexible_order": Knob(
        0.4,
        "runs of customer_support with knowledge_agent and account_agent",
        "one of the two begins when the other has ended, either of them; else they run side by "
        "side",
    ),
    "plans": Knob(0.3, "users", "are on plan pro, the others on plan starter; some move up"),
    "outcomes": Knob(
        0.25,
        "users and weeks with a run that succeeded",
        "the user orders or renews a few days later: track events order_completed and "
        "subscription_renewed",
    ),
    "retention": Knob(
        0.45,
        "users in the week after their first one",
        "come back; less in each further week. Every week has new users",
    ),
}
# The patterns that need days before and after the ones they change.
DATED_PATTERNS = ("model_switch", "version_release", "anomalies", "slowdown")
LEAST_PATTERN_DAYS = 60


def parse_dirt(texts: list[str], everything: bool) -> dict[str, float]:
    """Return rates by knob from `KNOB` and `KNOB=RATE` texts; `everything` starts with all on.

    Exits with one line when a knob is unknown or a rate is no number between 0 and 1.
    """
    return _parse(KNOBS, "kind of dirt", "dirt", texts, everything)


def parse_patterns(texts: list[str], everything: bool, day_count: int) -> dict[str, float]:
    """Return strengths by pattern as `parse_dirt` does; exits also when the days do not suffice."""
    rates = _parse(PATTERNS, "pattern", "pattern", texts, everything)
    dated = [name for name in DATED_PATTERNS if name in rates]
    if dated and day_count < LEAST_PATTERN_DAYS:
        fail(f"--pattern {dated[0]} needs a longer history: --days {LEAST_PATTERN_DAYS} or more")
    return rates


def _parse(
    knobs: dict[str, Knob], kind: str, option: str, texts: list[str], everything: bool
) -> dict[str, float]:
    rates = {name: knob.rate for name, knob in knobs.items()} if everything else {}
    for text in texts:
        name, separator, value = text.partition("=")
        if name not in knobs:
            fail(f"--{option} {text}: no {kind} is called {name!r}; --list-{option} names all")
        rate = knobs[name].rate
        if separator:
            try:
                rate = float(value)
            except ValueError:
                fail(f"--{option} {text}: the rate {value!r} is no number; write it as {name}=0.05")
            if not 0 <= rate <= 1:
                fail(f"--{option} {text}: the rate must lie between 0 and 1")
        rates[name] = rate
    return {name: rate for name, rate in sorted(rates.items()) if rate > 0}
