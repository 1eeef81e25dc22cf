"""Input: lines of files, gzip files and standard input, read with a bound on their length."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

# RudderStack's gateway takes requests of about 4 MB; anything near this is not an event.
LONGEST_LINE = 32 * 1024 * 1024
_KEPT_OF_LONG_LINE = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
STANDARD_INPUT = "-"


class UnreadableInputError(Exception):
    """An input that cannot be read; the message names it and says what to do."""


class CutLine(bytes):
    """The beginning of a line that is longer than `LONGEST_LINE`."""


def check_inputs(names: list[str]) -> int | None:
    """Check that every input is there and can be opened, before anything is written.

    Returns the bytes to read in all, or None when that is not known (standard input, pipes).
    Raises UnreadableInputError.
    """
    if names.count(STANDARD_INPUT) > 1:
        raise UnreadableInputError("standard input (-) can be read only once: name it once")
    total: int | None = 0
    for name in names:
        if name == STANDARD_INPUT:
            total = None
            continue
        path = Path(name)
        if not path.exists():
            raise UnreadableInputError(f"{name}: no such file: check the path")
        if path.is_dir():
            raise UnreadableInputError(f"{name} is a directory: name the NDJSON files in it")
        if not path.is_file():
            total = None
            continue
        with _readable(name), path.open("rb") as raw:
            _decompressed(name, raw).read(1)
        total = None if total is None else total + path.stat().st_size
    return total


def read_lines(name: str, advance: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    """Yield line number (from 1) and content of every line that is not blank.

    `name` is a path or `-`; gzip is recognised by its first bytes. `advance` is told now and then
    how many bytes of the file (compressed ones for gzip) have been read in all.
    Raises UnreadableInputError when the file breaks off or cannot be read.
    """
    with _readable(name), _opened(name) as raw:
        counter = _CountingReader(raw)
        stream = _decompressed(name, io.BufferedReader(counter, 1024 * 1024))
        number = 0
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                kept = CutLine(line[:_KEPT_OF_LONG_LINE])
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LONGEST_LINE)
                yield number, kept
                continue
            if number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if number % 1024 == 0:
                advance(counter.position)
            if not line.isspace():
                yield number, line
        advance(counter.position)


def read_as_they_are(name: str, advance: Callable[[int], None]) -> Iterator[bytes]:
    """Yield every line as it stands, blank ones too, however long; gzip is unpacked.

    `name` is a path. `advance` is told now and then how many bytes of the file have been read in
    all. Raises UnreadableInputError when the file breaks off or cannot be read, after what comes
    before that place.
    """
    with _readable(name), _opened(name) as raw:
        counter = _CountingReader(raw)
        stream = _decompressed(name, io.BufferedReader(counter, 1024 * 1024))
        for number, line in enumerate(stream):
            if number % 1024 == 0:
                advance(counter.position)
            yield line
        advance(counter.position)


def read_beginning(name: str, size: int) -> bytes:
    """Return the first `size` bytes of a file, unpacked; fewer when it is shorter or breaks off.

    Raises UnreadableInputError when it cannot be opened or read.
    """
    beginning = b""
    with _readable(name), _opened(name) as raw:
        stream = _decompressed(name, io.BufferedReader(_CountingReader(raw), 64 * 1024))
        while len(beginning) < size:
            try:
                more = stream.read1(size - len(beginning))
            except (EOFError, gzip.BadGzipFile, zlib.error):
                if not beginning:
                    raise
                break
            if not more:
                break
            beginning += more
    return beginning


def _opened(name: str) -> AbstractContextManager[BinaryIO]:
    if name == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    return Path(name).open("rb")


class _CountingReader(io.RawIOBase):
    """Passes reads on and counts the bytes."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


def _decompressed(name: str, raw: BinaryIO | io.BufferedReader) -> BinaryIO | io.BufferedReader:
    buffered = raw if hasattr(raw, "peek") else io.BufferedReader(cast("io.RawIOBase", raw))
    magic = buffered.peek(2)[:2]
    if magic == _GZIP_MAGIC:
        return io.BufferedReader(gzip.GzipFile(fileobj=buffered, mode="rb"), 1024 * 1024)
    if magic and name.endswith(".gz"):
        raise UnreadableInputError(f"{name} is not gzip, although its name says so: rename it")
    return buffered


class _readable:  # noqa: N801 - reads as a statement: with _readable(name)
    """Turns the errors of reading into one clear line."""

    def __init__(self, name: str) -> None:
        self._name = "standard input" if name == STANDARD_INPUT else name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, EOFError):
            raise UnreadableInputError(
                f"{self._name} is cut off in the middle of its gzip data: fetch it again"
            ) from None
        if isinstance(error, gzip.BadGzipFile | zlib.error):
            raise UnreadableInputError(
                f"{self._name} is damaged gzip ({error}): fetch it again"
            ) from None
        if isinstance(error, OSError):
            raise UnreadableInputError(
                f"{self._name} cannot be read: {error.strerror or error}: check its permissions"
            ) from None
