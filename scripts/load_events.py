"""Load RudderStack track payloads into raw tables shaped as RudderStack shapes them.

Usage: python scripts/load_events.py FILE… [--warehouse PATH] [--schema NAME] [--mode merge|append]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.loader.lines import CutLine, UnreadableInputError, check_inputs, read_lines
from scripts.loader.payloads import EventReader, parse
from scripts.loader.times import Instant
from scripts.loader.values import DEEPEST_NESTING, RejectedError
from scripts.loader.warehouse_writer import (
    APPEND,
    BYTES_PER_CHUNK,
    MERGE,
    TRACKS,
    TableResult,
    UnusableTableError,
    WarehouseWriter,
)
from scripts.warehouse import RAW_SCHEMA, connect, fail, warehouse_path

# Room for DuckDB beside one chunk of Python objects, so that a load stays under 1 GiB.
_DUCKDB_MEMORY = "384MB"


@dataclass
class LoadResult:
    """Counts of one load: events accepted and rejected, values discarded, rows per table."""

    accepted: int = 0
    rejected: int = 0
    discarded: int = 0
    tables: list[TableResult] = field(default_factory=list)


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
    Raises UnreadableInputError, UnusableTableError or duckdb.Error; exits when the warehouse is locked.
    """
    total = check_inputs(list(files))
    is_new = not warehouse.exists()
    load_time = Instant(time.time_ns() // 1_000_000)
    result = LoadResult()
    is_done = False
    try:
        connection = connect(warehouse)
        try:
            connection.execute(f"set memory_limit = '{_DUCKDB_MEMORY}'")
            writer = WarehouseWriter(connection, schema, load_time)
            with _progress(total, show_progress) as advance:
                _read_all(files, EventReader(load_time), writer, result, advance)
                result.tables = writer.finish(mode)
            result.discarded = writer.discarded
        finally:
            connection.close()
        is_done = True
    finally:
        if is_new and not is_done:
            warehouse.unlink(missing_ok=True)
            Path(f"{warehouse}.wal").unlink(missing_ok=True)
    return result


def _read_all(
    files: Sequence[str],
    reader: EventReader,
    writer: WarehouseWriter,
    result: LoadResult,
    advance: Callable[[int], None],
) -> None:
    pending = 0
    done = 0
    for name in files:
        position = 0

        def report(read: int, before: int = done) -> None:
            nonlocal position
            position = read
            advance(before + read)

        for number, line in read_lines(name, report):
            _load_line(name, number, line, reader, writer, result)
            pending += len(line)
            if pending >= BYTES_PER_CHUNK or writer.is_full:
                writer.stage()
                pending = 0
        done += position


def _load_line(
    file: str,
    number: int,
    line: bytes,
    reader: EventReader,
    writer: WarehouseWriter,
    result: LoadResult,
) -> None:
    """Load one line: an event or a batch of events. Each counts as accepted or rejected."""
    text = ""
    try:
        text = _decode(line)
        payload = parse(text)
        is_batch = type(payload) is dict and "batch" in payload and not payload.get("event")
        if is_batch and type(payload["batch"]) is not list:
            raise RejectedError("batch is not an array")
        if is_batch and not payload["batch"]:
            raise RejectedError("batch is empty")
    except RejectedError as reason:
        result.rejected += 1
        writer.add_reject(
            file, number, str(reason), _storable(text or line.decode(errors="replace"))
        )
        return
    if not is_batch:
        _load_event(file, number, payload, text, False, reader, writer, result)
        return
    for entry in payload["batch"]:
        try:
            entry_text = json.dumps(entry, ensure_ascii=False)
        except RecursionError:
            entry_text = text
        _load_event(file, number, entry, entry_text, True, reader, writer, result)


def _load_event(
    file: str,
    number: int,
    payload: object,
    text: str,
    in_batch: bool,
    reader: EventReader,
    writer: WarehouseWriter,
    result: LoadResult,
) -> None:
    try:
        event = reader.read(payload, text, in_batch=in_batch)
    except (RejectedError, RecursionError) as error:
        reason = str(error)
        if isinstance(error, RecursionError):
            reason = f"nested deeper than {DEEPEST_NESTING} levels"
        result.rejected += 1
        writer.add_reject(file, number, reason, _storable(text))
        return
    writer.add_event(TRACKS, event.tracks_row)
    if event.table and event.row:
        writer.add_event(event.table, event.row)
    result.accepted += 1


def _decode(line: bytes) -> str:
    if isinstance(line, CutLine):
        raise RejectedError("line is too long for an event")
    try:
        return line.decode().strip()
    except UnicodeDecodeError as error:
        raise RejectedError(f"invalid UTF-8 at byte {error.start + 1}") from None


def _storable(text: str) -> str:
    # Text columns hold neither NUL nor half a surrogate pair; the mark shows where one was.
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode().strip()


def _progress(total: int | None, is_shown: bool) -> AbstractContextManager[Callable[[int], None]]:
    if not is_shown:
        return nullcontext(lambda _position: None)
    return _ProgressBar(total)


class _ProgressBar:
    """A bar of bytes read on standard error."""

    def __init__(self, total: int | None) -> None:
        self._bar = Progress(
            TextColumn("reading events"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("reading", total=total)

    def __enter__(self) -> Callable[[int], None]:
        self._bar.start()
        return lambda position: self._bar.update(self._task, completed=position)

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="load_events.py",
        description="Load RudderStack track payloads into raw tables shaped as RudderStack shapes "
        "them. Loading the same file twice adds no row (unless --mode append).",
    )
    parser.add_argument(
        "files",
        nargs="+",
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
        fail(f"{warehouse} could not be written, it is as it was: {str(error).splitlines()[0]}")
    except KeyboardInterrupt:
        fail(f"stopped: {warehouse} is as it was", 130)
    print(
        f"accepted {result.accepted:,}, rejected {result.rejected:,}, "
        f"discarded values {result.discarded:,}"
    )
    for table in result.tables:
        replaced = f" ({table.replaced:,} were there before)" if table.replaced else ""
        print(f"  {options.schema}.{table.name}: {table.rows:,} rows{replaced}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
