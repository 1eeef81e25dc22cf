"""Values: their RudderStack type, their text, and what happens in a column of another type.

A type is named by the Python class that carries it: `str`, `int`, `float`, `bool`, `Instant`
(datetime) and `JsonText` (a column of JSON). Three more classes mark values that need a second
look before they are stored: `WideInteger`, `BlankText` and `ArrayText`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from json.encoder import encode_basestring  # escapes like Go: quotes, backslash, control characters

from scripts.loader.times import Instant, property_time

# Deeper nesting than this is refused: no real payload has it, and Python's stack is finite.
DEEPEST_NESTING = 200
# RudderStack reads every JSON number as a 64-bit float, so whole numbers beyond this are rounded.
_LARGEST_EXACT = 2**53
INT64_RANGE = (-(2**63), 2**63 - 1)


class WideInteger(int):
    """A whole number beyond 2^53: it may not fit the column."""

    __slots__ = ()


class BlankText(str):
    """A string of white space only: it makes a column, but is loaded as null on Postgres."""

    __slots__ = ()


class ArrayText(str):
    """The JSON text of an array, which also keeps the array for the record of a discard."""

    __slots__ = ("items",)
    items: list[object]


class JsonText(str):
    """A value that is JSON text, and the type of JSON columns."""

    __slots__ = ()


Scalar = str | int | float | bool
Kind = type[Scalar]

KIND_NAMES: dict[type, str] = {
    str: "string",
    int: "int",
    float: "float",
    bool: "boolean",
    Instant: "datetime",
    JsonText: "json",
}
_MARKED_KINDS: dict[type, type] = {WideInteger: int, BlankText: str, ArrayText: str}


class RejectedError(Exception):
    """An event or line that cannot be loaded; the message is the reason."""


class DiscardedError(Exception):
    """A value that does not fit its column; the message is the reason."""


def kind_of(value: object) -> type:
    """Return the RudderStack type of a value that `typed` has made."""
    kind = type(value)
    return _MARKED_KINDS.get(kind, kind)


def is_blank(value: object) -> bool:
    """Tell whether a JSON value makes neither a column nor a value.

    Blank are null, "", [] and an array whose only element is blank but not null (`[""]`, `[[]]`).
    """
    depth = 0
    while type(value) is list and len(value) == 1 and value[0] is not None:
        value = value[0]
        depth += 1
        if depth > DEEPEST_NESTING:
            raise RejectedError(_too_deep())
    return value is None or value in ("", [])


def typed(value: object) -> Scalar:
    """Return a JSON scalar or array as the class that names its type.

    Whole numbers (`1.0`, `2e3`) become int, strings that look like an ISO date become `Instant`,
    arrays become JSON text. Raises RejectedError for numbers a 64-bit float cannot hold and for
    arrays nested too deeply.
    """
    kind = type(value)
    if kind is str:
        if len(value) >= 10 and value[4] == "-" and value[7] == "-":
            timestamp = property_time(value)
            if timestamp is not None:
                return timestamp
        return BlankText(value) if value.isspace() else value
    if kind is bool or kind is JsonText:
        return value
    if kind is list:
        array = ArrayText(json_text(value, escape_html=True))
        array.items = value
        return array
    if kind is int:
        if -_LARGEST_EXACT <= value <= _LARGEST_EXACT:
            return value
        try:
            return WideInteger(float(value))
        except OverflowError:
            raise RejectedError(_too_large()) from None
    if value.is_integer():
        whole = int(value)
        return whole if -_LARGEST_EXACT <= whole <= _LARGEST_EXACT else WideInteger(whole)
    if value in (float("inf"), float("-inf")):
        raise RejectedError(_too_large())
    return value


def convert(value: Scalar, kind: type) -> Scalar | None:
    """Return `value` as a column of type `kind` holds it (None: null without a discard).

    Follows RudderStack's conversion table: a float loses its fraction in an int column, anything
    becomes text in a string column, a JSON column takes everything, the rest does not mix.
    Raises DiscardedError with RudderStack's reason text when the value does not fit.
    """
    own_kind = kind_of(value)
    if kind is JsonText:
        return _as_json(value)
    if own_kind is not kind and kind is str:
        return plain_text(value)
    if own_kind is int and kind is float:
        return float(value)
    if own_kind is float and kind is int:
        own_kind, value = int, int(value)
    if own_kind is not kind:
        raise DiscardedError(
            f"incompatible schema conversion from {KIND_NAMES[kind]} to {KIND_NAMES[own_kind]}"
        )
    if kind is int and not INT64_RANGE[0] <= value <= INT64_RANGE[1]:
        raise DiscardedError("whole number outside the 64-bit range")
    if type(value) is BlankText:
        return None
    if type(value) is ArrayText:
        return str(value)
    return int(value) if type(value) is WideInteger else value


def plain_text(value: object) -> str:
    """Return the text Go's `%v` prints: `7`, `1e+06`, `true`, `[a 1 <nil> map[k:v]]`."""
    if isinstance(value, Instant):
        return value.text()
    if isinstance(value, ArrayText):
        return _go_value(value.items, 0)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    return _go_value(value, 0)


def json_text(value: object, *, escape_html: bool) -> str:
    """Return JSON as Go's encoder writes it: sorted keys, no spaces, `\\u003c` for `<`.

    `escape_html` escapes `<`, `>` and `&`, which RudderStack does for arrays but not for nested
    objects of cloud sources. Raises RejectedError when the value is nested too deeply.
    """
    text = _encode(value, 0)
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if escape_html:
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text


_UNWANTED = re.compile("[\x00\ud800-\udfff]")


def clean(value: object) -> object:
    """Return parsed JSON without NUL characters and with U+FFFD for lone surrogates.

    Postgres text cannot hold NUL, and UTF-8 cannot hold half a surrogate pair.
    """
    if isinstance(value, str):
        return _UNWANTED.sub(lambda found: "" if found[0] == "\x00" else "\ufffd", value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return value


def _as_json(value: object) -> str:
    if isinstance(value, JsonText | ArrayText):
        return str(value)
    if isinstance(value, Instant):
        return encode_basestring(value.text())
    return json_text(value, escape_html=True)


def _encode(value: object, depth: int) -> str:
    if depth > DEEPEST_NESTING:
        raise RejectedError(_too_deep())
    if value is None:
        return "null"
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _json_number(value)
    if isinstance(value, list):
        return "[" + ",".join([_encode(item, depth + 1) for item in value]) + "]"
    pairs = [f"{encode_basestring(key)}:{_encode(value[key], depth + 1)}" for key in sorted(value)]
    return "{" + ",".join(pairs) + "}"


def _as_float(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise RejectedError(_too_large()) from None
    if number in (float("inf"), float("-inf")):
        raise RejectedError(_too_large())
    return number


def _json_number(value: float) -> str:
    number = _as_float(value)
    size = abs(number)
    if number == 0 or 1e-6 <= size < 1e21:
        text = format(Decimal(repr(number)), "f")
        return text.removesuffix(".0")
    mantissa, exponent = f"{Decimal(repr(number)).normalize():e}".split("e")
    return f"{mantissa}e{int(exponent):+d}"


def _go_value(value: object, depth: int) -> str:
    if depth > DEEPEST_NESTING:
        raise RejectedError(_too_deep())
    if value is None:
        return "<nil>"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        number = Decimal(repr(_as_float(value))).normalize()
        exponent = number.adjusted()
        if number == 0 or -4 <= exponent < 6:
            return format(number, "f")
        digits = "".join(map(str, number.as_tuple().digits))
        mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        return f"{'-' if number < 0 else ''}{mantissa}e{exponent:+03d}"
    if isinstance(value, list):
        return "[" + " ".join([_go_value(item, depth + 1) for item in value]) + "]"
    pairs = [f"{key}:{_go_value(value[key], depth + 1)}" for key in sorted(value)]
    return "map[" + " ".join(pairs) + "]"


def _too_deep() -> str:
    return f"nested deeper than {DEEPEST_NESTING} levels"


def _too_large() -> str:
    return "number outside the range of a 64-bit float"
