"""The common model between the trace formats and the events: runs, agent sessions, steps.

A reader of a format turns files into records (small, order does not matter, the same record may
come twice) and a group of records into runs. The rest is done once, for all formats: records that
share a key are brought together, runs become events, events are ordered and written.

All times are milliseconds since 1970 in UTC, whole numbers. None means that the sender says
nothing; it is never 0. Token classes are disjoint: input without cached tokens, cache reads, cache
writes (those kept for an hour are part of them), output with reasoning inside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

# What a record holds: anything that JSON can carry, so that it can wait on disk for its group.
Fields = dict[str, Any]


class Record(msgspec.Struct, gc=False):
    """One line, span or observation, cut to what its run needs.

    `keys` say what it belongs to (a trace, a conversation, a message): records that share a key,
    directly or through others, are assembled together, whatever file or order they came in.
    """

    keys: tuple[str, ...]
    fields: Fields


class Tokens(NamedTuple):
    """Disjoint token counts of one call or session, null where the sender says nothing."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None


class Failure(NamedTuple):
    """What the sender tells of a failure."""

    error_type: str | None = None
    error_message: str | None = None
    http_status: int | None = None


# Shared by all that says nothing of tokens or failed in no way: most steps are one of the two.
NO_TOKENS = Tokens()
NO_FAILURE = Failure()


class Step(msgspec.Struct):
    """One model call, tool call or other operation of an agent session."""

    step_id: str
    step_type: str
    ended_at: int
    status: str
    duration_ms: int | None = None
    response_id: str | None = None
    model_name: str | None = None
    tool_name: str | None = None
    tokens: Tokens = NO_TOKENS
    cost_usd: float | None = None
    finish_reason: str | None = None
    service_tier: str | None = None
    attempt_number: int | None = None
    failure: Failure = NO_FAILURE
    tool_input: str | None = None
    tool_output: str | None = None


class Session(msgspec.Struct):
    """One execution of one agent inside a run.

    `tokens` and `cost_usd` are set only when no step below says any: money and tokens count once.
    Without `ended_at` the session has not ended and gets no completion event.
    """

    agent_session_id: str
    agent_name: str
    started_at: int
    ended_at: int | None
    status: str | None = None
    duration_ms: int | None = None
    parent_agent_session_id: str | None = None
    model_name: str | None = None
    tokens: Tokens = NO_TOKENS
    cost_usd: float | None = None
    failure: Failure = NO_FAILURE
    steps: list[Step] = msgspec.field(default_factory=list)


class Action(msgspec.Struct):
    """A user's reaction to a run.

    Feedback, or an interruption with `action_type` interrupted.
    """

    action_id: str
    action_type: str
    at: int
    feedback_type: str | None = None
    feedback_value: str | None = None


class Run(msgspec.Struct):
    """One delegated task, from trigger to outcome.

    Without `status` the end is not known and the run gets no completion event. `prompted_at` is
    set when a user's message is known; it makes the prompt event.
    """

    conversation_id: str
    interaction_id: str
    started_at: int
    ended_at: int | None
    sessions: list[Session] = msgspec.field(default_factory=list)
    status: str | None = None
    duration_ms: int | None = None
    prompted_at: int | None = None
    prompt_text: str | None = None
    trigger_type: str | None = None
    workflow_name: str | None = None
    environment: str | None = None
    user_id: str | None = None
    failure: Failure = NO_FAILURE
    actions: list[Action] = msgspec.field(default_factory=list)


class Counts:
    """What was read and what was left out, by reason or kind; printed after an import.

    `read` counts units of the format (lines, spans, observations) that became a record,
    `skipped` those that did not, by reason. Each unit is counted in exactly one of them.
    """

    def __init__(self) -> None:
        """Begin with nothing read."""
        self.read = 0
        self.skipped: Counter[str] = Counter()


class Reader(Protocol):
    """What each format provides. `name` is what --from takes and message ids are made from.

    `with_text` asks for prompts, tool inputs and tool outputs, `error_text` for error messages;
    what is not asked for need not be kept.
    """

    name: str
    with_text: bool = False
    error_text: bool = True

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether a file is of this format, from its path and first 64 KiB, unpacked."""

    def read(self, path: Path, chunks: Iterable[bytes], counts: Counts) -> Iterator[Record]:
        """Yield the records of one file. `chunks` are its lines, unpacked, read once, in order.

        Never raises for what a file holds: what cannot be read is counted in `counts.skipped`.
        """

    def assemble(self, records: Sequence[Fields], counts: Counts) -> Iterator[Run]:
        """Yield the runs of one group of records, which come in any order and may repeat.

        The same records in another order give the same runs.
        """
