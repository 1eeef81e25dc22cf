"""Writes event tables as RudderStack payloads (NDJSON) or as raw tables (Parquet)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.generator.event_tables import (
    SOURCE_ID,
    Column,
    EventTable,
    TextColumn,
    UuidColumn,
    column_name,
    spread_order,
)
from scripts.generator.events import TABLES
from scripts.generator.patterns import OUTCOMES
from scripts.generator.randomness import Ints

EVENTS_FILE = "events.ndjson"
REDELIVERED_FILE = "events_redelivered.ndjson"
# RudderStack writes every track event there as well; of ours it only has those of no other table.
TRACKS = "tracks"
LIBRARY = "synthetic-agent-products"
LIBRARY_VERSION = "1.0.0"


class Writer(Protocol):
    """Takes the tables of one block after the other."""

    def write(self, tables: list[EventTable], seed: int) -> None:
        """Write the tables of one block."""

    def close(self) -> None:
        """Finish all files."""


def _times(milliseconds: Ints) -> list[str]:
    """Return times as ISO 8601 text with milliseconds and Z."""
    return np.datetime_as_string(milliseconds.astype("datetime64[ms]"), timezone="UTC").tolist()


def _fragments(column: Column, name: str) -> list[str]:
    """Return `"name":value` per row, or an empty text where nothing is sent."""
    key = json.dumps(name) + ":"
    if isinstance(column, TextColumn):
        texts = [key + fragment for fragment in column.json_fragments()] + [""]
        return [texts[code] for code in column.codes.tolist()]
    if isinstance(column, UuidColumn):
        width = column.text.shape[1]
        joined = column.text.tobytes().decode("ascii")
        texts = [joined[start : start + width] for start in range(0, len(joined), width)]
        return [
            f'{key}"{text}"' if present else ""
            for text, present in zip(texts, column.present.tolist(), strict=True)
        ]
    quote = column.as_text if column.as_text is not None else np.zeros(len(column.values), bool)
    return [
        "" if not present else f'{key}"{value!r}"' if quoted else f"{key}{value!r}"
        for value, present, quoted in zip(
            column.values.tolist(), column.present().tolist(), quote.tolist(), strict=True
        )
    ]


def _joined(columns: list[list[str]]) -> list[str]:
    """Return, per row, the fragments that are there with commas between them."""
    return [",".join(filter(None, row)) for row in zip(*columns, strict=True)]


def _properties(columns: list[Column]) -> list[str]:
    """Return the properties object of each row; columns with a common first key are nested."""
    flat = [_fragments(c, c.path[0]) for c in columns if len(c.path) == 1]
    nested: dict[str, list[list[str]]] = {}
    for column in columns:
        if len(column.path) == 2:
            nested.setdefault(column.path[0], []).append(_fragments(column, column.path[1]))
    for name, parts in nested.items():
        key = json.dumps(name)
        flat.append([f"{key}:{{{body}}}" if body else "" for body in _joined(parts)])
    return [f"{{{body}}}" for body in _joined(flat)]


def payload_lines(table: EventTable) -> list[str]:
    """Return one track payload (a line of JSON) per event of the table."""
    events = table.events
    received = _times(events.received_ms)
    # The client's clock: for a timestamp that is no time RudderStack falls back to the server's.
    sent = _times(events.sent_ms)
    stamps = [
        "sometime soon" if bad else text
        for bad, text in zip(events.has_bad_timestamp.tolist(), sent, strict=True)
    ]
    head = f'{{"type":"track","event":"{events.table}",'
    context = (
        f'"channel":"server","context":{{"library":{{"name":"{LIBRARY}",'
        f'"version":"{LIBRARY_VERSION}"}},"source_id":"{SOURCE_ID}"}},'
    )
    tail = '"integrations":{"All":true},"properties":'
    ids = _joined(
        [
            _fragments(table.event_ids, "messageId"),
            _fragments(table.anonymous, "anonymousId"),
            _fragments(table.users, "userId"),
        ]
    )
    properties = _properties(table.properties) if table.properties else ["{}"] * len(events)
    rows = zip(ids, sent, stamps, received, properties, strict=True)
    return [
        f'{head}{who},{context}"originalTimestamp":"{client}","sentAt":"{client}",'
        f'"timestamp":"{stamp}","receivedAt":"{arrived}",{tail}{told}}}'
        for who, client, stamp, arrived, told in rows
    ]


class PayloadWriter:
    """Writes `events.ndjson`, and second deliveries to a file of their own.

    Both files are only finished, under their names, when everything was written.
    """

    def __init__(self, folder: Path) -> None:
        """Open the files in a folder that exists."""
        self._targets = [folder / EVENTS_FILE, folder / REDELIVERED_FILE]
        self._parts = [path.with_suffix(".ndjson.part") for path in self._targets]
        self._handles = [path.open("w", encoding="utf-8", newline="\n") for path in self._parts]
        self.counts = [0, 0]

    def write(self, tables: list[EventTable], seed: int) -> None:
        """Write the events of one block, all tables mixed in the order of arrival."""
        lines: list[str] = []
        places, firsts, again = [], [], []
        for table in tables:
            events = table.events
            lines += payload_lines(table)
            place = np.empty(len(events), dtype=np.int64)
            order = spread_order(events, seed)
            place[order] = np.sort(events.received_ms)
            places.append(place)
            firsts.append(table.is_opening)
            again.append(events.delivery > 0)
        order = np.lexsort((np.concatenate(places), ~np.concatenate(firsts)))
        second = np.concatenate(again)
        for number, rows in enumerate((order[~second[order]], order[second[order]])):
            self._handles[number].writelines(lines[row] + "\n" for row in rows.tolist())
            self.counts[number] += len(rows)

    def close(self) -> None:
        """Finish both files; an empty file of second deliveries is not kept."""
        for handle, part, target, count in zip(
            self._handles, self._parts, self._targets, self.counts, strict=True
        ):
            handle.close()
            if count == 0 and target.name == REDELIVERED_FILE:
                part.unlink()
                target.unlink(missing_ok=True)
            else:
                part.replace(target)


def _arrow_text(values: list[str | None], codes: Ints) -> pa.Array:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))


def _arrow_uuid(column: UuidColumn) -> pa.Array:
    count, width = column.text.shape
    offsets = np.arange(count + 1, dtype=np.int32) * width
    nulls = int((~column.present).sum())
    validity = pa.py_buffer(np.packbits(column.present, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.string(),
        count,
        [validity if nulls else None, pa.py_buffer(offsets), pa.py_buffer(column.text.tobytes())],
        nulls,
    )


def _arrow(column: Column) -> pa.Array:
    if isinstance(column, TextColumn):
        values: list[str | None] = column.stored_values or list(column.values)
        return _arrow_text(values, column.codes)
    if isinstance(column, UuidColumn):
        return _arrow_uuid(column)
    absent = ~column.present()
    if column.as_text is not None:
        absent |= column.as_text
    return pa.array(column.values, mask=absent)


def _arrow_times(milliseconds: Ints) -> pa.Array:
    return pa.array(milliseconds * 1000, pa.int64()).cast(pa.timestamp("us", "UTC"))


def raw_columns(table: EventTable) -> dict[str, pa.Array]:
    """Return the raw table as RudderStack's data-lake destination shapes it, columns by name."""
    events = table.events
    count = len(events)
    # What is no time was replaced by the server's clock before it reached the warehouse.
    stamp = np.where(events.has_bad_timestamp, events.received_ms, events.sent_ms)

    def same(text: str) -> pa.Array:
        return _arrow_text([text], np.zeros(count, dtype=np.int64))

    columns = {
        "id": _arrow_uuid(table.event_ids),
        "anonymous_id": _arrow_uuid(table.anonymous),
        "user_id": _arrow(table.users),
        "received_at": _arrow_times(events.received_ms),
        "sent_at": _arrow_times(events.sent_ms),
        "original_timestamp": _arrow_times(events.sent_ms),
        "timestamp": _arrow_times(stamp),
        "channel": same("server"),
        "event": same(events.table),
        "event_text": same(events.table),
        "context_library_name": same(LIBRARY),
        "context_library_version": same(LIBRARY_VERSION),
        "context_source_id": same(SOURCE_ID),
        "uuid_ts": _arrow_times(table.uploaded_ms),
    }
    for column in table.properties:
        columns[column_name(column.path)] = _arrow(column)
    return columns


class ParquetWriter:
    """Writes `<table>.parquet` for the seven event tables, one row group per block.

    A table without any event gets no file, as RudderStack makes no table before the first event.
    """

    def __init__(self, folder: Path) -> None:
        """Open files in a folder that exists as soon as a table has events."""
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._schemas: dict[str, pa.Schema] = {}

    def write(self, tables: list[EventTable], seed: int) -> None:
        """Write one row group per table that has events in this block."""
        for table in tables:
            if len(table.events) == 0:
                continue
            name = table.events.table
            if name in OUTCOMES:
                name = TRACKS
            order = pa.array(spread_order(table.events, seed))
            columns = raw_columns(table)
            if name != TRACKS:
                columns.setdefault("parent_interaction_id", pa.nulls(len(order), pa.string()))
            columns = dict(sorted(columns.items()))
            arrays = [array.take(order) for array in columns.values()]
            if name not in self._writers:
                schema = pa.schema([(n, a.type) for n, a in zip(columns, arrays, strict=True)])
                plain = pa.schema([(f.name, _plain_type(f.type)) for f in schema])
                self._schemas[name] = plain
                self._writers[name] = pq.ParquetWriter(
                    self._part(name), plain, compression="snappy", store_schema=False
                )
            batch = pa.table(dict(zip(columns, arrays, strict=True)))
            self._writers[name].write_table(batch.cast(self._schemas[name]))

    def _part(self, table: str) -> Path:
        return self._folder / f"{table}.parquet.part"

    def close(self) -> None:
        """Finish all files."""
        for name, writer in self._writers.items():
            writer.close()
            self._part(name).replace(self._folder / f"{name}.parquet")
        for name in {*TABLES, TRACKS} - set(self._writers):
            (self._folder / f"{name}.parquet").unlink(missing_ok=True)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
