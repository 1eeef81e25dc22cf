"""What the formats share that are trees of observations: spans, and how a trace becomes a run.

A reader turns each of its observations into a `Span` (as the fields of a record: only what is
known). `assemble` turns the spans of one trace into a run:

* an agent span is a session, unless it only wraps: it has no step of its own and other agents
  below it;
* a model span is a step unless another one lies below it with no agent or tool between: one call
  is often reported by several instrumentations. The innermost says how long it took; usage is
  taken from the innermost that has any. Embeddings likewise; of nested spans of one tool the outer
  counts;
* a step belongs to the nearest agent above it that is a session, one with no agent above it to the
  only session of the trace, else to a session named after the service;
* sums that agents report are dropped where something below them reports usage.

Handoffs and spans of other kinds (HTTP, queues) are no steps; they only link what is above and
below them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from scripts.importer.model import (
    NO_FAILURE,
    NO_TOKENS,
    Action,
    Failure,
    Fields,
    Run,
    Session,
    Step,
    Tokens,
)

AGENT = "agent"
# A workflow, or the creation of an agent: a session only where steps lie directly in it.
WORKFLOW = "workflow"
MODEL = "llm_call"
EMBEDDING = "embedding"
TOOL = "tool_call"
# The execution inside a tool call: no call of its own, but it knows whether that one failed.
TOOL_PART = "tool_part"
HANDOFF = "handoff"
OTHER = "other"
_AGENTS = frozenset({AGENT, WORKFLOW})
# The fields of a span that only links others.
_ONLY_LINKS = frozenset({"trace_id", "id", "parent_id"})
# What may lie between two spans of one call.
_BETWEEN = frozenset({TOOL_PART, HANDOFF, OTHER})
NO_STEPS = frozenset({AGENT, WORKFLOW, TOOL_PART, HANDOFF, OTHER})

SUCCESS = "success"
ERROR = "error"
IN_PROGRESS = "in_progress"

NANOSECONDS_PER_MILLISECOND = 1_000_000


class Span(msgspec.Struct, eq=False, gc=False):
    """One observation of a trace. Times are nanoseconds since 1970; tokens as in `Tokens`."""

    id: str
    trace_id: str
    parent_id: str | None = None
    kind: str = OTHER
    name: str = ""
    start: int | None = None
    end: int | None = None
    is_error: bool = False
    error_type: str | None = None
    error_message: str | None = None
    http_status: int | None = None
    agent_name: str | None = None
    tool_name: str | None = None
    model_name: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    service_tier: str | None = None
    attempt_number: int | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    workflow_name: str | None = None
    environment: str | None = None
    service_name: str | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cost_usd: float | None = None
    prompt_text: str | None = None
    tool_input: str | None = None
    tool_output: str | None = None
    updated_at: str | None = None

    @property
    def tokens(self) -> Tokens:
        """The token counts that this span reports."""
        if not self.has_tokens and self.cache_write_1h is None and self.reasoning is None:
            return NO_TOKENS
        return Tokens(
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.reasoning,
        )

    def set_tokens(self, tokens: Tokens) -> None:
        """Replace all token counts."""
        for name, count in tokens._asdict().items():
            setattr(self, name, count)

    @property
    def has_tokens(self) -> bool:
        """Whether this span reports any token count."""
        return not (
            self.input is None
            and self.output is None
            and self.cache_read is None
            and self.cache_write is None
        )

    @property
    def has_usage(self) -> bool:
        """Whether this span reports tokens or money."""
        return self.cost_usd is not None or self.has_tokens

    @property
    def failure(self) -> Failure:
        """What this span tells of its failure, nothing when it did not fail."""
        if not self.is_error:
            return NO_FAILURE
        return Failure(self.error_type, self.error_message, self.http_status)

    @property
    def duration_ms(self) -> int | None:
        """Whole milliseconds from start to end."""
        if self.start is None or self.end is None or self.end < self.start:
            return None
        return (self.end - self.start) // NANOSECONDS_PER_MILLISECOND

    def take_failure_of(self, part: Span) -> None:
        """Fail as a part of this span did, unless it tells of a failure itself."""
        if not self.is_error:
            self.is_error = True
            self.error_type, self.error_message = part.error_type, part.error_message
            self.http_status = part.http_status


@dataclass
class TraceFacts:
    """What is known of a trace beside its spans, and what its format takes for its end."""

    trace_id: str
    conversation_id: str | None = None
    user_id: str | None = None
    workflow_name: str | None = None
    environment: str | None = None
    session_name: str | None = None
    prompt_text: str | None = None
    actions: list[Action] = field(default_factory=list)
    # Whether spans above all agents belong to the run and say how it ended.
    root_is_run: bool = False


def merged(records: Sequence[Fields]) -> Sequence[Fields]:
    """Return one record per span.

    A span may be delivered twice, once without its end or without some groups of fields: what any
    delivery says is kept. Where they differ, one that knows the kind of span counts before one
    that does not, then one with an end, then the one renewed last, then the longer one.
    """
    if len({record["id"] for record in records}) == len(records):
        return records
    by_id: dict[str, list[Fields]] = {}
    for record in records:
        by_id.setdefault(record["id"], []).append(record)
    return [_merge(one) if len(one) > 1 else one[0] for one in by_id.values()]


_OF_FAILURE = frozenset({"is_error", "error_type", "error_message", "http_status"})


def _merge(records: list[Fields]) -> Fields:
    def rank(record: Fields) -> tuple[bool, bool, str, int, str]:
        return (
            record.get("kind", OTHER) != OTHER,
            "end" in record,
            record.get("updated_at", ""),
            len(record),
            json.dumps(record, sort_keys=True),
        )

    ranked = sorted(records, key=rank)
    together: Fields = {}
    for record in ranked:
        together |= record
    # Whether it failed is not put together: a later delivery may say that it did not.
    return {
        name: value
        for name, value in together.items()
        if name not in _OF_FAILURE or name in ranked[-1]
    }


def assemble(records: Sequence[Fields], facts: TraceFacts) -> Run | None:
    """Return the run that the spans of one trace make, None when no agent had a part in it."""
    together = merged(records)
    if not facts.root_is_run and all(one.get("kind", OTHER) == OTHER for one in together):
        return None
    return _Trace(together, facts).run()


class _Trace:
    """The tree of one trace."""

    def __init__(self, records: Sequence[Fields], facts: TraceFacts) -> None:
        self.facts = facts
        # By start, then id. Of spans of other kinds only those that say something of the trace.
        self.spans = sorted(
            [
                Span(**record)
                for record in records
                if facts.root_is_run or not record.keys() <= _ONLY_LINKS
            ],
            key=_start_and_id,
        )
        self._known = [span for span in self.spans if span.kind != OTHER]
        agents = [span for span in self._known if span.kind in _AGENTS]
        for span in agents:
            # Agents report sums: one of nothing, where a call failed, tells nothing.
            if span.has_tokens and not any(span.tokens):
                span.set_tokens(NO_TOKENS)
        parents = _parents(records)
        self._roots = [span for span in self.spans if span.id not in parents]
        self._above = _nearest_known(self._known, parents)
        self._agent_above = self._nearest_above({span.id for span in agents})
        self.steps = self._steps()
        self._own_steps: dict[str, list[Span]] = {}
        self._orphans: list[Span] = []
        for span in self.steps:
            agent = self._agent_above[span.id]
            if agent is None:
                self._orphans.append(span)
            else:
                self._own_steps.setdefault(agent.id, []).append(span)
        # A workflow that neither wraps an agent nor has steps of its own says nothing.
        self._wrapping = self._agents_above(
            span for span in agents if span.kind == AGENT or span.id in self._own_steps
        )
        self.agents = [
            span
            for span in agents
            if span.kind == AGENT or span.id in self._own_steps or span.id in self._wrapping
        ]
        self._tops = [span for span in self.agents if self._agent_above[span.id] is None]
        self._reported_below = self._agents_above(
            span for span in [*self.steps, *self.agents] if span.has_usage
        )
        self.sessions = [span for span in self.agents if self._is_session(span)]
        self._session_ids = {span.id for span in self.sessions}

    def _nearest_above(self, wanted: set[str]) -> dict[str, Span | None]:
        """Return for each known span the nearest known one above it whose id is wanted."""
        nearest: dict[str, Span | None] = {}
        for span in self._known:
            path = [span.id]
            above = self._above[span.id]
            while above is not None and above.id not in wanted:
                if above.id in nearest:
                    above = nearest[above.id]
                    break
                path.append(above.id)
                above = self._above[above.id]
            for span_id in path:
                nearest[span_id] = above
        return nearest

    def _steps(self) -> list[Span]:
        """Return the spans that are steps, with the usage that belongs to them."""
        nearest = self._nearest_above({one.id for one in self._known if one.kind not in _BETWEEN})
        wrappers: dict[str, Span] = {}
        not_counted: set[str] = set()
        for span in self._known:
            above = nearest[span.id]
            if above is None:
                continue
            if span.kind == above.kind and span.kind in (MODEL, EMBEDDING):
                wrappers[span.id] = above
                not_counted.add(above.id)
            elif span.kind == above.kind == TOOL and span.tool_name == above.tool_name:
                not_counted.add(span.id)
            elif span.kind == TOOL_PART and above.kind == TOOL and span.is_error:
                above.take_failure_of(span)
        steps = [
            span for span in self._known if span.kind not in NO_STEPS and span.id not in not_counted
        ]
        if wrappers:
            _take_from_wrappers(steps, wrappers)
        return steps

    def _agents_above(self, spans: Iterable[Span]) -> set[str]:
        """Return the ids of all agents above any of the spans."""
        ids: set[str] = set()
        for span in spans:
            above = self._agent_above[span.id]
            while above is not None and above.id not in ids:
                ids.add(above.id)
                above = self._agent_above[above.id]
        return ids

    def _is_session(self, agent: Span) -> bool:
        reports_alone = agent.has_usage and agent.id not in self._reported_below
        return agent.id in self._own_steps or reports_alone or agent.id not in self._wrapping

    def run(self) -> Run | None:
        """Return the run, None where there is neither an agent nor a step."""
        is_run = self.agents or self.steps or (self.facts.root_is_run and self.spans)
        if not is_run:
            return None
        started, ended = self._interval(self._spans_of_run())
        status = self._status()
        outermost = self._outermost_first()
        facts = self.facts
        return Run(
            conversation_id=facts.conversation_id
            or _first(span.conversation_id for span in outermost)
            or facts.trace_id,
            interaction_id=facts.trace_id,
            started_at=_milliseconds(started),
            ended_at=_milliseconds(ended) if status else None,
            status=status,
            duration_ms=(ended - started) // NANOSECONDS_PER_MILLISECOND if status else None,
            prompted_at=_milliseconds(started),
            prompt_text=facts.prompt_text or _first(span.prompt_text for span in outermost),
            workflow_name=self._workflow_name(outermost),
            environment=facts.environment or _first(span.environment for span in outermost),
            user_id=facts.user_id or _first(span.user_id for span in outermost),
            failure=self._failure(),
            sessions=self._all_sessions(),
            actions=sorted(facts.actions, key=lambda one: (one.at, one.action_id)),
        )

    def _spans_of_run(self) -> list[Span]:
        """Return the spans that say when a run began and ended."""
        if self.facts.root_is_run:
            return self.spans
        return self.agents + [span for span in self._known if span.kind not in _AGENTS]

    @staticmethod
    def _interval(spans: Sequence[Span]) -> tuple[int, int]:
        return min(map(_start, spans)), max(map(_end, spans))

    def _outermost_first(self) -> list[Span]:
        """Return all spans: agents with no agent above, other agents, the rest, each by start."""
        agent_ids = {span.id for span in self.agents}
        return [
            *self._tops,
            *(span for span in self.agents if self._agent_above[span.id] is not None),
            *(span for span in self._known if span.id not in agent_ids),
            *(span for span in self.spans if span.kind == OTHER),
        ]

    def _status(self) -> str | None:
        """Return how the run ended, None while that is not known."""
        ending = self._roots if self.facts.root_is_run else self._tops
        if not ending or any(span.end is None for span in ending):
            return None
        return ERROR if self._failed() else SUCCESS

    def _failed(self) -> list[Span]:
        """Return the spans whose failure is one of the whole run.

        These are agents with no other above. What only wraps them may say that all is well
        whatever happened below it, so the sessions with no other above are asked as well.
        """
        telling = [span for span in self.sessions if self._session_above(span) is None]
        telling += self._tops + (self._roots if self.facts.root_is_run else [])
        return [span for span in telling if span.is_error]

    def _session_above(self, agent: Span) -> Span | None:
        above = self._agent_above[agent.id]
        while above is not None and above.id not in self._session_ids:
            above = self._agent_above[above.id]
        return above

    def _failure(self) -> Failure:
        failed = self._failed()
        if self._status() != ERROR or not failed:
            return NO_FAILURE
        # The failure that tells most, of those the last.
        return max(
            failed,
            key=lambda span: (
                span.error_type is not None,
                span.error_message is not None,
                _end(span),
                span.id,
            ),
        ).failure

    def _workflow_name(self, outermost: list[Span]) -> str | None:
        wrapping = (_agent_name(span) for span in self.agents if span.id not in self._session_ids)
        return (
            self.facts.workflow_name
            or _first(span.workflow_name for span in outermost)
            or _first(wrapping)
        )

    def _all_sessions(self) -> list[Session]:
        sessions = {span.id: self._session(span) for span in self.sessions}
        for agent_id, steps in self._own_steps.items():
            sessions[agent_id].steps += [_step(span) for span in steps]
        if self._orphans or not sessions:
            if len(sessions) == 1:
                (session,) = sessions.values()
            else:
                session = sessions[""] = self._session_without_agent()
            session.steps += [_step(span) for span in self._orphans]
        for session in sessions.values():
            session.steps.sort(key=lambda step: (step.ended_at, step.step_id))
        return sorted(sessions.values(), key=lambda one: (one.started_at, one.agent_session_id))

    def _session(self, agent: Span) -> Session:
        above = self._session_above(agent)
        counts_usage = agent.id not in self._reported_below
        is_ended = agent.end is not None
        return Session(
            agent_session_id=agent.id,
            agent_name=_agent_name(agent),
            started_at=_milliseconds(_start(agent)),
            ended_at=_milliseconds(_end(agent)) if is_ended else None,
            status=(ERROR if agent.is_error else SUCCESS) if is_ended else None,
            duration_ms=agent.duration_ms,
            parent_agent_session_id=above.id if above else None,
            model_name=agent.model_name,
            tokens=agent.tokens if counts_usage else NO_TOKENS,
            cost_usd=agent.cost_usd if counts_usage else None,
            failure=agent.failure,
        )

    def _session_without_agent(self) -> Session:
        """Return the session for steps that no agent of the trace is known to have made.

        Nothing says when it ended, unless the trace as a whole is the run.
        """
        spans = self._orphans or self._spans_of_run()
        is_whole_run = self.facts.root_is_run and not self.sessions
        started, ended = self._interval(self._spans_of_run() if is_whole_run else spans)
        status = self._status() if is_whole_run else None
        return Session(
            agent_session_id=self.facts.trace_id,
            agent_name=self.facts.session_name
            or _first(span.service_name for span in spans)
            or _first(span.name for span in spans)
            or AGENT,
            started_at=_milliseconds(started),
            ended_at=_milliseconds(ended) if status else None,
            status=status,
            duration_ms=(ended - started) // NANOSECONDS_PER_MILLISECOND if status else None,
            failure=self._failure() if status else NO_FAILURE,
        )


def _parents(records: Sequence[Fields]) -> dict[str, str]:
    """Return the id of the span above each span, without those missing and without cycles.

    In a cycle the span with the smallest id is the top.
    """
    ids = {record["id"] for record in records}
    parents = {
        record["id"]: record["parent_id"] for record in records if record.get("parent_id") in ids
    }
    without_cycle: set[str] = set()
    for start in list(parents):
        path: dict[str, int] = {}
        one = start
        while one in parents and one not in without_cycle and one not in path:
            path[one] = len(path)
            one = parents[one]
        if one in path:
            del parents[min(other for other, place in path.items() if place >= path[one])]
        without_cycle.update(path)
    return parents


def _nearest_known(known: Sequence[Span], parents: dict[str, str]) -> dict[str, Span | None]:
    """Return for each span the nearest one above it whose kind is known."""
    by_id = {span.id: span for span in known}
    nearest: dict[str, Span | None] = {}
    for span in known:
        one = parents.get(span.id)
        if one is None or one in by_id:
            nearest[span.id] = by_id.get(one)
            continue
        path = [span.id]
        while one is not None and one not in by_id and one not in nearest:
            path.append(one)
            one = parents.get(one)
        found = by_id.get(one) if one in by_id else nearest.get(one)
        nearest.update(dict.fromkeys(path, found))
    return nearest


def _take_from_wrappers(steps: list[Span], wrappers: dict[str, Span]) -> None:
    """Give calls what only the spans around them report, each report of usage once.

    Where several calls without usage lie in one wrapper the last of them gets it.
    """
    has_tokens_below: set[str] = set()
    has_cost_below: set[str] = set()
    for span in steps:
        has_tokens, has_cost = span.has_tokens, span.cost_usd is not None
        around = wrappers.get(span.id)
        while around is not None:
            if has_tokens:
                has_tokens_below.add(around.id)
            if has_cost:
                has_cost_below.add(around.id)
            has_tokens = has_tokens or around.has_tokens
            has_cost = has_cost or around.cost_usd is not None
            around = wrappers.get(around.id)
    for span in reversed(steps):
        around = wrappers.get(span.id)
        while around is not None:
            for name in ("model_name", "response_id", "finish_reason", "service_tier"):
                if getattr(span, name) is None:
                    setattr(span, name, getattr(around, name))
            if around.has_tokens and not span.has_tokens and around.id not in has_tokens_below:
                has_tokens_below.add(around.id)
                span.set_tokens(around.tokens)
            is_missing = span.cost_usd is None and around.cost_usd is not None
            if is_missing and around.id not in has_cost_below:
                has_cost_below.add(around.id)
                span.cost_usd = around.cost_usd
            around = wrappers.get(around.id)


def _step(span: Span) -> Step:
    status = ERROR if span.is_error else SUCCESS
    if span.end is None and not span.is_error and not span.has_usage:
        status = IN_PROGRESS
    is_tool_call = span.kind == TOOL
    return Step(
        step_id=span.id,
        step_type=span.kind,
        ended_at=_milliseconds(_end(span)),
        status=status,
        duration_ms=span.duration_ms,
        response_id=span.response_id,
        model_name=None if is_tool_call else span.model_name,
        tool_name=(span.tool_name or span.name or None) if is_tool_call else None,
        tokens=span.tokens,
        cost_usd=span.cost_usd,
        finish_reason=span.finish_reason,
        service_tier=span.service_tier,
        attempt_number=span.attempt_number,
        failure=span.failure,
        tool_input=span.tool_input,
        tool_output=span.tool_output,
    )


def _agent_name(span: Span) -> str:
    of_workflow = span.workflow_name if span.kind == WORKFLOW else None
    return span.agent_name or of_workflow or span.name or AGENT


def _start_and_id(span: Span) -> tuple[int, str]:
    return span.start or span.end or 0, span.id


def _start(span: Span) -> int:
    return span.start if span.start is not None else (span.end or 0)


def _end(span: Span) -> int:
    return span.end if span.end is not None else _start(span)


def _milliseconds(nanoseconds: int) -> int:
    return nanoseconds // NANOSECONDS_PER_MILLISECOND


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)
