"""Times in payloads: which strings are datetimes, and which instants they mean."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_PER_DAY = 86_400_000
# RudderStack believes instants of the years 1 to 9999 only.
EARLIEST = -(_EPOCH_DAY - 1) * _MILLISECONDS_PER_DAY
LATEST = (date(9999, 12, 31).toordinal() - _EPOCH_DAY + 1) * _MILLISECONDS_PER_DAY - 1

_LONGEST_DATETIME = 39
_DATE = r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?"
_PROPERTY_TIME = re.compile(
    _DATE + rf"(?:[T ]{_CLOCK}(Z|z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?)?"
)
_ENVELOPE_TIME = re.compile(
    r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})"
    rf"(?:[Tt ]+{_CLOCK.replace(chr(92) + '.', '[.,]')}"
    r" ?(Z|z|UTC|GMT|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?(?: UTC)?)?"
)
_AMERICAN_TIME = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?: (.*))?")
_COMPACT_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2}))?")
# Digits of an epoch time: how many of its units make a millisecond, or how many ms one unit is.
_EPOCH_UNITS = {10: (1000, 1), 13: (1, 1), 16: (1, 1000), 19: (1, 1_000_000)}


class Instant(int):
    """A time as milliseconds since 1970 in UTC; its own class marks the type `datetime`."""

    __slots__ = ()

    def text(self) -> str:
        """Return the ISO 8601 text RudderStack writes: UTC with milliseconds."""
        timestamp = _EPOCH + timedelta(milliseconds=int(self))
        return f"{timestamp:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{int(self) % 1000:03d}Z"


def property_time(text: str) -> Instant | None:
    """Return the instant of a string that RudderStack takes for a datetime, else None.

    The pattern is `YYYY-MM-DD`, optionally with `T` or a space, `HH:MM[:SS[.fff]]` and `Z` or an
    offset. Fractions are cut to milliseconds. A day the month does not have (30 February) is
    counted on into the next month, at midnight, as RudderStack does it.
    """
    if len(text) > _LONGEST_DATETIME:
        return None
    match = _PROPERTY_TIME.fullmatch(text)
    return _instant(match) if match else None


def envelope_time(value: object) -> Instant | None:
    """Return the instant of `timestamp`, `sentAt`, `receivedAt` or `originalTimestamp`, else None.

    RudderStack reads these keys with a lenient parser. Understood here: ISO 8601 and its usual
    variations, `YYYY/MM/DD`, `MM/DD/YYYY`, `YYYYMMDD[HHMMSS]`, epoch seconds to nanoseconds as
    digits, and RFC 2822 dates. Anything that is not a string counts as absent.
    """
    if type(value) is not str:
        return None
    text = value.strip()
    if len(text) > 64:
        return None
    if match := _ENVELOPE_TIME.fullmatch(text):
        return _instant(match)
    if text.isascii() and text.isdigit():
        return _digits_time(text)
    if match := _AMERICAN_TIME.fullmatch(text):
        month, day, year, clock = match.groups()
        iso = f"{year}-{month}-{day}" + (f" {clock}" if clock else "")
        match = _ENVELOPE_TIME.fullmatch(iso)
        return _instant(match) if match else None
    try:
        timestamp = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if timestamp.tzinfo is None:
        timestamp = timestamp.replace(tzinfo=UTC)
    return _believed((timestamp - _EPOCH) // timedelta(milliseconds=1))


def skew_corrected(received: Instant, sent: Instant, original: Instant) -> Instant:
    """Return `received - (sent - original)`: the event time on the server's clock.

    Falls back to `received` when the result leaves the years 1 to 9999.
    """
    return _believed(received - (sent - original)) or received


def _digits_time(text: str) -> Instant | None:
    if len(text) in _EPOCH_UNITS:
        factor, divisor = _EPOCH_UNITS[len(text)]
        return _believed(int(text) * factor // divisor)
    match = _COMPACT_TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = match.groups()
    iso = f"{year}-{month}-{day}" + (f" {hour}:{minute}:{second}" if hour else "")
    match = _ENVELOPE_TIME.fullmatch(iso)
    return _instant(match) if match else None


def _instant(match: re.Match[str]) -> Instant | None:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    day_number = int(day)
    try:
        ordinal = date(int(year), int(month), day_number).toordinal()
    except ValueError:
        if not (1 <= int(month) <= 12 and 1 <= day_number <= 31 and int(year) >= 1):
            return None
        # A day past the end of its month: the clock is lost, the day runs on.
        ordinal = date(int(year), int(month), 1).toordinal() + day_number - 1
        return _believed((ordinal - _EPOCH_DAY) * _MILLISECONDS_PER_DAY)
    milliseconds = (ordinal - _EPOCH_DAY) * _MILLISECONDS_PER_DAY
    if hour is not None:
        milliseconds += int(hour) * 3_600_000 + int(minute) * 60_000
        if second is not None:
            milliseconds += int(second) * 1000
            if fraction is not None:
                milliseconds += int(fraction[:3].ljust(3, "0"))
        if zone is not None and zone[0] in "+-":
            minutes = int(zone[1:3]) * 60 + int(zone[3:].lstrip(":") or 0)
            milliseconds -= minutes * 60_000 if zone[0] == "+" else -minutes * 60_000
    return _believed(milliseconds)


def _believed(milliseconds: int) -> Instant | None:
    return Instant(milliseconds) if EARLIEST <= milliseconds <= LATEST else None
