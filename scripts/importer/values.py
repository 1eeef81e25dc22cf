"""Values of trace files as what they stand for, None where they are something else.

Nothing here raises, whatever a file holds.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache

NANOSECONDS_PER_SECOND = 1_000_000_000
_LAST_SECOND = 253_402_300_799
_LAST_NANOSECOND = _LAST_SECOND * NANOSECONDS_PER_SECOND
_LARGEST_COUNT = 10**18
_LONGEST_NAME = 200
LONGEST_ERROR_MESSAGE = 300
_WORD = re.compile(r"\w[\w.-]*")
_MODEL_PATH = re.compile(r"^(?:.*/)?(?:models|foundation-model|inference-profile)/")
_FRACTION = re.compile(r"\.(\d+)")


def text(value: object) -> str | None:
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


def name(value: object) -> str | None:
    """Return a name: a text of one line and a bounded length."""
    if type(value) is str and len(value) <= _LONGEST_NAME:
        return _known_name(value)
    return _name(value)


def _name(value: object) -> str | None:
    known = text(value)
    if known is None:
        return None
    if not known.isprintable():
        known = " ".join(known.split())
    return known[:_LONGEST_NAME].strip() or None


# The same names come again and again.
_known_name = lru_cache(maxsize=16_384)(_name)


def model(value: object) -> str | None:
    """Return the name of a model, also out of the path of a cloud: `projects/…/models/NAME`."""
    known = name(value)
    if known is None or "/" not in known:
        return known
    return _MODEL_PATH.sub("", known) or known


def count(value: object) -> int | None:
    """Return a whole number from 0, also one written as text or as a float."""
    if type(value) is int:
        return value if 0 <= value <= _LARGEST_COUNT else None
    number = _number(value)
    if number is None or number != int(number):
        return None
    return int(number) if 0 <= number <= _LARGEST_COUNT else None


def whole(value: object) -> int | None:
    """Return a whole number, also one written as text."""
    if type(value) is str:
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() and len(value) < 25 else None
    return value if type(value) is int else None


def amount(value: object) -> float | None:
    """Return an amount of money above 0: a bare 0 beside tokens means that nobody knows."""
    number = _number(value)
    return float(number) if number is not None and 0 < number <= _LARGEST_COUNT else None


def _number(value: object) -> int | float | None:
    if type(value) is str:
        try:
            value = float(value) if len(value) < 40 else None
        except ValueError:
            return None
    if type(value) is int:
        return value if abs(value) <= _LARGEST_COUNT else None
    return value if type(value) is float and math.isfinite(value) else None


def first_word(value: object) -> str | None:
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


def nanoseconds(value: object) -> int | None:
    """Return nanoseconds since 1970 of a count of them, also one written as text."""
    if type(value) is str:
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 25 else 0
    elif type(value) is float and math.isfinite(value):
        value = int(value)
    return value if type(value) is int and 0 < value < _LAST_NANOSECOND else None


def moment(value: object) -> int | None:
    """Return nanoseconds since 1970 of an ISO time (UTC where no zone is given) or of a count.

    A count is one of seconds, milliseconds, microseconds or nanoseconds, whichever puts it between
    1973 and 2286, or a pair of seconds and nanoseconds.
    """
    if type(value) is list:
        parts = [nanoseconds(part) or 0 for part in value]
        if len(parts) != 2 or parts[0] > _LAST_SECOND:
            return None
        return nanoseconds(parts[0] * NANOSECONDS_PER_SECOND + parts[1])
    if isinstance(value, datetime):
        value = value.isoformat()
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


def http_status(value: object) -> int | None:
    """Return a status of an HTTP response."""
    number = count(value)
    return number if number is not None and 100 <= number <= 599 else None


def disjoint_tokens(
    sent: dict[str, int],
    total: int | None = None,
    *,
    is_exclusive: bool = False,
    other_input: int = 0,
    other_output: int = 0,
) -> dict[str, int]:
    """Return token counts of which none contains another, except reasoning, which is output.

    `sent` has the counts by their names in `Tokens`, as far as they were sent. A format means by
    its input either all of it or all but the cached tokens, by its output all of it or all but the
    reasoning; `other_input` and `other_output` are further parts (audio). `is_exclusive` says which
    of the two a format means; but `total` shows what was meant in fact, and a part larger than the
    whole lies beside it.
    """
    cached = sent.get("cache_read", 0) + sent.get("cache_write", 0)
    reasoning = sent.get("reasoning", 0)
    if not (cached or reasoning or other_input or other_output):
        return dict(sent)
    fresh, output = sent.get("input"), sent.get("output")
    wholes = (fresh or 0) + (output or 0)
    of_input, of_output = cached + other_input, reasoning + other_output
    is_input_beside = is_output_beside = is_exclusive
    if total:
        # Where several readings give the same total, the parts are 0 and it does not matter.
        if total == wholes:
            is_input_beside = is_output_beside = False
        elif total == wholes + of_input + of_output:
            is_input_beside = is_output_beside = True
        elif total == wholes + of_input:
            is_input_beside, is_output_beside = True, False
        elif total == wholes + of_output:
            is_input_beside, is_output_beside = False, True
    tokens = dict(sent)
    if fresh is not None:
        if is_input_beside:
            tokens["input"] = fresh + other_input
        elif cached <= fresh:
            tokens["input"] = fresh - cached
    if output is not None and (is_output_beside or reasoning > output):
        tokens["output"] = output + of_output
    return tokens
