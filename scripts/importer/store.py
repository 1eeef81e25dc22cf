"""What an import keeps on disk: records until their group is complete, events until all are there.

A trace may be spread over lines and files, children before parents, so nothing can be assembled
before everything was read. In memory are only the keys of groups (about 200 bytes each) and 32
bytes per record or event; the rest lies in temporary files, which the system removes.
"""

from __future__ import annotations

import marshal
import mmap
import tempfile
from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import Self

import msgspec
import numpy as np

from scripts.importer.model import Fields, Record

_packed = msgspec.msgpack.Encoder().encode
_unpacked = msgspec.msgpack.Decoder().decode
# Before what MessagePack cannot hold: half of a pair of surrogates, numbers beyond 64 bits. The
# format gives this byte no meaning.
_NOT_PACKED = b"\xc1"
# The last version of marshal that writes equal values as equal bytes.
_MARSHAL_VERSION = 2
# Bytes read from a file before the memory that they take is given back.
_MOST_MAPPED = 64 * 1024 * 1024


class Spool:
    """Byte strings in a temporary file, read back by number."""

    def __init__(self) -> None:
        """Create the file; it has no name and vanishes with the process."""
        self._file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - closed below
        self._ends = array("Q", [0])
        self._mapped: mmap.mmap | None = None
        self._mapped_bytes = 0
        self.bytes_read = 0

    @property
    def size(self) -> int:
        """Return how many bytes there are in all."""
        return self._ends[-1]

    def append(self, content: bytes) -> None:
        """Add one byte string; the first has the number 0. All are added before any is read."""
        self._file.write(content)
        self._ends.append(self._ends[-1] + len(content))

    def read(self, number: int) -> bytes:
        """Return the byte string of a number."""
        if self._mapped is None:
            if not self.size:
                return b""
            self._file.flush()
            # A third of the time that a call of the system per byte string takes.
            self._mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        start, end = self._ends[number], self._ends[number + 1]
        self.bytes_read += end - start
        if self.bytes_read - self._mapped_bytes > _MOST_MAPPED:
            self._mapped_bytes = self.bytes_read
            self._forget_pages()
        return self._mapped[start:end]

    def _forget_pages(self) -> None:
        """Give back the memory of what was read; the system still has it, as far as it likes."""
        if self._mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def __enter__(self) -> Self:
        """Return the spool, which is closed at the end of the block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove the file."""
        if self._mapped is not None:
            self._mapped.close()
        self._file.close()


class GroupStore:
    """Records that wait for their group: those that share a key, directly or through others."""

    def __init__(self, spool: Spool) -> None:
        """Keep records in `spool`, which must be empty and used by nothing else."""
        self._spool = spool
        self._numbers: dict[str, int] = {}
        # Union-find: every key's number leads to a number of its group, in the end to the root's.
        self._parents = array("q")
        self._key_of_record = array("q")

    def add(self, record: Record) -> None:
        """Keep a record; one without keys is a group of its own."""
        keys, fields = record.keys, record.fields
        first = self._number(keys[0]) if keys else self._new_number()
        for key in keys[1:]:
            self._join(first, self._number(key))
        self._key_of_record.append(first)
        try:
            content = _packed(fields)
        except (UnicodeEncodeError, OverflowError):
            content = _NOT_PACKED + marshal.dumps(fields, _MARSHAL_VERSION)
        self._spool.append(content)

    def groups(self) -> Iterator[list[Fields]]:
        """Yield the records of each group, each record once and in the order of their bytes.

        Groups come in the order of their first records, so that the file is read nearly from
        beginning to end. The records of a group are the same in any order of adding.
        """
        keys = np.frombuffer(self._key_of_record, dtype=np.int64)
        roots = np.array([self._root(n) for n in range(len(self._parents))], dtype=np.int64)
        _, first, group_of_record = np.unique(roots[keys], return_index=True, return_inverse=True)
        first_of_record = first[group_of_record]
        order = np.argsort(first_of_record, kind="stable")
        starts = np.flatnonzero(np.diff(first_of_record[order], prepend=-1)).tolist()
        for start, end in pairwise([*starts, len(order)]):
            contents = sorted({self._spool.read(number) for number in order[start:end].tolist()})
            yield [
                marshal.loads(content[1:]) if content[:1] == _NOT_PACKED else _unpacked(content)
                for content in contents
            ]

    def _new_number(self) -> int:
        number = len(self._parents)
        self._parents.append(number)
        return number

    def _number(self, key: str) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._new_number()
        return number

    def _root(self, number: int) -> int:
        parents = self._parents
        while (parent := parents[number]) != number:
            parents[number] = number = parents[parent]
        return number

    def _join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        # The older number leads: groups then grow under a root that has many below it already.
        self._parents[max(one, other)] = min(one, other)


class EventStore:
    """Events as lines of text, brought into the order of time and id."""

    def __init__(self, spool: Spool) -> None:
        """Keep lines in `spool`, which must be empty and used by nothing else."""
        self._spool = spool
        self._times = array("q")
        self._ids = bytearray()

    def add(self, at: int, message_id: bytes, line: bytes) -> None:
        """Keep the line of an event that happened at `at` (milliseconds since 1970)."""
        self._times.append(at)
        self._ids += message_id
        self._spool.append(line)

    def numbers(self) -> np.ndarray:
        """Return the numbers of the events in order of time, then id, whatever order they came in.

        Of events with the same id only the latest is among them, of those of one time the one
        whose line is last in the order of bytes.
        """
        times = np.frombuffer(self._times, dtype=np.int64)
        ids = np.frombuffer(self._ids, dtype=">u8").reshape(-1, 2)
        by_id = np.lexsort((times, ids[:, 1], ids[:, 0]))
        is_repeated = (ids[by_id[1:]] == ids[by_id[:-1]]).all(axis=1)
        kept = np.ones(len(by_id), dtype=bool)
        for place in np.flatnonzero(is_repeated).tolist():
            earlier, later = by_id[place], by_id[place + 1]
            if times[earlier] == times[later] and self.line(earlier) > self.line(later):
                by_id[place + 1] = earlier
            kept[place] = False
        kept_by_id = by_id[kept]
        return kept_by_id[np.argsort(times[kept_by_id], kind="stable")]

    def line(self, number: int) -> bytes:
        """Return the line of an event by its number."""
        return self._spool.read(number)
