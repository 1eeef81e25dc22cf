"""Values of trace files as what they stand for, None where they are something else.

Nothing here raises, whatever a file holds.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from scripts.importer.model import Tokens

NANOSECONDS_PER_SECOND = 1_000_000_000
_LAST_SECOND = 253_402_300_799
_LARGEST_COUNT = 10**18
_LONGEST_NAME = 200
LONGEST_ERROR_MESSAGE = 300
_WORD = re.compile(r"\w[\w.-]*")
_FRACTION = re.compile(r"\.(\d+)")


def text(value: Any) -> str | None:
    """Return a text that is not empty and that any file and database can hold; numbers as text."""
    if type(value) is not str:
        if type(value) in (int, float):
            return str(value) if abs(value) < _LARGEST_COUNT else None
        return None
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    if "\0" in value:
        value = value.replace("\0", "")
    return value or None


def name(value: Any) -> str | None:
    """Return a name: a text of one line and a bounded length."""
    known = text(value)
    return (" ".join(known.split())[:_LONGEST_NAME] or None) if known else None


def count(value: Any) -> int | None:
    """Return a whole number from 0, also one written as text or as a float."""
    number = _number(value)
    if number is None or number != int(number):
        return None
    return int(number) if 0 <= number <= _LARGEST_COUNT else None


def whole(value: Any) -> int | None:
    """Return a whole number, also one written as text."""
    if type(value) is str:
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() and len(value) < 25 else None
    return value if type(value) is int else None


def amount(value: Any) -> float | None:
    """Return an amount of money above 0: a bare 0 beside tokens means that nobody knows."""
    number = _number(value)
    return float(number) if number is not None and 0 < number <= _LARGEST_COUNT else None


def _number(value: Any) -> int | float | None:
    if type(value) is str:
        try:
            value = float(value) if len(value) < 40 else None
        except ValueError:
            return None
    if type(value) is int:
        return value if abs(value) <= _LARGEST_COUNT else None
    return value if type(value) is float and math.isfinite(value) else None


def first_word(value: Any) -> str | None:
    """Return the first word of a list, also of one that is written as text (`["stop"]`)."""
    if type(value) is list:
        value = value[0] if value else None
    known = text(value)
    if known is None:
        return None
    if known[0] == "[":
        found = _WORD.search(known)
        return found.group()[:_LONGEST_NAME] if found else None
    return known[:_LONGEST_NAME]


def nanoseconds(value: Any) -> int | None:
    """Return nanoseconds since 1970 of a count of them, also one written as text."""
    if type(value) is str:
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 25 else None
    elif type(value) is float and math.isfinite(value):
        value = int(value)
    if type(value) is not int:
        return None
    return value if 0 < value < _LAST_SECOND * NANOSECONDS_PER_SECOND else None


def moment(value: Any) -> int | None:
    """Return nanoseconds since 1970 of an ISO time (UTC where no zone is given) or of a count.

    A count is one of seconds, milliseconds, microseconds or nanoseconds, whichever puts it between
    1973 and 2286.
    """
    if type(value) is str:
        if not value.isdigit():
            return _iso_moment(value)
        value = int(value) if value.isascii() and len(value) < 25 else None
    if type(value) is float and math.isfinite(value) and 0 < value < 1e19:
        value = round(value * NANOSECONDS_PER_SECOND) if value < 1e10 else int(value)
    if type(value) is not int or value <= 0:
        return None
    for digits in (10, 13, 16, 19):
        if value < 10**digits:
            return nanoseconds(value * 10 ** (19 - digits))
    return None


def _iso_moment(value: str) -> int | None:
    if not 10 <= len(value) <= 40:
        return None
    try:
        at = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    days = at.toordinal() - 719_163
    seconds = days * 86_400 + at.hour * 3600 + at.minute * 60 + at.second
    found = _FRACTION.search(value)
    fraction = int(found.group(1)[:9].ljust(9, "0")) if found else 0
    return nanoseconds(seconds * NANOSECONDS_PER_SECOND + fraction)


def http_status(value: Any) -> int | None:
    """Return a status of an HTTP response."""
    number = count(value)
    return number if number is not None and 100 <= number <= 599 else None


def disjoint_tokens(
    read: Tokens, total: int | None = None, *, is_exclusive: bool | None = None
) -> Tokens:
    """Return token counts of which none contains another, except reasoning, which is output.

    `read` has the counts as sent, where the input may contain the cached tokens and the output may
    lack the reasoning. `is_exclusive` says which of the two a format means, None for neither; but
    `total` shows what was sent, and more cached tokens than input cannot be part of it.
    """
    cached = (read.cache_read or 0) + (read.cache_write or 0)
    sent = (read.input or 0) + (read.output or 0)
    reasoning = read.reasoning or 0
    is_beside = bool(is_exclusive)
    if total is not None and total > 0:
        if total == sent:
            is_beside = False
        elif total == sent + cached + reasoning:
            is_beside = True
    is_input_beside = is_beside or (read.input is not None and cached > read.input)
    if total is not None and cached and reasoning:
        # Only one of the two may lie beside.
        if total == sent + cached:
            return _disjoint(read, is_input_beside=True, is_reasoning_beside=False)
        if total == sent + reasoning:
            return _disjoint(read, is_input_beside=False, is_reasoning_beside=True)
    is_output_beside = is_beside or (read.output is not None and reasoning > read.output)
    return _disjoint(read, is_input_beside=is_input_beside, is_reasoning_beside=is_output_beside)


def _disjoint(read: Tokens, *, is_input_beside: bool, is_reasoning_beside: bool) -> Tokens:
    cached = (read.cache_read or 0) + (read.cache_write or 0)
    fresh, output = read.input, read.output
    if fresh is not None and not is_input_beside and cached <= fresh:
        fresh -= cached
    if output is not None and is_reasoning_beside:
        output += read.reasoning or 0
    return Tokens(
        input=fresh,
        output=output,
        cache_read=read.cache_read,
        cache_write=read.cache_write,
        cache_write_1h=read.cache_write_1h,
        reasoning=read.reasoning,
    )
