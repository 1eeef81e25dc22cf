"""JSON documents out of the lines of a file: one a line, one over many lines, or an array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from scripts.importer.model import Counts

NOT_JSON = "line that is no JSON"
CUT_OFF = "JSON document that is cut off"

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_decode_one = msgspec.json.Decoder().decode
_decode = json.JSONDecoder().raw_decode


def read_json(text: bytes | str) -> object:
    """Return the value that a JSON text is; NaN and infinities are taken, too.

    Half of a pair of surrogates, which no file and no database can hold, becomes a question mark.
    Raises ValueError for what is no JSON, RecursionError for what is nested too deeply.
    """
    with suppress(ValueError, RecursionError, msgspec.DecodeError):
        return _decode_one(text)
    # Python's own reader takes what is no strict JSON.
    return _with_whole_characters(json.loads(text))


def _with_whole_characters(value: object) -> object:
    if type(value) is str:
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if type(value) is list:
        return [_with_whole_characters(item) for item in value]
    if type(value) is dict:
        return {
            _with_whole_characters(name): _with_whole_characters(item)
            for name, item in value.items()
        }
    return value


def documents(chunks: Iterable[bytes], counts: Counts) -> Iterator[object]:
    """Yield the JSON values of a file.

    A document may stand on one line or be spread over several, and several may follow each other
    on one line. The elements of an array whose opening bracket is a line of its own are yielded
    one by one, so that such an array does not have to fit in memory. What is not JSON is counted.
    """
    pending: list[bytes] = []
    depth = 0
    is_in_array = False
    for number, raw in enumerate(chunks):
        chunk = raw if number else raw.removeprefix(BYTE_ORDER_MARK)
        for line in _split_at_new_document(chunk) if pending else (chunk,):
            text = line.strip()
            if pending and line[:1] == b"{" and _is_object(_element(text)):
                # The document before was never closed: what follows begins anew.
                counts.skipped[CUT_OFF] += 1
                pending, depth = [], 0
            if not pending:
                if text in (b"", b","):
                    continue
                if text in (b"[", b"]"):
                    is_in_array = text == b"["
                    continue
                values = _parsed(_element(text) if is_in_array else text)
                if values is not None:
                    yield from values
                    continue
            pending.append(line)
            depth += _opened(text)
            if depth <= 0:
                values = _parsed(_element(b"".join(pending).strip()))
                if values is None:
                    counts.skipped[NOT_JSON] += len(pending)
                else:
                    yield from values
                pending, depth = [], 0
    if pending:
        counts.skipped[CUT_OFF] += 1


def _element(text: bytes) -> bytes:
    """Return an element of an array without the comma behind it."""
    return text[:-1].rstrip() if text[-1:] == b"," else text


def _split_at_new_document(line: bytes) -> tuple[bytes, ...]:
    """Split a line in which one document ends at the margin and the next begins: `}{`."""
    if line[:1] in (b"}", b"]") and line[1:].lstrip()[:1] in (b"{", b"["):
        return line[:1], line[1:].lstrip()
    return (line,)


def _is_object(text: bytes) -> bool:
    return len(text) > 2 and text[-1:] == b"}" and _parsed(text) is not None


def _parsed(text: bytes) -> list[object] | None:
    """Return the JSON values that a text consists of, None if it is no JSON."""
    if text[:1] not in (b"{", b"["):
        return None
    try:
        return [read_json(text)]
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            return None
    except (ValueError, RecursionError):
        return None
    values = []
    try:
        rest = text.decode()
        while rest:
            value, end = _decode(rest)
            values.append(_with_whole_characters(value))
            rest = rest[end:].lstrip()
    except (ValueError, RecursionError):
        return None
    return values


def _opened(line: bytes) -> int:
    """Return how many brackets a line opens and leaves open, those in texts apart."""
    bare = _STRING.sub(b"", line)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
