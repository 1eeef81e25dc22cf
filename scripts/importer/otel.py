"""OpenTelemetry traces: OTLP/JSON, the collector's files, Tempo, Jaeger, Phoenix, SDK output.

The shapes differ in where a span lies and how its fields are called; what the attributes mean is
the same and stands in `otel_attributes.csv` and `otel_kinds.csv`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from scripts.importer import values
from scripts.importer.attributes import SCOPE_NAME, Attributes
from scripts.importer.json_lines import documents
from scripts.importer.model import Action, Counts, Fields, Reader, Record, Run
from scripts.importer.spans import (
    AGENT,
    HANDOFF,
    NANOSECONDS_PER_MILLISECOND,
    OTHER,
    TOOL,
    WORKFLOW,
    TraceFacts,
    assemble,
)

NOT_A_SPAN = "JSON without spans"
SPAN_WITHOUT_ID = "span without an id"
SPAN_WITHOUT_TIME = "span without a time"
ANOTHER_KIND = "span of another kind (HTTP, queue, …)"
LOGS = "log records or metrics beside spans"

_HEX_ID = re.compile(r"[0-9A-Fa-f]{16}(?:[0-9A-Fa-f]{16})?")
_EVALUATION = "gen_ai.evaluation.result"
_SCOPE_LISTS = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
_TRACE_LISTS = ("resourceSpans", "resource_spans", "batches")
# What a span of another kind may tell of the trace.
_LINKED_FACTS = ("conversation_id", "user_id", "workflow_name")
_SPAN_MARKS = (
    "spanId",
    "span_id",
    "spanID",
    "context",
    "context.span_id",
    "spanContext",
    "_spanContext",
)
_OF_FAILURE = frozenset({"error_type", "is_success"})
_SIGNS = (
    b'"resourceSpans"',
    b'"resource_spans"',
    b'"scopeSpans"',
    b'"instrumentationLibrarySpans"',
    b'"resourceLogs"',
    b'"traceID"',
    b'"spanId"',
    b'"span_id"',
    b'"context.span_id"',
    b'"_spanContext"',
)


class OtelReader(Reader):
    """Reads spans of OpenTelemetry in all shapes in which tools write them."""

    name = "otel"

    def __init__(self) -> None:
        """Read what the names of fields mean."""
        self._attributes = Attributes()

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether a file holds spans: a name that only spans have is in its head."""
        return any(sign in head for sign in _SIGNS)

    def read(self, path: Path, chunks: Iterable[bytes], counts: Counts) -> Iterator[Record]:
        """Yield one record per span that matters; other spans only where they link two."""
        for document in documents(chunks, counts):
            found: list[Record] = []
            before = counts.read + counts.skipped.total()
            self._add_records(document, counts, found)
            if counts.read + counts.skipped.total() == before:
                counts.skipped[NOT_A_SPAN] += 1
            yield from found

    def assemble(self, records: Sequence[Fields], counts: Counts) -> Iterator[Run]:
        """Yield the run of a trace, if agents had a part in it."""
        # All records of a trace and no others share its key.
        trace_id = records[0]["trace_id"]
        actions = {one["action_id"]: _action(one) for one in records if "action_id" in one}
        spans = [one for one in records if "action_id" not in one] if actions else records
        run = assemble(spans, TraceFacts(trace_id, actions=list(actions.values())))
        if run is not None:
            yield run

    def _add_records(
        self, document: object, counts: Counts, found: list[Record], depth: int = 0
    ) -> None:
        """Add the records of a document, whatever shape it has."""
        if type(document) is list and depth < 3:
            for item in document:
                self._add_records(item, counts, found, depth + 1)
            return
        if type(document) is not dict:
            counts.skipped[NOT_A_SPAN] += 1
            return
        for name in _TRACE_LISTS:
            if type(document.get(name)) is list:
                for resource_spans in document[name]:
                    self._add_otlp(resource_spans, counts, found)
                return
        if any(name in document for name in _SCOPE_LISTS):
            self._add_otlp(document, counts, found)
            return
        if type(document.get("spans")) is list:
            self._add_jaeger(document, counts, found)
            return
        if any(mark in document for mark in _SPAN_MARKS):
            self._add_span(document, {}, _scope_name(document.get("scope")), counts, found)
            return
        for name in ("data", "trace", "result"):
            if isinstance(document.get(name), list | dict) and depth < 3:
                self._add_records(document[name], counts, found, depth + 1)
                return
        is_other_signal = "resourceLogs" in document or "resourceMetrics" in document
        counts.skipped[LOGS if is_other_signal else NOT_A_SPAN] += 1

    def _add_otlp(self, resource_spans: object, counts: Counts, found: list[Record]) -> None:
        """Add the records of one resource and its scopes."""
        if type(resource_spans) is not dict:
            counts.skipped[NOT_A_SPAN] += 1
            return
        resource = self._of_resource(resource_spans.get("resource"))
        lists = [
            resource_spans[name] for name in _SCOPE_LISTS if type(resource_spans.get(name)) is list
        ]
        if not lists:
            counts.skipped[NOT_A_SPAN] += 1
        for scopes in lists:
            for scope_spans in scopes:
                spans = scope_spans.get("spans") if type(scope_spans) is dict else None
                if type(spans) is not list:
                    counts.skipped[NOT_A_SPAN] += 1
                    continue
                scope = _scope_name(
                    scope_spans.get("scope") or scope_spans.get("instrumentationLibrary")
                )
                for span in spans:
                    self._add_span(span, resource, scope, counts, found)

    def _add_jaeger(self, trace: Fields, counts: Counts, found: list[Record]) -> None:
        """Add the records of a trace as Jaeger writes it; also of a plain list of spans."""
        processes = trace.get("processes")
        for span in trace["spans"]:
            if type(span) is not dict or "spanID" not in span:
                self._add_span(span, {}, None, counts, found)
                continue
            process_id = span.get("processID")
            process = (
                processes.get(process_id)
                if type(processes) is dict and type(process_id) is str
                else None
            )
            process = process if type(process) is dict else {}
            resource = self._of_resource({"attributes": process.get("tags")})
            service = values.name(process.get("serviceName"))
            if service is not None:
                resource["service_name"] = service
            self._add_span(_from_jaeger(span), resource, None, counts, found)

    def _of_resource(self, resource: object) -> Fields:
        """Return what a resource tells of its spans: only this much, agents are span attributes."""
        attributes = resource.get("attributes") if type(resource) is dict else None
        facts = self._attributes.facts(attributes)
        return {
            fact: known
            for fact in ("service_name", "environment")
            if (known := values.name(facts.get(fact))) is not None
        }

    def _add_span(
        self,
        span: object,
        resource: Fields,
        scope: str | None,
        counts: Counts,
        found: list[Record],
    ) -> None:
        """Add the record of a span of any shape, and those of the evaluations in its events."""
        if type(span) is not dict:
            counts.skipped[NOT_A_SPAN] += 1
            return
        span_id, parent_id, trace_id = _ids(span)
        if trace_id is None or span_id is None:
            counts.skipped[SPAN_WITHOUT_ID] += 1
            return
        fields: Fields = {"trace_id": trace_id, "id": span_id}
        if parent_id is not None:
            fields["parent_id"] = parent_id
        raw = span.get("attributes")
        facts = self._attributes.facts(
            raw if raw is not None else _dotted_attributes(span), with_text=self.with_text
        )
        name = values.name(span.get("name")) or ""
        kind, unknown = self._attributes.kind(facts, name, scope or facts.get(SCOPE_NAME))
        if kind is None and "span_kind" in span:
            told = {"openinference.span.kind": span["span_kind"]}
            kind, unknown = self._attributes.kind(told, name, scope)
        if kind is None or kind == OTHER:
            reason = ANOTHER_KIND
            if unknown is not None:
                reason = f"span of unknown kind {values.name(unknown)!s:.40}"
            counts.skipped[reason] += 1
            for fact in _LINKED_FACTS if facts else ():
                if fact in facts and (known := values.text(facts[fact])) is not None:
                    fields[fact] = known
            if len(fields) > 2:
                found.append(Record((trace_id,), fields))
            return
        start, end = _times(span)
        if start is None and end is None:
            counts.skipped[SPAN_WITHOUT_TIME] += 1
            return
        counts.read += 1
        if not resource and "resource" in span:
            resource = self._of_resource(span["resource"])
        if start is not None:
            fields["start"] = start
        if end is not None:
            fields["end"] = end
        if resource:
            fields |= resource
        self._attributes.add_fields(facts, fields, with_text=self.with_text)
        self._attributes.add_usage(facts, fields)
        fields["kind"] = kind
        if kind in (AGENT, WORKFLOW):
            fields["name"] = self._attributes.bare_name(name)
        else:
            fields["name"] = name
            fields.pop("agent_name", None)
        if kind == TOOL:
            if "tool_name" not in fields:
                fields["tool_name"] = self._attributes.bare_name(name) or "tool"
            if self._attributes.is_handoff(fields["tool_name"]):
                fields["kind"] = HANDOFF
                del fields["tool_name"]
        else:
            fields.pop("tool_name", None)
        # A sender of spans that all went well has nothing to say of it.
        if span.get("status") != {} or not _OF_FAILURE.isdisjoint(facts):
            self._add_failure(span, facts, fields)
        found.append(Record((trace_id,), fields))
        if span.get("events"):
            found.extend(self._evaluations(span, trace_id, fields))

    def _add_failure(self, span: Fields, facts: Fields, fields: Fields) -> None:
        """Add how a span failed, if it did: its status says so or it has an error type."""
        code, message = _status(span)
        error_type = values.name(facts["error_type"]) if "error_type" in facts else None
        is_failure = "is_success" in facts and facts["is_success"] in (False, "false")
        if not (code.endswith("ERROR") or error_type is not None or is_failure):
            return
        fields["is_error"] = True
        exception = self._last_exception(span)
        error_type = error_type or values.name(
            exception.get("exception_type") or facts.get("exception_type")
        )
        if error_type is not None:
            fields["error_type"] = error_type
        status = values.http_status(facts.get("http_status"))
        if status is not None:
            fields["http_status"] = status
        if self.error_text:
            message = (
                values.text(message)
                or values.text(exception.get("exception_message"))
                or values.text(facts.get("exception_message"))
            )
            if message is not None:
                fields["error_message"] = message[: values.LONGEST_ERROR_MESSAGE]

    def _last_exception(self, span: Fields) -> Fields:
        facts: Fields = {}
        for event in _events(span):
            if event.get("name") == "exception":
                facts = self._attributes.facts(event.get("attributes"))
        return facts

    def _evaluations(self, span: Fields, trace_id: str, fields: Fields) -> Iterator[Record]:
        """Yield a record for each evaluation that a span reports of itself."""
        for number, event in enumerate(_events(span)):
            if event.get("name") != _EVALUATION:
                continue
            facts = self._attributes.facts(event.get("attributes"))
            evaluation = values.name(facts.get("evaluation_name"))
            value = values.name(facts.get("evaluation_value"))
            at = _event_time(event) or fields.get("end") or fields["start"]
            yield Record(
                (trace_id,),
                {
                    "trace_id": trace_id,
                    "action_id": f"{fields['id']}-{number}",
                    "at": at // NANOSECONDS_PER_MILLISECOND,
                    "feedback_type": evaluation,
                    "feedback_value": value,
                },
            )


def _action(record: Fields) -> Action:
    return Action(
        action_id=record["action_id"],
        action_type="evaluated",
        at=record["at"],
        feedback_type=record["feedback_type"],
        feedback_value=record["feedback_value"],
    )


def _ids(span: Fields) -> tuple[str | None, str | None, str | None]:
    """Return a span's own id, its parent's and that of its trace."""
    if "spanId" in span:
        parent_id = span.get("parentSpanId") or _inner(span, "parentSpanContext", "spanId")
        return _id(span["spanId"]), _id(parent_id), _id(span.get("traceId"))
    for name in ("context", "_spanContext", "spanContext"):
        if type(span.get(name)) is dict:
            of_span = span[name]
            break
    else:
        of_span = {
            "span_id": span.get("span_id") or span.get("context.span_id"),
            "trace_id": span.get("trace_id") or span.get("context.trace_id"),
        }
    parent_id = (
        span.get("parent_id")
        or span.get("parent_span_id")
        or span.get("parentSpanId")
        or _inner(span, "parentSpanContext", "spanId")
    )
    span_id = of_span.get("span_id") or of_span.get("spanId")
    trace_id = of_span.get("trace_id") or of_span.get("traceId")
    return _id(span_id), _id(parent_id), _id(trace_id)


def _inner(span: Fields, name: str, inner_name: str) -> object:
    inner = span.get(name)
    return inner.get(inner_name) if type(inner) is dict else None


def _id(raw: object) -> str | None:
    """Return an id in hex, from hex, from hex with 0x before it or from base64."""
    return _hex_id(raw) if type(raw) is str and raw else None


# Each trace and each parent comes again and again.
@lru_cache(maxsize=65_536)
def _hex_id(raw: str) -> str | None:
    if _HEX_ID.fullmatch(raw):
        return raw.lower() if raw.strip("0") else None
    known = values.text(raw.strip())
    if known is None or not known.strip("0"):
        return None
    if known.startswith("0x"):
        return _id(known[2:])
    if known.endswith("="):
        try:
            content = base64.b64decode(known, validate=True)
        except (binascii.Error, ValueError):
            return known
        if len(content) in (8, 16):
            return content.hex() if any(content) else None
    return known


def _dotted_attributes(span: Fields) -> Fields:
    """Return the attributes of a span that has each of them as a field of its own."""
    prefix = "attributes."
    return {key[len(prefix) :]: value for key, value in span.items() if key.startswith(prefix)}


def _times(span: Fields) -> tuple[int | None, int | None]:
    """Return start and end, as far as they are known."""
    if "startTimeUnixNano" in span or "endTimeUnixNano" in span:
        start, end = span.get("startTimeUnixNano"), span.get("endTimeUnixNano")
        return values.nanoseconds(start), values.nanoseconds(end)
    return (
        values.moment(
            span.get("start_time") or span.get("start_time_unix_nano") or span.get("startTime")
        ),
        values.moment(
            span.get("end_time") or span.get("end_time_unix_nano") or span.get("endTime")
        ),
    )


def _status(span: Fields) -> tuple[str, object]:
    """Return the word of a span's status in capitals, and the message with it."""
    status = span.get("status")
    message = span.get("status_message")
    code = span.get("status_code")
    if type(status) is dict:
        code = status.get("code", status.get("status_code"))
        message = status.get("message") or status.get("description")
    elif type(status) is str:
        code = status
    if code in (2, "2") and type(code) is not bool:
        return "ERROR", message
    return (code.upper() if type(code) is str else ""), message


def _events(span: Fields) -> Iterator[Fields]:
    events = span.get("events")
    for event in events if type(events) is list else ():
        if type(event) is dict:
            yield event


def _event_time(event: Fields) -> int | None:
    if "timeUnixNano" in event:
        return values.nanoseconds(event["timeUnixNano"])
    return values.moment(event.get("timestamp") or event.get("time_unix_nano"))


def _scope_name(scope: object) -> str | None:
    return values.name(scope.get("name")) if type(scope) is dict else None


def _from_jaeger(span: Fields) -> Fields:
    """Return a span of Jaeger with the names of OTLP; its times are microseconds."""
    tags = _values_by_key(span.get("tags"))
    start = values.count(span.get("startTime"))
    duration = values.count(span.get("duration"))
    parents = [
        reference.get("spanID")
        for reference in sorted(
            _dicts(span.get("references")), key=lambda one: one.get("refType") != "CHILD_OF"
        )
    ]
    is_error = tags.get("error") in (True, "true") or tags.get("otel.status_code") == "ERROR"
    return {
        "spanId": span.get("spanID"),
        "traceId": span.get("traceID"),
        "parentSpanId": parents[0] if parents else span.get("parentSpanID"),
        "name": span.get("operationName"),
        "startTimeUnixNano": start * 1000 if start else None,
        "endTimeUnixNano": (start + duration) * 1000 if start and duration is not None else None,
        "attributes": tags,
        "status": {
            "code": 2 if is_error else 0,
            "message": tags.get("otel.status_description"),
        },
        "events": [_event_from_jaeger(log) for log in _dicts(span.get("logs"))],
    }


def _event_from_jaeger(log: Fields) -> Fields:
    fields = _values_by_key(log.get("fields"))
    at = values.count(log.get("timestamp"))
    return {
        "name": fields.get("event"),
        "timeUnixNano": at * 1000 if at else None,
        "attributes": fields,
    }


def _values_by_key(raw: object) -> Fields:
    return {one["key"]: one.get("value") for one in _dicts(raw) if type(one.get("key")) is str}


def _dicts(raw: object) -> list[Fields]:
    return [one for one in raw if type(one) is dict] if type(raw) is list else []


READER = OtelReader()
