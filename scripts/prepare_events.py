"""Put events into the warehouse before `make build` runs dbt.

With files: loads them. With traces of other tools: imports and loads them. With neither: keeps what
is loaded already, or generates and loads a small sample. A sample never stays beside real events:
it is replaced by the first files that load.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import generate_events, import_traces, load_events
from scripts.loader.lines import UnreadableInputError, check_inputs
from scripts.loader.warehouse_writer import REJECTS
from scripts.warehouse import (
    RAW_SCHEMA,
    SEEDS_SCHEMA,
    TARGET_SCHEMA,
    connect,
    fail,
    quote_identifier,
    warehouse_path,
)

# Long enough for anomalies and changes to be judged, with one of everything to be found.
SAMPLE_ARGUMENTS = ["--runs", "3000", "--days", "70", "--seed", "1", "--pattern-all"]


def sample_marker(warehouse: Path) -> Path:
    """Return the file that says that the warehouse holds the generated sample and nothing else."""
    return warehouse.with_name(warehouse.name + ".sample")


def has_raw_tables(warehouse: Path) -> bool:
    """Return whether any raw table holds events; a missing warehouse file has none."""
    if not warehouse.exists():
        return False
    connection = connect(warehouse)
    try:
        row = connection.execute(
            "select count(*) from information_schema.tables "
            "where table_schema = ? and table_name != ?",
            [RAW_SCHEMA, REJECTS],
        ).fetchone()
    finally:
        connection.close()
    return row is not None and row[0] > 0


def load_sample(warehouse: Path) -> None:
    """Generate a small set of events beside the warehouse and load it."""
    folder = warehouse.parent / "sample"
    print(f"no events given and none loaded: generating a sample in {folder}")
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    # Two that start at once must not write the same files while one of them is loading them.
    with tempfile.TemporaryDirectory(prefix="sample_", dir=warehouse.parent) as scratch:
        draft = Path(scratch) / "sample"
        _run(generate_events.main, [*SAMPLE_ARGUMENTS, "--out", str(draft)])
        files = sorted(str(path) for path in draft.glob("*.ndjson*"))
        _run(load_events.main, [*files, "--warehouse", str(warehouse)])
        sample_marker(warehouse).touch()
        shutil.copytree(draft, folder, dirs_exist_ok=True)


def drop_sample(warehouse: Path) -> None:
    """Drop the raw schema and all that was built from it, so that the next build is a full one.

    An incremental build would keep the runs of the sample: it replaces those that have new events.
    Seeds stay, they hold nothing of the sample.
    """
    connection = connect(warehouse)
    schemas = connection.execute(
        "select schema_name from information_schema.schemata "
        "where catalog_name = current_database() and schema_name != ? "
        "and (schema_name in (?, ?) or starts_with(schema_name, ?))",
        [SEEDS_SCHEMA, RAW_SCHEMA, TARGET_SCHEMA, f"{TARGET_SCHEMA}_"],
    ).fetchall()
    for (schema,) in schemas:
        connection.execute(f"drop schema {quote_identifier(schema)} cascade")
    connection.close()


def load_given(files: Sequence[str], warehouse: Path) -> None:
    """Load files; a generated sample goes first, and comes back when no event of them loads."""
    marker = sample_marker(warehouse)
    backup = warehouse.with_name(warehouse.name + ".before")
    is_sample = marker.exists() and has_raw_tables(warehouse)
    if is_sample:
        print("replacing the generated sample by the events given")
        shutil.copy2(warehouse, backup)
        drop_sample(warehouse)
    try:
        _run(load_events.main, [*files, "--warehouse", str(warehouse)])
    except BaseException:
        if is_sample:
            backup.replace(warehouse)
            print("the generated sample is there again")
        raise
    backup.unlink(missing_ok=True)
    marker.unlink(missing_ok=True)


def _run(script: Callable[[list[str]], int], arguments: list[str]) -> None:
    code = script(arguments)
    if code:
        raise SystemExit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="NDJSON of payloads, may be .gz")
    parser.add_argument("--traces", nargs="+", default=[], metavar="PATH", help="files or folders")
    parser.add_argument("--from", dest="format", default=import_traces.AUTO, metavar="FORMAT")
    options = parser.parse_args(arguments)
    warehouse = warehouse_path()
    if options.files or options.traces:
        try:
            # An unquoted pattern that matches nothing arrives here as it was typed.
            check_inputs(options.files)
        except UnreadableInputError as error:
            fail(f"{error}; EVENTS takes paths separated by spaces")
        with tempfile.TemporaryDirectory(prefix="import_traces_") as scratch:
            files = options.files
            if options.traces:
                imported = f"{scratch}/traces.ndjson"
                given = [*options.traces, "--from", options.format, "--out", imported]
                _run(import_traces.main, given)
                files = [*files, imported]
            load_given(files, warehouse)
    elif has_raw_tables(warehouse):
        print(f"no events given: keeping those in {warehouse}")
    else:
        load_sample(warehouse)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
