"""Load RudderStack track payloads into raw tables shaped as RudderStack shapes them.

Usage: python scripts/load_events.py FILE… [--warehouse PATH] [--schema NAME] [--mode merge|append]

Names, types, conversions, discards and times follow RudderStack's Postgres destination. Where
RudderStack relies on a server or on Postgres itself, this is what happens instead:

* no messageId: the id is made from the text of the event, so a second load adds no row;
* no receivedAt: sentAt, else originalTimestamp, else timestamp, else the time of the load;
* no type on a line of its own: a track call (in a batch the type must be given);
* channel `sources`: treated as a cloud source, so objects at the fourth level become JSON text;
* whole numbers beyond 64 bits: discarded with a reason; numbers beyond a 64-bit float, NaN and
  Infinity: the event is rejected;
* NUL characters in text are left out (Postgres cannot store them), lone surrogates become U+FFFD;
* a gzip file that breaks off: nothing of the load is kept, the message names the file.

Accepted plus rejected is the number of events read; blank lines are no events. The exit code is 1
when nothing was accepted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.loader.lines import CutLine, UnreadableInputError, check_inputs, read_lines
from scripts.loader.payloads import EventReader, parse
from scripts.loader.progress import progress_bar
from scripts.loader.times import Instant
from scripts.loader.values import DEEPEST_NESTING, RejectedError
from scripts.loader.warehouse_writer import (
    APPEND,
    BYTES_PER_CHUNK,
    MERGE,
    REJECTS,
    TRACKS,
    TableResult,
    UnusableTableError,
    WarehouseWriter,
)
from scripts.warehouse import RAW_SCHEMA, connect, fail, one_line, warehouse_path

SHOWN_REASONS = 5


@dataclass
class LoadResult:
    """Counts of one load: events accepted and rejected (by reason), values discarded, rows."""

    accepted: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    discarded: int = 0
    tables: list[TableResult] = field(default_factory=list)

    @property
    def rejected(self) -> int:
        """Return the number of lines and events that were not loaded."""
        return self.reasons.total()


def load_files(
    files: Sequence[str],
    warehouse: Path,
    schema: str = RAW_SCHEMA,
    mode: str = MERGE,
    *,
    show_progress: bool = False,
) -> LoadResult:
    """Load NDJSON files (`-`: standard input) and return the counts.

    Everything is written in one transaction at the end, so a load that fails changes nothing.
    Raises UnreadableInputError, UnusableTableError or duckdb.Error; exits with one clear line when
    the warehouse is locked or no DuckDB file.
    """
    total = check_inputs(list(files))
    is_new = not warehouse.exists()
    is_done = False
    # Outside: a file that cannot be opened may be that of another load, which made it just now.
    connection = connect(warehouse)
    try:
        try:
            load = EventLoad(connection, schema)
            with progress_bar("reading events", total, is_shown=show_progress) as advance:
                for name in files:
                    load.read_file(name, advance)
                result = load.finish(mode)
        finally:
            connection.close()
        is_done = True
    finally:
        if is_new and not is_done:
            warehouse.unlink(missing_ok=True)
            Path(f"{warehouse}.wal").unlink(missing_ok=True)
    return result


class EventLoad:
    """One load: sends every event of every line to its tables, or to the rejects.

    `result` counts as the lines are read; nothing is in the warehouse before `finish`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        """Start a load into `schema` of an open warehouse."""
        load_time = Instant(time.time_ns() // 1_000_000)
        self._reader = EventReader(load_time)
        self._writer = WarehouseWriter(connection, schema, load_time)
        self.result = LoadResult()
        self._file = ""
        self._line_number = 0
        self._bytes_before_file = 0
        self._bytes_since_stage = 0

    def read_file(self, name: str, advance: Callable[[int], None]) -> None:
        """Load one input; `advance` is told how many bytes of all inputs have been read."""
        self._file = name
        position = 0

        def count(read: int) -> None:
            nonlocal position
            position = read
            advance(self._bytes_before_file + read)

        for number, line in read_lines(name, count):
            self._line_number = number
            self._load_line(line)
            self._bytes_since_stage += len(line)
            if self._bytes_since_stage >= BYTES_PER_CHUNK:
                self._writer.stage()
                self._bytes_since_stage = 0
        self._bytes_before_file += position

    def finish(self, mode: str) -> LoadResult:
        """Write everything and return the counts."""
        self.result.tables = self._writer.finish(mode)
        self.result.discarded = self._writer.discarded
        return self.result

    def _load_line(self, line: bytes) -> None:
        text = ""
        try:
            text = _decode(line)
            payload = parse(text)
            is_batch = type(payload) is dict and "batch" in payload and "event" not in payload
            if not is_batch:
                self._load_event(payload, text)
                return
            batch = payload["batch"]
            if type(batch) is not list:
                raise RejectedError("batch is not an array")
            if not batch:
                raise RejectedError("batch is empty")
        except RejectedError as reason:
            self._reject(str(reason), text or line.decode(errors="replace"))
            return
        for entry in batch:
            try:
                self._load_event(entry, None)
            except RejectedError as reason:
                try:
                    entry_text = json.dumps(entry, ensure_ascii=False)
                except RecursionError:
                    entry_text = text
                self._reject(str(reason), entry_text)

    def _load_event(self, payload: object, text: str | None) -> None:
        try:
            event = self._reader.read(payload, text)
        except RecursionError:
            raise RejectedError(f"nested deeper than {DEEPEST_NESTING} levels") from None
        if event.table and event.row:
            self._writer.check_table(event.table)
        if event.tracks_row is not None:
            self._writer.add_event(TRACKS, event.tracks_row)
        if event.table and event.row:
            self._writer.add_event(event.table, event.row)
        self.result.accepted += 1

    def _reject(self, reason: str, raw_text: str) -> None:
        self.result.reasons[reason] += 1
        # Text columns hold neither NUL nor half a surrogate pair; the mark shows where one was.
        storable = raw_text.replace("\x00", "\ufffd").encode(errors="replace").decode().strip()
        self._writer.add_reject(self._file, self._line_number, reason, storable)


def _decode(line: bytes) -> str:
    if isinstance(line, CutLine):
        raise RejectedError("line is too long for an event")
    try:
        return line.decode().strip()
    except UnicodeDecodeError as error:
        raise RejectedError(f"invalid UTF-8 at byte {error.start + 1}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="load_events.py",
        description="Load RudderStack track payloads into raw tables shaped as RudderStack shapes "
        "them. Loading the same file twice adds no row (unless --mode append).",
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="newline-delimited JSON, optionally gzip-compressed, or - for standard input; a line "
        'is one event or {"batch": [events]}',
    )
    parser.add_argument(
        "--warehouse",
        type=Path,
        default=None,
        metavar="PATH",
        help="DuckDB file to load to (default: AGENT_ANALYTICS_DUCKDB_PATH, or "
        "warehouse/agent_analytics.duckdb)",
    )
    parser.add_argument(
        "--schema",
        default=RAW_SCHEMA,
        metavar="NAME",
        help="schema of the raw tables, one per RudderStack source (default: %(default)s)",
    )
    parser.add_argument(
        "--mode",
        choices=[MERGE, APPEND],
        default=MERGE,
        help="merge: an event that is already there is replaced; append: it is added again, as "
        "RudderStack does when warehouse append is on (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if not options.files:
        fail("no FILE given: name an NDJSON file, or - for standard input")
    if not options.schema.strip():
        fail("--schema is empty: give the name of the raw schema")
    warehouse = options.warehouse or warehouse_path()
    try:
        result = load_files(
            options.files,
            warehouse,
            options.schema,
            options.mode,
            show_progress=sys.stderr.isatty(),
        )
    except (UnreadableInputError, UnusableTableError) as error:
        fail(str(error))
    except duckdb.Error as error:
        fail(f"{warehouse} could not be written, it is as it was: {one_line(error)}")
    except KeyboardInterrupt:
        fail(f"stopped: {warehouse} is as it was", 130)
    print_result(result, options.schema)
    if result.accepted:
        return 0
    cure = f"correct what is said above; {options.schema}.{REJECTS} has every line"
    if not result.rejected:
        cure = "the input has none"
    print(f"error: no event was accepted: {cure}", file=sys.stderr)
    return 1


def print_result(result: LoadResult, schema: str) -> None:
    """Print what a load did: counts, the commonest reasons of rejection, rows per table."""
    print(
        f"accepted {result.accepted:,}, rejected {result.rejected:,}, "
        f"discarded values {result.discarded:,}"
    )
    commonest = result.reasons.most_common(SHOWN_REASONS)
    others = result.rejected - sum(count for _, count in commonest)
    for reason, count in [*commonest, *([("other reasons", others)] if others else [])]:
        print(f"  rejected {count:,}: {reason}")
    for table in result.tables:
        replaced = f" ({table.replaced:,} were there before)" if table.replaced else ""
        print(f"  {schema}.{table.name}: {table.rows:,} rows{replaced}")


if __name__ == "__main__":
    raise SystemExit(main())
