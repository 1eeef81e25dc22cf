"""Langfuse: downloads of the user interface, batch and blob storage exports, lists of the API.

All of them are rows of three kinds, observations, traces and scores, in camelCase or snake_case,
as JSON, CSV or Parquet, some nested in others. `langfuse_fields.csv` has the names of the fields,
`langfuse_usage.csv` those of token counts; what the OpenTelemetry attributes in the metadata mean
stands in the CSV files of that format.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pyarrow
from pyarrow import parquet

from scripts.importer import values
from scripts.importer.attributes import Attributes
from scripts.importer.json_lines import BYTE_ORDER_MARK, CUT_OFF, documents, read_json
from scripts.importer.model import Action, Counts, Fields, Reader, Record, Run
from scripts.importer.spans import (
    AGENT,
    HANDOFF,
    NANOSECONDS_PER_MILLISECOND,
    NO_STEPS,
    OTHER,
    TOOL,
    WORKFLOW,
    TraceFacts,
    assemble,
)
from scripts.importer.tables import rows_of

NOT_A_ROW = "JSON that is no trace, observation or score"
WITHOUT_ID = "row without an id or a trace"
WITHOUT_TIME = "observation without a time"
ANOTHER_KIND = "observation of another kind (span, chain, event)"
JUDGEMENT = "score of an evaluator: no user's reaction"
NOT_OF_A_TRACE = "score of a session or dataset run"
NO_CSV = "line that is no CSV of Langfuse"
UNREADABLE_PARQUET = "Parquet file that cannot be read"

_TYPE = "langfuse.observation.type"
_EVENT = "event"
_OBSERVATION, _TRACE, _SCORE = "observation", "trace", "score"
_PARQUET_MAGIC = b"PAR1"
_ROWS_PER_BATCH = 1000
_JSON_STARTS = (b"{", b"[")
_SIGNS = (
    b'"parentObservationId"',
    b'"parent_observation_id"',
    b'"usageDetails"',
    b'"usage_details"',
    b'"observations"',
    b'"htmlPath"',
    b'"bookmarked"',
)
_CSV_SIGNS = (b"parent_observation_id", b"parentObservationId", b"bookmarked", b"data_type")


class LangfuseReader(Reader):
    """Reads rows of Langfuse in all shapes in which it gives them away."""

    name = "langfuse"

    def __init__(self) -> None:
        """Read what the names of fields mean."""
        self._facts = [(row["fact"], row["field"]) for row in rows_of("langfuse_fields.csv")]
        self._tokens = {row["key"]: row["fact"] for row in rows_of("langfuse_usage.csv")}
        self._attributes = Attributes()

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether a file is of Langfuse: fields that only its rows have are in its head."""
        if head.startswith(_PARQUET_MAGIC):
            return True
        if head.lstrip()[:1] in _JSON_STARTS:
            return any(sign in head for sign in _SIGNS)
        first_line = head.split(b"\n", 1)[0]
        return b"," in first_line and any(sign in first_line for sign in _CSV_SIGNS)

    def read(self, path: Path, chunks: Iterable[bytes], counts: Counts) -> Iterator[Record]:
        """Yield one record per row, whatever kind of file it stands in."""
        lines = iter(chunks)
        first = next((line for line in lines if line.strip()), b"")
        if first.startswith(_PARQUET_MAGIC):
            found = _parquet_rows(path, counts)
        elif first.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] in _JSON_STARTS:
            found = documents(chain([first], lines), counts)
        else:
            found = self._csv_rows(chain([first], lines), counts)
        for document in found:
            before = counts.read + counts.skipped.total()
            yield from self._records(document, counts)
            if counts.read + counts.skipped.total() == before:
                counts.skipped[NOT_A_ROW] += 1

    def assemble(self, records: Sequence[Fields], counts: Counts) -> Iterator[Run]:
        """Yield the run of a trace, if it has observations."""
        # All records of a trace and no others share its key.
        rows: dict[str, list[Fields]] = {}
        for record in records:
            rows.setdefault(record.get("row", _OBSERVATION), []).append(record)
        facts = _facts_of_trace(records[0]["trace_id"], rows)
        run = assemble(rows.get(_OBSERVATION, []), facts)
        if run is not None:
            yield run

    def _csv_rows(self, lines: Iterable[bytes], counts: Counts) -> Iterator[Fields]:
        """Yield the rows of a CSV file with the names of its first line."""
        csv.field_size_limit(sys.maxsize)
        reader = csv.reader(line.decode("utf-8", "replace") for line in lines)
        known = {field for _, field in self._facts}
        header: list[str] = []
        while True:
            try:
                row = next(reader, None)
            except csv.Error:
                counts.skipped[NO_CSV] += 1
                continue
            if row is None:
                return
            if not header and known.isdisjoint(names := [one.strip("\ufeff ") for one in row]):
                counts.skipped[NO_CSV] += 1
            elif not header:
                header = names
            elif len(row) < len(header):
                counts.skipped[CUT_OFF] += 1
            else:
                yield dict(zip(header, row, strict=False))

    def _records(self, document: object, counts: Counts, depth: int = 0) -> Iterator[Record]:
        """Yield the records of a document: a row, a list of rows, rows nested in a trace."""
        if type(document) is list and depth < 3:
            for item in document:
                yield from self._records(item, counts, depth + 1)
            return
        if type(document) is not dict:
            counts.skipped[NOT_A_ROW] += 1
            return
        if type(document.get("data")) is list:
            yield from self._records(document["data"], counts, depth + 1)
            return
        trace = document.get("trace")
        trace_id = values.text((trace if type(trace) is dict else document).get("id"))
        nested = [document.get(kind) for kind in ("observations", "scores")]
        # In lists of the API there are only ids.
        lists = [
            rows for rows in nested if type(rows) is list and any(type(row) is dict for row in rows)
        ]
        for rows in lists:
            for row in rows:
                yield from self._row(row, counts, trace_id)
        if type(trace) is dict:
            yield from self._records(trace, counts, depth + 1)
        elif "id" in document or not lists:
            yield from self._row(document, counts, None)

    def _row(self, row: object, counts: Counts, trace_id: str | None) -> Iterator[Record]:
        """Yield the record of one row; `trace_id` is that of the trace it stands in."""
        if type(row) is not dict:
            counts.skipped[NOT_A_ROW] += 1
            return
        facts = self._facts_of(row)
        trace_id = values.text(facts.get("trace_id")) or trace_id
        row_id = values.text(facts.get("id"))
        if "start" in facts or "parent_id" in facts:
            fields = self._observation(facts, counts, row_id, trace_id)
        elif "source" in facts or "data_type" in facts:
            fields = self._score(facts, counts, row_id, trace_id)
        elif "timestamp" in facts or "conversation_id" in facts:
            fields = self._trace(facts, counts, row_id)
        else:
            counts.skipped[NOT_A_ROW] += 1
            return
        if fields is not None:
            yield Record((fields["trace_id"],), fields)

    def _facts_of(self, row: Fields) -> Fields:
        """Return what a row says, of several names for a fact the first in the CSV file."""
        facts: Fields = {}
        for fact, field in self._facts:
            value = row.get(field)
            if value is not None and value != "" and fact not in facts:
                facts[fact] = value
        return facts

    def _trace(self, facts: Fields, counts: Counts, row_id: str | None) -> Fields | None:
        if row_id is None:
            counts.skipped[WITHOUT_ID] += 1
            return None
        counts.read += 1
        fields = {"row": _TRACE, "trace_id": row_id, **_context(facts)}
        known = values.name(facts.get("name"))
        if known is not None:
            fields["workflow_name"] = known
        if self.with_text and (text := _as_text(facts.get("input"))) is not None:
            fields["prompt_text"] = text
        return fields

    def _score(
        self, facts: Fields, counts: Counts, row_id: str | None, trace_id: str | None
    ) -> Fields | None:
        source = str(facts.get("source", "")).upper()
        at = values.moment(facts.get("timestamp"))
        data_type = str(facts.get("data_type", "")).upper()
        if source == "EVAL" or data_type == "CORRECTION":
            counts.skipped[JUDGEMENT] += 1
        elif row_id is not None and trace_id is None:
            counts.skipped[NOT_OF_A_TRACE] += 1
        elif row_id is None or trace_id is None or at is None:
            counts.skipped[WITHOUT_ID] += 1
        else:
            counts.read += 1
            value = facts.get("string_value")
            if data_type == "TEXT":
                # What a user wrote.
                value = value if self.with_text else None
            elif value is None or data_type == "NUMERIC":
                value = facts.get("value")
            return {
                "row": _SCORE,
                "trace_id": trace_id,
                "id": row_id,
                "at": at // NANOSECONDS_PER_MILLISECOND,
                "feedback_type": values.name(facts.get("name")),
                "feedback_value": values.name(value),
            }
        return None

    def _observation(
        self, facts: Fields, counts: Counts, row_id: str | None, trace_id: str | None
    ) -> Fields | None:
        if row_id is None or trace_id is None:
            counts.skipped[WITHOUT_ID] += 1
            return None
        start, end = values.moment(facts.get("start")), values.moment(facts.get("end"))
        if start is None and end is None:
            counts.skipped[WITHOUT_TIME] += 1
            return None
        type_ = str(facts.get("type", "")).lower()
        name = values.name(facts.get("name")) or ""
        metadata = _object(facts.get("metadata"))
        scope = _object(metadata.get("scope")).get("name")
        told = self._attributes.facts(_object(metadata.get("attributes")))
        kind, unknown = self._attributes.kind(told, name, scope, is_langfuse=True)
        # Langfuse takes the creation of an agent for one of its runs.
        if type_ not in ("", "span") and not (type_ == AGENT and kind == WORKFLOW):
            kind, unknown = self._attributes.kind({_TYPE: type_}, "", None)
        if unknown is not None:
            counts.skipped[f"observation of unknown kind {values.name(unknown)!s:.40}"] += 1
        elif kind is None or kind == OTHER:
            counts.skipped[ANOTHER_KIND] += 1
        else:
            counts.read += 1
        fields: Fields = {
            "trace_id": trace_id,
            "id": row_id,
            "kind": kind or OTHER,
            "name": self._attributes.bare_name(name),
        }
        self._attributes.add_fields(told, fields)
        # Langfuse has taken these out of the attributes where they are of the trace.
        for fact in ("conversation_id", "user_id", "workflow_name"):
            fields.pop(fact, None)
        fields |= _context(facts)
        workflow = values.name(facts.get("workflow_name"))
        parent_id = values.text(facts.get("parent_id"))
        model = values.model(facts.get("model_name"))
        updated_at = values.name(facts.get("updated_at"))
        if type_ == _EVENT and end is None:
            end = start
        known = {
            "workflow_name": workflow,
            "parent_id": parent_id,
            "start": start,
            "end": end,
            "model_name": model,
            "updated_at": updated_at,
        }
        fields |= {fact: value for fact, value in known.items() if value is not None}
        fields |= self._usage(facts)
        self._name_parts(fields)
        if str(facts.get("level", "")).upper() == "ERROR":
            self._add_failure(facts, told, fields)
        if self.with_text:
            self._add_text(facts, fields)
        return fields

    def _name_parts(self, fields: Fields) -> None:
        """Leave the name of an agent to agents and that of a tool to tools."""
        kind = fields["kind"]
        if kind == TOOL:
            fields.setdefault("tool_name", fields["name"] or "tool")
            if self._attributes.is_handoff(fields["tool_name"]):
                fields["kind"] = HANDOFF
        if fields["kind"] != TOOL:
            fields.pop("tool_name", None)
        if kind not in (AGENT, WORKFLOW):
            fields.pop("agent_name", None)

    def _add_failure(self, facts: Fields, told: Fields, fields: Fields) -> None:
        fields["is_error"] = True
        error_type = values.name(told.get("error_type")) or values.name(told.get("exception_type"))
        if error_type is not None:
            fields["error_type"] = error_type
        if (status := values.http_status(told.get("http_status"))) is not None:
            fields["http_status"] = status
        message = values.text(facts.get("status_message"))
        if self.error_text and message is not None:
            fields["error_message"] = message[: values.LONGEST_ERROR_MESSAGE]

    def _add_text(self, facts: Fields, fields: Fields) -> None:
        texts = {
            "tool_input": facts.get("input") if fields["kind"] == TOOL else None,
            "tool_output": facts.get("output") if fields["kind"] == TOOL else None,
            "prompt_text": facts.get("input") if fields["kind"] not in NO_STEPS - {AGENT} else None,
        }
        fields |= {fact: text for fact, raw in texts.items() if (text := _as_text(raw)) is not None}

    def _usage(self, facts: Fields) -> Fields:
        """Return tokens as disjoint counts, and money, as far as a row has them."""
        fields: Fields = {}
        cost_details = _object(facts.get("cost"))
        cost = values.amount(cost_details.get("total"))
        if cost is None:
            parts = [values.amount(part) for part in cost_details.values()]
            cost = sum(part for part in parts if part is not None) or None
        cost = cost or values.amount(facts.get("total_cost"))
        if cost is not None:
            fields["cost_usd"] = cost
        found: dict[str, int] = {}
        others = {"input": 0, "output": 0}
        usage = _object(facts.get("usage"))
        if str(usage.get("unit") or "TOKENS").upper() != "TOKENS":
            # Characters, seconds or images, in rows of 2024 and before.
            return fields
        for key, raw in usage.items():
            number = values.count(raw)
            if number is None or key.endswith("Cost"):
                continue
            fact = self._tokens.get(key)
            if fact is not None:
                found[fact] = max(number, found.get(fact, 0))
            elif key.startswith(("input", "prompt")):
                others["input"] += number
            elif key.startswith(("output", "completion")):
                others["output"] += number
        if not any(found.values()):
            # All of them 0 is what Langfuse writes when it knows nothing.
            return fields
        written = found.get("cache_write_5m", 0) + found.get("cache_write_1h", 0)
        if written:
            found["cache_write"] = max(written, found.get("cache_write", 0))
        total = found.pop("total", None)
        found.pop("cache_write_5m", None)
        return fields | values.disjoint_tokens(
            found,
            total,
            is_exclusive=True,
            other_input=others["input"],
            other_output=others["output"],
        )


def _context(facts: Fields) -> Fields:
    """Return what a row says of its trace."""
    known = {
        "conversation_id": values.text(facts.get("conversation_id")),
        "user_id": values.text(facts.get("user_id")),
        "environment": values.name(facts.get("environment")),
    }
    return {fact: value for fact, value in known.items() if value is not None}


def _facts_of_trace(trace_id: str, rows: dict[str, list[Fields]]) -> TraceFacts:
    """Return what the rows of a trace say of it as a whole.

    Of several deliveries of a trace row each fact is taken from the first that has it.
    """
    together: Fields = {}
    for row in sorted(rows.get(_TRACE, []), key=lambda row: json.dumps(row, sort_keys=True)):
        together = row | together
    workflow = together.get("workflow_name") or _name_of_root(rows.get(_OBSERVATION, []))
    actions = {
        row["id"]: Action(
            action_id=row["id"],
            action_type="feedback_given",
            at=row["at"],
            feedback_type=row["feedback_type"],
            feedback_value=row["feedback_value"],
        )
        for row in sorted(rows.get(_SCORE, []), key=lambda row: json.dumps(row, sort_keys=True))
    }
    return TraceFacts(
        trace_id,
        conversation_id=together.get("conversation_id"),
        user_id=together.get("user_id"),
        workflow_name=workflow,
        environment=together.get("environment"),
        session_name=workflow,
        prompt_text=together.get("prompt_text"),
        actions=list(actions.values()),
        root_is_run=True,
    )


def _name_of_root(observations: Iterable[Fields]) -> str | None:
    """Return how the trace is called on its observations, else the name of its first root."""
    observations = list(observations)
    ids = {row["id"] for row in observations}
    ranked = sorted(
        observations,
        key=lambda row: (
            "workflow_name" not in row,
            row.get("parent_id") in ids,
            row.get("start", row.get("end")),
            row["id"],
        ),
    )
    names = (row.get("workflow_name") or row.get("name") for row in ranked)
    return next((name for name in names if name), None)


def _object(raw: object) -> Fields:
    """Return an object, also one that is written as text or as pairs, else an empty one."""
    if type(raw) is str and raw[:1] == "{":
        try:
            raw = read_json(raw)
        except (ValueError, RecursionError):
            return {}
    if type(raw) is list and all(type(pair) is tuple and len(pair) == 2 for pair in raw):
        raw = dict(raw)
    return raw if type(raw) is dict else {}


def _as_text(raw: object) -> str | None:
    return values.text(raw if type(raw) is str or raw is None else json.dumps(raw))


def _parquet_rows(path: Path, counts: Counts) -> Iterator[Fields]:
    """Yield the rows of a Parquet file."""
    try:
        for batch in parquet.ParquetFile(path).iter_batches(_ROWS_PER_BATCH):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError):
        counts.skipped[UNREADABLE_PARQUET] += 1


READER = LangfuseReader()
