"""From runs to RudderStack track payloads, for all trace formats alike."""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable
from copy import copy
from functools import cache, lru_cache
from uuid import UUID

import msgspec

from scripts.importer.model import NO_FAILURE, NO_TOKENS, Failure, Run, Session, Tokens
from scripts.loader.times import Instant
from scripts.warehouse import PROJECT_DIR

LIBRARY_NAME = "agent-analytics-import"
LONGEST_ERROR_MESSAGE = 300
TIME_OUT_OF_RANGE = "event without a time of the years 1970 to 9999"
_NAMESPACE = UUID("3f0c2b1e-9d0a-5a52-8c3e-6a5d1b7e4f90")
_LAST_MILLISECOND = 253_402_300_799_999
_NOT_VERSION_5 = ~(0xF000_C000 << 48)
_VERSION_5 = 0x5000_8000 << 48
_CONTEXT = {"library": {"name": LIBRARY_NAME}}


class Event(msgspec.Struct, gc=False):
    """One payload as a line: when it happened, the bytes of its id, the line with its end."""

    at: int
    message_id: bytes
    line: bytes


class Properties(msgspec.Struct, gc=False, omit_defaults=True):
    """The properties of an event of any name, in the order of writing; None is left out."""

    conversation_id: str
    interaction_id: str
    workflow_name: str | None = None
    environment: str | None = None
    trigger_type: str | None = None
    agent_session_id: str | None = None
    parent_agent_session_id: str | None = None
    agent_name: str | None = None
    model_used: str | None = None
    step_id: str | None = None
    step_type: str | None = None
    status: str | None = None
    duration_ms: int | None = None
    response_id: str | None = None
    model_name: str | None = None
    tool_name: str | None = None
    finish_reason: str | None = None
    service_tier: str | None = None
    attempt_number: int | None = None
    prompt_text: str | None = None
    tool_input: str | None = None
    tool_output: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    total_cost: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    http_status: int | None = None
    action_type: str | None = None
    feedback_type: str | None = None
    feedback_value: str | None = None


class _Payload(msgspec.Struct, gc=False, omit_defaults=True, rename="camel"):
    type: str
    event: str
    message_id: str
    anonymous_id: str
    timestamp: str
    context: dict[str, dict[str, str]]
    properties: Properties
    user_id: str | None = None


class EventWriter:
    """Turns the runs of one format into events.

    Without `with_text` no text leaves the traces: prompts, tool inputs and tool outputs are left
    out, and error messages keep the phrases that failure rules look for, see `masked`. Without
    `error_text` error messages are left out, too. Events that cannot be placed in time are counted
    in `skipped`.
    """

    def __init__(
        self,
        format_name: str,
        skipped: Counter[str],
        *,
        with_text: bool = False,
        error_text: bool = True,
    ) -> None:
        """Write events whose ids are made from `format_name` and the ids of the format."""
        self._hashed_format = hashlib.sha1(_NAMESPACE.bytes + f"{format_name}|".encode())
        self.skipped = skipped
        self._with_text = with_text
        self._error_text = error_text

    def events(self, run: Run) -> list[Event]:
        """Return the events of a run: prompt, sessions, steps, completion, actions."""
        add = _Events(self, run)
        of_run = {
            "conversation_id": run.conversation_id,
            "interaction_id": run.interaction_id,
            "workflow_name": run.workflow_name,
            "environment": run.environment,
            "trigger_type": run.trigger_type,
        }
        if run.prompted_at is not None:
            text = run.prompt_text if self._with_text else None
            prompt = Properties(**of_run, prompt_text=text)
            add("prompt", "", "ai_user_prompt_created", run.prompted_at, prompt)
        first = min(run.sessions, key=_first_session, default=None)
        for session in run.sessions:
            of_session = Properties(
                **of_run,
                agent_session_id=session.agent_session_id,
                parent_agent_session_id=session.parent_agent_session_id,
                agent_name=session.agent_name,
            )
            # While its agent is not in the file yet, a run has a session that stands for it.
            identity = "" if session is first else f"|{session.agent_session_id}"
            self._add_session(session, identity, of_session, add)
        if run.status is not None and run.ended_at is not None:
            completed = Properties(
                **of_run,
                status=run.status,
                duration_ms=_duration(run.duration_ms),
                total_cost=_cost(_sum_of_costs(run.sessions)),
            )
            self._add_failure(completed, run.failure)
            add("run", "", "ai_interaction_completed", run.ended_at, completed)
        for action in run.actions:
            properties = Properties(
                **of_run,
                action_type=action.action_type,
                feedback_type=action.feedback_type,
                feedback_value=action.feedback_value,
            )
            add("action", f"|{action.action_id}", "ai_user_action", action.at, properties)
        return add.events

    def _add_session(
        self, session: Session, identity: str, of_session: Properties, add: _Events
    ) -> None:
        """Add the events of a session: start, steps, completion.

        `identity` tells it from the other sessions of its run.
        """
        started = copy(of_session)
        started.model_used = session.model_name
        name = "ai_agent_session_started"
        add("session-started", identity, name, session.started_at, started)
        for step in session.steps:
            # What all steps of a session share is copied, in half the time of giving it again.
            properties = copy(of_session)
            properties.step_id = step.step_id
            properties.step_type = step.step_type
            properties.status = step.status
            properties.duration_ms = _duration(step.duration_ms)
            properties.response_id = step.response_id
            properties.model_name = step.model_name
            properties.tool_name = step.tool_name
            properties.finish_reason = step.finish_reason
            properties.service_tier = step.service_tier
            properties.attempt_number = step.attempt_number
            if self._with_text:
                properties.tool_input = step.tool_input
                properties.tool_output = step.tool_output
            _add_usage(properties, step.tokens, step.cost_usd)
            self._add_failure(properties, step.failure)
            add("step", f"|{step.step_id}", "ai_agent_step_completed", step.ended_at, properties)
        if session.ended_at is not None:
            completed = copy(started)
            completed.status = session.status
            completed.duration_ms = _duration(session.duration_ms)
            _add_usage(completed, session.tokens, _sum_of_costs([session]))
            self._add_failure(completed, session.failure)
            name = "ai_agent_session_completed"
            add("session-completed", identity, name, session.ended_at, completed)

    def id_of(self, name: str) -> bytes:
        """Return the bytes of the UUID (version 5) of a name of this format.

        As uuid.uuid5 does it, in a third of the time.
        """
        hashed = self._hashed_format.copy()
        hashed.update(name.encode("utf-8", "surrogatepass"))
        number = int.from_bytes(hashed.digest()[:16])
        return (number & _NOT_VERSION_5 | _VERSION_5).to_bytes(16)

    def _add_failure(self, properties: Properties, failure: Failure) -> None:
        if failure is NO_FAILURE:
            return
        properties.error_type = failure.error_type
        properties.http_status = failure.http_status
        if self._error_text and failure.error_message is not None:
            message = failure.error_message[:LONGEST_ERROR_MESSAGE]
            properties.error_message = message if self._with_text else masked(message)


class _Events:
    """The events of one run."""

    def __init__(self, writer: EventWriter, run: Run) -> None:
        """Begin with no event."""
        self.events: list[Event] = []
        self._writer = writer
        self._interaction_id = run.interaction_id
        self._user_id = run.user_id
        self._anonymous_id = _uuid_text(writer.id_of(run.conversation_id))

    def __call__(
        self, kind: str, identity: str, name: str, at: int, properties: Properties
    ) -> None:
        """Add an event: its kind and its native id behind the run's, its name, time, properties."""
        if type(at) is not int or not 0 <= at <= _LAST_MILLISECOND:
            self._writer.skipped[TIME_OUT_OF_RANGE] += 1
            return
        message_id = self._writer.id_of(f"{kind}|{self._interaction_id}{identity}")
        payload = _Payload(
            "track",
            name,
            _uuid_text(message_id),
            self._anonymous_id,
            _iso(at),
            _CONTEXT,
            properties,
            self._user_id,
        )
        self.events.append(Event(at, message_id, _encode(payload) + b"\n"))


def _first_session(session: Session) -> tuple[bool, int, str]:
    return session.parent_agent_session_id is not None, session.started_at, session.agent_session_id


def _add_usage(properties: Properties, tokens: Tokens, cost_usd: float | None) -> None:
    if tokens is not NO_TOKENS:
        properties.prompt_tokens = tokens.input
        properties.completion_tokens = tokens.output
        properties.cache_read = tokens.cache_read
        properties.cache_write = tokens.cache_write
        properties.cache_write_1h_tokens = tokens.cache_write_1h
        properties.reasoning_tokens = tokens.reasoning
    if cost_usd is not None:
        properties.cost = _cost(cost_usd)


def _sum_of_costs(sessions: Iterable[Session]) -> float | None:
    """Return what sessions cost as far as the sender says, nothing when it says it of a part only.

    Steps that say nothing of money cost nothing, unless they say that tokens were used.
    """
    costs = []
    for session in sessions:
        # What a session says itself stands for its steps, which then are silent.
        for part in [session, *session.steps]:
            if part.cost_usd is not None:
                costs.append(part.cost_usd)
            elif (part.tokens.input or part.tokens.output) and session.cost_usd is None:
                return None
    return math.fsum(costs) if costs else None


def _duration(milliseconds: int | None) -> int | None:
    """Return a duration, and nothing where a clock ran backwards."""
    return milliseconds if milliseconds is not None and milliseconds >= 0 else None


def _cost(usd: float | None) -> float | None:
    """Return a cost that RudderStack stores as a fraction, nothing for 0.

    A column has the type of its first value, so a whole number would cut all later fractions. It
    gets a fraction too small for the nine decimals that amounts are kept with.
    """
    if usd is None or usd == 0 or not math.isfinite(usd):
        return None
    if float(usd).is_integer():
        return float(usd) + max(1e-10, math.ulp(float(usd)))
    return usd


def _uuid_text(content: bytes) -> str:
    text = content.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_encode = msgspec.json.Encoder().encode


_ENDS_OF_TIMES = tuple(f".{milliseconds:03d}Z" for milliseconds in range(1000))


def _iso(at: int) -> str:
    return _second(at // 1000) + _ENDS_OF_TIMES[at % 1000]


@lru_cache(maxsize=10_000)
def _second(seconds: int) -> str:
    return Instant(seconds * 1000).text()[:-5]


@lru_cache(maxsize=10_000)
def masked(message: str) -> str:
    """Return an error message in which only the phrases that failure rules look for are readable.

    Every other letter becomes x and every other digit 0, so that a rule finds the same as in the
    message itself, whose names, paths and values stay where they are.
    """
    text = message.lower()
    readable = bytearray(len(text)) if len(text) == len(message) else bytearray()
    if not readable:
        # A letter whose small form is longer, so that places differ: rules compare small letters.
        message, readable = text, bytearray(len(text))
    for pattern in _rule_patterns():
        for found in pattern.finditer(text):
            spans = [found.span(), *(found.span(n) for n in range(1, pattern.groups + 1))]
            (start, end), *wild = spans
            keep = bytearray(b"\x01" * (end - start))
            for wild_start, wild_end in wild:
                keep[max(wild_start - start, 0) : max(wild_end - start, 0)] = bytes(
                    max(wild_end - wild_start, 0)
                )
            for place, is_kept in enumerate(keep, start):
                readable[place] |= is_kept
    return "".join(
        character if is_kept else _mask(character)
        for character, is_kept in zip(message, readable, strict=True)
    )


def _mask(character: str) -> str:
    if character.isdigit():
        return "0"
    return "x" if character.isalpha() else character


@cache
def _rule_patterns() -> tuple[re.Pattern[str], ...]:
    """Return what the failure rules look for in messages; what a pattern leaves open is a group."""
    path = PROJECT_DIR / "seeds/taxonomy/failure_mode_rules.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        rules = [rule for rule in csv.DictReader(lines) if rule["match_field"] == "error_message"]
    return tuple(
        re.compile(
            _open_parts_as_groups(rule["pattern"])
            if rule["match_type"] == "regex"
            else re.escape(rule["pattern"])
        )
        for rule in rules
    )


def _open_parts_as_groups(pattern: str) -> str:
    """Return a pattern whose only groups with a number are those that match anything.

    Those are classes with a quantifier and the dot with one: `.{0,80}`, `[a-z]+`.
    """
    without_groups = re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)
    return re.sub(r"((?<!\\)\.|\[\^?[a-z-]{2,}[^\]]*\])(\{[^}]*\}|[+*])", r"(\1\2)", without_groups)
