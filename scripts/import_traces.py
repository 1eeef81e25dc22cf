"""Turn trace files of other tools into RudderStack track payloads that load_events.py loads.

Usage: python scripts/import_traces.py --from FORMAT FILE|DIR… [--out FILE|-]

Everything that was read is brought together by trace or conversation before the first payload is
written: a trace may be spread over lines and files, children before parents. The same input gives
the same output, byte for byte, whatever the order of files and lines. What is said of the import
goes to standard error; nothing is written unless everything was read.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.importer import claude_code, codex, langfuse, otel
from scripts.importer.events import EventWriter
from scripts.importer.model import Counts, Reader, Run
from scripts.importer.store import EventStore, GroupStore, Spool
from scripts.loader.lines import (
    STANDARD_INPUT,
    UnreadableInputError,
    read_as_they_are,
    read_beginning,
)
from scripts.loader.progress import progress_bar
from scripts.warehouse import fail, make_folder

READERS: dict[str, Reader] = {
    module.READER.name: module.READER for module in (otel, claude_code, langfuse, codex)
}
AUTO = "auto"
# What is looked at in a directory; a file that is named is read whatever its name.
TRACE_SUFFIXES = {".json", ".jsonl", ".ndjson", ".csv", ".parquet"}
BYTES_TO_RECOGNISE = 64 * 1024
SHOWN_REASONS = 10
DESCRIPTION = """Turn trace files of other tools into RudderStack track payloads that load_events.py
loads. Each file is looked at to see who wrote it, unless --from says so. Text stays out of the
payloads; error messages keep the phrases that failure rules look for, with --with-text they are
whole. Importing and loading a file again adds no row."""


@dataclass
class Import:
    """One format of an import: its files and what became of them."""

    reader: Reader
    files: list[Path] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    runs: int = 0
    sessions: int = 0
    steps: int = 0


@dataclass
class Found:
    """The files of an import by format, and how many of each kind are none of them."""

    imports: dict[str, Import] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)


def find_files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield each file once, in order, and whether it was named itself.

    Raises UnreadableInputError when a path is not there.
    """
    seen = set()
    for path in paths:
        if path.is_dir():
            below = sorted(
                Path(folder) / name for folder, _, names in os.walk(path) for name in names
            )
        elif path.exists():
            below = [path]
        else:
            raise UnreadableInputError(f"{path}: no such file or directory: check the path")
        for file in below:
            resolved = file.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield file, file is path


def sort_files(paths: Sequence[Path], readers: Sequence[Reader], *, is_named: bool) -> Found:
    """Return which reader takes which file: the first of `readers` that recognises it.

    `is_named`: the format was named, so files that were named are taken without a look.
    Raises UnreadableInputError.
    """
    found = Found()
    for file, is_given in find_files(paths):
        suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
        kind = suffixes[-1] if suffixes else "no suffix"
        taker = None
        if is_given and is_named:
            read_beginning(str(file), 1)
            taker = readers[0]
        elif is_given or kind in TRACE_SUFFIXES:
            head = read_beginning(str(file), BYTES_TO_RECOGNISE)
            taker = next((reader for reader in readers if reader.recognises(file, head)), None)
        if taker is None:
            found.unknown[kind] += 1
        else:
            found.imports.setdefault(taker.name, Import(taker)).files.append(file)
    return found


def read_files(wanted: Import, store: GroupStore, is_shown: bool) -> None:
    """Read all files of one format into `store`."""
    total = sum(file.stat().st_size for file in wanted.files)
    skipped = wanted.counts.skipped
    with progress_bar(f"reading {wanted.reader.name}", total, is_shown=is_shown) as advance:
        before = 0
        for file in wanted.files:
            lines = _lines(
                file, skipped, lambda position, before=before: advance(before + position)
            )
            try:
                for record in wanted.reader.read(file, lines, wanted.counts):
                    store.add(record)
            except Exception as error:
                skipped[f"rest of a file not understood ({_where(error)})"] += 1
            before += file.stat().st_size


def _lines(file: Path, skipped: Counter[str], advance) -> Iterator[bytes]:  # noqa: ANN001
    try:
        yield from read_as_they_are(str(file), advance)
    except UnreadableInputError as error:
        print(f"warning: {error}; what comes before that place was read", file=sys.stderr)
        skipped["rest of a file that cannot be read"] += 1


def assemble_runs(wanted: Import, store: GroupStore) -> Iterator[Run]:
    """Yield the runs of one format from what was read."""
    for group in store.groups():
        try:
            # A group as a whole, so that what is wrong in it leaves no half of it.
            runs = list(wanted.reader.assemble(group, wanted.counts))
        except Exception as error:
            wanted.counts.skipped[f"records not understood ({_where(error)})"] += len(group)
            continue
        yield from runs


def _where(error: Exception) -> str:
    """Return what was raised and where, without the message, which may hold text of a trace."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    name = Path(place.tb_frame.f_code.co_filename).name if place else "?"
    return f"{type(error).__name__} in {name}:{place.tb_lineno if place else 0}"


def import_files(
    found: Found, out: str, *, with_text: bool, error_text: bool, is_shown: bool = False
) -> None:
    """Read all files, then write their events to `out`; counts are added to `found`.

    Nothing is written when no run was found. Raises OSError when `out` cannot be written.
    """
    with ExitStack() as stack:
        stack.enter_context(_rare_search_for_cycles())
        events = EventStore(stack.enter_context(Spool()))
        for wanted in found.imports.values():
            wanted.reader.with_text = with_text
            wanted.reader.error_text = error_text
            with Spool() as spool:
                store = GroupStore(spool)
                read_files(wanted, store, is_shown)
                writer = EventWriter(
                    wanted.reader.name,
                    wanted.counts.skipped,
                    with_text=with_text,
                    error_text=error_text,
                )
                label = f"assembling {wanted.reader.name}"
                with progress_bar(label, spool.size, is_shown=is_shown) as advance:
                    for run in assemble_runs(wanted, store):
                        try:
                            written = writer.events(run)
                        except Exception as error:
                            wanted.counts.skipped[f"run not understood ({_where(error)})"] += 1
                            continue
                        for event in written:
                            events.add(event.at, event.message_id, event.line)
                        wanted.runs += 1
                        wanted.sessions += len(run.sessions)
                        wanted.steps += sum(len(session.steps) for session in run.sessions)
                        if wanted.runs % 100 == 0:
                            advance(spool.bytes_read)
        if any(wanted.runs for wanted in found.imports.values()):
            write_events(events, out)


@contextmanager
def _rare_search_for_cycles() -> Iterator[None]:
    """Let Python look for reference cycles a hundred times less often: records have none.

    It would look through the objects of every line, for about a tenth of the time of an import.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(100 * thresholds[0], *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def write_events(events: EventStore, out: str) -> None:
    """Write all events to a file, which appears when it is complete, or to standard output."""
    lines = (events.line(number) for number in events.numbers().tolist())
    if out == STANDARD_INPUT:
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()
        return
    target = Path(out)
    make_folder(target.parent)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            if target.suffix == ".gz":
                # Without name and time: the same events are the same file.
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                    packed.writelines(lines)
            else:
                file.writelines(lines)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def say(found: Found) -> None:
    """Say on standard error what was read and what was not."""
    for wanted in found.imports.values():
        print(
            f"{wanted.reader.name}: {_number(len(wanted.files), 'file')}, "
            f"{wanted.counts.read:,} read, {_number(wanted.runs, 'run')}, "
            f"{_number(wanted.sessions, 'session')}, {_number(wanted.steps, 'step')}",
            file=sys.stderr,
        )
        commonest = wanted.counts.skipped.most_common(SHOWN_REASONS)
        others = wanted.counts.skipped.total() - sum(count for _, count in commonest)
        for reason, count in [*commonest, *([("other reasons", others)] if others else [])]:
            print(f"  skipped {count:,}: {reason}", file=sys.stderr)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="import_traces.py", description=DESCRIPTION)
    add = parser.add_argument
    add(
        "paths",
        nargs="*",
        metavar="FILE|DIR",
        help="trace files, may be .gz, folders of them; or -",
    )
    formats = [*READERS, AUTO]
    add("--from", dest="format", choices=formats, default=AUTO, help="who wrote them, see above")
    add("--out", default=STANDARD_INPUT, metavar="FILE", help="for the payloads, may be .gz; or -")
    add("--with-text", action="store_true", help="send prompts, tool inputs and outputs, too")
    add("--no-error-text", action="store_true", help="send no error messages at all")
    options = parser.parse_args(arguments)
    if not options.paths:
        fail("no FILE or DIR given: name trace files, a folder of them, or - for standard input")
    with tempfile.TemporaryDirectory(prefix="import_traces_") as scratch:
        paths = [_given(name, Path(scratch)) for name in options.paths]
        is_named = options.format != AUTO
        readers = [READERS[options.format]] if is_named else list(READERS.values())
        try:
            found = sort_files(paths, readers, is_named=is_named)
            _say_what_is_what(found, is_named=is_named)
            import_files(
                found,
                options.out,
                with_text=options.with_text,
                error_text=not options.no_error_text,
                is_shown=sys.stderr.isatty(),
            )
        except UnreadableInputError as error:
            fail(str(error))
        except BrokenPipeError:
            # Whoever reads the output has enough; there is nothing to flush to.
            sys.stdout = None
            return 1
        except OSError as error:
            fail(f"{error.filename or options.out} cannot be written: {error.strerror or error}")
        except KeyboardInterrupt:
            fail("stopped: nothing was written", 130)
    say(found)
    if any(wanted.runs for wanted in found.imports.values()):
        return 0
    print("error: no run was found, so nothing was written", file=sys.stderr)
    return 1


def _given(name: str, scratch: Path) -> Path:
    """Return the path of an input; standard input becomes a file, to be looked at and then read."""
    if name != STANDARD_INPUT:
        return Path(name).expanduser()
    path = scratch / "standard_input"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _say_what_is_what(found: Found, *, is_named: bool) -> None:
    if not is_named:
        for wanted in found.imports.values():
            print(f"{_number(len(wanted.files), 'file')} as {wanted.reader.name}", file=sys.stderr)
    for kind, count in sorted(found.unknown.items()):
        print(f"{_number(count, 'file')} not read: {kind}, of no known format", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
