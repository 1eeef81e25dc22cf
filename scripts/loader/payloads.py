"""From one JSON payload to the typed row RudderStack would write for it."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, replace
from typing import NoReturn

from scripts.loader.naming import DROPPED_COLUMNS, column_name, snake_case, table_name
from scripts.loader.times import Instant, envelope_time, skew_corrected
from scripts.loader.values import (
    DEEPEST_NESTING,
    BlankText,
    JsonText,
    RejectedError,
    clean,
    is_blank,
    json_text,
    plain_text,
    typed,
)

# RudderStack fails an event with more columns than this, `uuid_ts` included.
MOST_COLUMNS = 1600
# Makes the id of an event without messageId from its text, so that a second load adds no row.
_MESSAGE_ID_NAMESPACE = uuid.UUID("8f5bb6f5-6d0e-5c3c-9b0a-6f5a6b1f3f5e")
_CACHED_NAMES = 200_000
# A nested object at this level of a cloud source becomes one column of JSON text.
_CLOUD_LEVEL = 3

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted event: the row of `tracks` and the row of its own table, either may be absent.

    `tracks_row` is None when the payload asks to skip that table; `table` and `row` are None when
    the event has no name that could be a table.
    """

    tracks_row: Row | None
    table: str | None
    row: Row | None


@dataclass(frozen=True, slots=True)
class _Options:
    """What an event asks for that most events do not.

    `json_paths` holds (key path joined with `_`, number of keys before the last one);
    `root` is the key of the payload the paths start from.
    """

    is_cloud: bool = False
    json_paths: frozenset[tuple[str, int]] = frozenset()
    skips_tracks: bool = False
    root: str = ""


_NO_OPTIONS = _Options()
_EVENT_TYPES = ("track", "identify", "page", "screen", "alias", "group", "extract")


def _refuse_constant(name: str) -> NoReturn:
    raise RejectedError(f"invalid JSON: {name} is not a JSON number")


# Escapes that may stand for NUL or for half a surrogate pair.
_UNCLEAN = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def parse(text: str) -> object:
    """Return the JSON value of a line; a key that occurs twice keeps its last value.

    Removes NUL characters and replaces lone surrogates. Raises RejectedError with the reason.
    """
    try:
        value = _decoder.decode(text)
        if _UNCLEAN.search(text):
            value = clean(value)
    except json.JSONDecodeError as error:
        raise RejectedError(f"invalid JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise RejectedError(f"nested deeper than {DEEPEST_NESTING} levels") from None
    except ValueError:
        # Python refuses to read whole numbers of thousands of digits.
        raise RejectedError("number outside the range of a 64-bit float") from None
    return value


class EventReader:
    """Turns payloads into typed rows. Holds the name caches, so use one per load."""

    def __init__(self, load_time: Instant) -> None:
        """Remember `load_time`: the arrival time of events that carry no time at all."""
        self._load_time = load_time
        self._columns: dict[str, str] = {}
        self._tables: dict[str, tuple[str, str]] = {}
        self._instants: dict[str, Instant | None] = {}

    def read(self, payload: object, line: str | None) -> Event:
        """Return the rows of one payload.

        `line` is the text the payload was read from (it gives an event without messageId its id),
        or None for an event of a batch, which must name its type as on RudderStack's endpoint.
        Raises RejectedError when RudderStack would not load the event.
        """
        if type(payload) is not dict:
            raise RejectedError(f"not an object but {_json_kind(payload)}")
        _check_type(payload.get("type"), in_batch=line is None)
        if not _identifies(payload.get("userId")) and not _identifies(payload.get("anonymousId")):
            raise RejectedError("neither userId nor anonymousId is given")
        context = payload.get("context")
        if context is not None and type(context) is not dict:
            raise RejectedError(f"context is not an object but {_json_kind(context)}")

        options = _options(payload)
        common = self._standard_columns(payload, context, line)
        event_value, table = self._event_names(common.get("event_text"))
        common["event"] = event_value or BlankText(" ")
        if context:
            self._flatten(context, "context_", 0, common, options)

        tracks_row: Row | None = None if options.skips_tracks else common
        row: Row | None = None
        if table:
            row = dict(common)
            for key in ("properties", "userProperties"):
                fields = payload.get(key)
                if type(fields) is dict:
                    at_root = (
                        options if options is _NO_OPTIONS else replace(options, root=f"{key}_")
                    )
                    self._flatten(fields, "", 0, row, at_root)
            row.update(common)
        record_id = _cloud_record_id(payload, context) if options.is_cloud else None
        if record_id is not None:
            tracks_row = None if tracks_row is None else common | {"record_id": record_id}
            if row is not None:
                row["id"] = record_id
        widest = max(len(tracks_row or ()), len(row or ())) + 1
        if widest > MOST_COLUMNS and not options.is_cloud:
            raise RejectedError(f"too many columns: {widest}, the limit is {MOST_COLUMNS}")
        return Event(tracks_row, table or None, row)

    def _standard_columns(self, payload: dict, context: dict | None, line: str | None) -> Row:
        common: Row = {"id": _message_id(payload, line)}
        self._copy(payload.get("anonymousId"), "anonymous_id", common)
        self._copy(payload.get("userId"), "user_id", common)
        sent = self._time(payload.get("sentAt"))
        original = self._time(payload.get("originalTimestamp"))
        chosen = self._time(payload.get("timestamp"))
        received = self._time(payload.get("receivedAt"))
        if received is None:
            # RudderStack would take its server's clock; the best stand-in without a server.
            received = sent or original or chosen or self._load_time
        sent = received if sent is None else sent
        original = received if original is None else original
        common["received_at"] = received
        common["sent_at"] = sent
        common["original_timestamp"] = original
        common["timestamp"] = skew_corrected(received, sent, original) if chosen is None else chosen
        self._copy(payload.get("channel"), "channel", common)
        self._copy(payload.get("event"), "event_text", common)
        request_ip = payload.get("request_ip")
        passed_ip = context.get("ip") if context else None
        if request_ip is not None or passed_ip is not None:
            self._copy(request_ip if is_blank(passed_ip) else passed_ip, "context_ip", common)
            self._copy(request_ip, "context_request_ip", common)
            self._copy(passed_ip, "context_passed_ip", common)
        return common

    @staticmethod
    def _copy(value: object, column: str, row: Row) -> None:
        # Standard columns take scalars only: RudderStack leaves objects and arrays out.
        if value is not None and value != "" and type(value) not in (dict, list):
            row[column] = typed(value)

    def _time(self, value: object) -> Instant | None:
        if type(value) is not str:
            return None
        cache = self._instants
        if value not in cache:
            if len(cache) > _CACHED_NAMES:
                cache.clear()
            cache[value] = envelope_time(value)
        return cache[value]

    def _event_names(self, event_text: object) -> tuple[str, str]:
        if isinstance(event_text, Instant):
            name = event_text.text()
        elif isinstance(event_text, str):
            name = event_text
        else:
            return "", ""
        cache = self._tables
        if name not in cache:
            if len(cache) > _CACHED_NAMES:
                cache.clear()
            event_value = snake_case(name)
            cache[name] = (event_value, table_name(event_value) if event_value else "")
        return cache[name]

    def _flatten(self, fields: dict, prefix: str, level: int, row: Row, options: _Options) -> None:
        if level > DEEPEST_NESTING:
            raise RejectedError(f"nested deeper than {DEEPEST_NESTING} levels")
        columns = self._columns
        if prefix == "context_traits_" and _is_spelled_out(fields):
            spelled = "".join(fields[key] for key in sorted(fields, key=int))
            row["context_traits"] = typed(spelled)
            return
        # Sorted keys: of two keys that share a column RudderStack keeps the later one.
        for key in sorted(fields):
            value = fields[key]
            if value is None or value == "":
                continue
            path = prefix + key
            if type(value) is list and is_blank(value):
                continue
            if options.json_paths and _is_json_path(path, level, options):
                value = JsonText(json_text(value, escape_html=False))
            elif type(value) is dict:
                if not (options.is_cloud and level >= _CLOUD_LEVEL):
                    self._flatten(value, path + "_", level + 1, row, options)
                    continue
                value = json_text(value, escape_html=False)
            column = columns.get(path)
            if column is None:
                if len(columns) > _CACHED_NAMES:
                    columns.clear()
                column = column_name(path)
                if column in DROPPED_COLUMNS:
                    column = ""
                columns[path] = column
            if column:
                row[column] = typed(value)


def _options(payload: dict) -> _Options:
    """Read the options an event carries for a Postgres destination, and its source category."""
    is_cloud = payload.get("channel") == "sources"
    integrations = payload.get("integrations")
    if type(integrations) is not dict or not integrations.keys() & {"POSTGRES", "DATA_WAREHOUSE"}:
        return _Options(is_cloud=True) if is_cloud else _NO_OPTIONS
    found: list[dict] = []
    for destination in ("POSTGRES", "DATA_WAREHOUSE"):
        settings = integrations.get(destination)
        options = settings.get("options") if type(settings) is dict else None
        found.append(options if type(options) is dict else {})
    paths = [
        path
        for options in found
        if type(options.get("jsonPaths")) is list
        for path in options["jsonPaths"]
        if type(path) is str
    ]
    return _Options(
        is_cloud=is_cloud,
        json_paths=frozenset(map(_json_path, paths)),
        skips_tracks=found[0].get("skipTracksTable") is True,
    )


def _json_path(path: str) -> tuple[str, int]:
    # `tool_input.schema` means a property; `track.properties.tool_input` spells the place out.
    # Only a spelled-out path keeps a dot, so that the two cannot be confused.
    first, *rest = path.split(".")
    if rest and first.lower() in _EVENT_TYPES:
        return f"{first.lower()}." + "_".join(rest), len(rest)
    return "_".join([first, *rest]), len(rest)


def _is_json_path(path: str, level: int, options: _Options) -> bool:
    spelled_out = (f"track.{options.root}{path}", level + 2)
    return (path, level) in options.json_paths or spelled_out in options.json_paths


def _check_type(event_type: object, *, in_batch: bool) -> None:
    if event_type == "track":
        return
    if event_type is None or event_type == "":
        if in_batch:
            raise RejectedError("type is missing: every event of a batch must name its type")
        return
    if type(event_type) is not str:
        raise RejectedError(f"type is not text but {_json_kind(event_type)}")
    if event_type.lower() != "track":
        raise RejectedError(f"not a track call: type is {event_type[:100]!r}")


def _identifies(value: object) -> bool:
    return value is not None and not (type(value) is str and not value.strip())


def _message_id(payload: dict, line: str | None) -> str:
    # Always text, also where RudderStack would make a date or a number of it: it is the key.
    value = payload.get("messageId")
    if type(value) is str and value.strip():
        return value.strip()
    if type(value) in (int, float):
        return plain_text(typed(value))
    written = json.dumps(payload, ensure_ascii=False) if line is None else line
    return str(uuid.uuid5(_MESSAGE_ID_NAMESPACE, written))


def _cloud_record_id(payload: dict, context: dict | None) -> str | None:
    sources = context.get("sources") if context else None
    if type(sources) is not dict or is_blank(sources.get("version")):
        return None
    record_id = payload.get("recordId")
    if is_blank(record_id) or type(record_id) in (dict, list):
        raise RejectedError("recordId is missing or not a plain value")
    return plain_text(typed(record_id))


def _is_spelled_out(fields: dict) -> bool:
    # {"0": "a", "1": "b"}: a string some SDK spread over an object.
    if not fields or not all(
        key.isascii() and key.isdigit() and type(value) is str and len(value.encode()) == 1
        for key, value in fields.items()
    ):
        return False
    first = 0 if "0" in fields else 1
    return all(str(number) in fields for number in range(first, first + len(fields)))


def _json_kind(value: object) -> str:
    if value is None:
        return "null"
    names = {
        dict: "an object",
        list: "an array",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names[type(value)]
