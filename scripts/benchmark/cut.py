"""Cuts events by load time into histories, one more day and one more hour, and lays them out.

Events are laid out as a data lake does it, `<folder>/<table>/<part>.parquet`, so that a day arrives
by adding a file per table.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import duckdb

from scripts.benchmark.run_reference import EVENT_TABLES, event_files, read_parquet
from scripts.warehouse import fail, quote_literal

# Microseconds since 1970 at which an event reached the warehouse.
LOADED_US = "epoch_us(coalesce(uuid_ts, received_at))"
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Part:
    """Events loaded after one time, up to and with another: a folder of one file per table."""

    folder: Path
    events: int
    after: datetime
    until: datetime


@dataclass(frozen=True)
class Parts:
    """All parts of a data set: every event is in exactly one of them.

    `history` begins with the newest part; the first n parts together are the n-th history.
    """

    history: tuple[Part, ...]
    day: Part
    hour: Part

    def history_events(self, number: int) -> int:
        """Return the number of events in the first `number` parts of the history."""
        return sum(part.events for part in self.history[:number])


def cut(data: Path, folder: Path, sizes: Sequence[Fraction]) -> Parts:
    """Cut the events in `data` into parts in `folder`, which is made.

    The hour is the last one before the newest load, the day the 24 hours before it, the history the
    rest; `sizes` are the shares of its time that the histories have, ascending up to 1. An event
    without load time belongs to every history. Exits with one line when a table has no file, when a
    part would be empty or when an event is lost.
    """
    for table in EVENT_TABLES:
        if not event_files(data, table):
            fail(f"{data} has no {table}.parquet: more events are needed")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        files = [file for table in EVENT_TABLES for file in event_files(data, table)]
        oldest_us, newest_us = connection.execute(
            f"select min({LOADED_US}), max({LOADED_US}) from {read_parquet(files)}"
        ).fetchall()[0]
        newest = _timestamp(newest_us)
        day_after = newest - HOUR - DAY
        # A microsecond earlier: the part includes the oldest event, and no event is at `after`.
        before_all = _timestamp(oldest_us) - timedelta(microseconds=1)
        if day_after <= before_all:
            fail(f"the events in {data} do not span more than a day and an hour: nothing to cut")
        starts = [day_after - (day_after - before_all) * float(size) for size in sizes[:-1]]
        starts.append(before_all)
        history = tuple(
            _write(connection, data, folder, after, until, with_unknown=until == day_after)
            for after, until in zip(starts, [day_after, *starts[:-1]], strict=True)
        )
        day = _write(connection, data, folder, day_after, newest - HOUR)
        hour = _write(connection, data, folder, newest - HOUR, newest)
        _refuse_loss(connection, data, [*history, day, hour])
    return Parts(history, day, hour)


def lay_out(part: Part, lake: Path) -> None:
    """Add the files of a part to the folder `lake`, as hard links where the system has them."""
    for file in sorted(part.folder.glob("*.parquet")):
        target = lake / file.stem / f"{part.folder.name}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, target)
        except OSError:
            shutil.copyfile(file, target)


def _timestamp(microseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)


def _microseconds(timestamp: datetime) -> int:
    return (timestamp - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def _write(
    connection: duckdb.DuckDBPyConnection,
    data: Path,
    folder: Path,
    after: datetime,
    until: datetime,
    *,
    with_unknown: bool = False,
) -> Part:
    """Write the events loaded after `after` and not after `until`, in the order they come in.

    With `with_unknown` also those without load time. A table without events gets no file.
    """
    # In order of their names files are in order of time.
    part = folder / f"loaded_until_{until:%Y%m%dT%H%M%S}"
    part.mkdir(parents=True)
    is_in_part = (
        f"{LOADED_US} > {_microseconds(after)} and {LOADED_US} <= {_microseconds(until)}"
        + (f" or {LOADED_US} is null" if with_unknown else "")
    )
    events = 0
    for table in EVENT_TABLES:
        source = read_parquet(event_files(data, table))
        file = part / f"{table}.parquet"
        rows = connection.execute(
            f"copy (select * from {source} where {is_in_part})"
            f" to {quote_literal(str(file))} (format parquet)"
        ).fetchall()[0][0]
        if not rows:
            file.unlink()
        events += rows
    if not events:
        fail(f"no event of {data} was loaded after {after} up to {until}: more events are needed")
    print(f"  loaded up to {until:%Y-%m-%d %H:%M}: {events:,} events", flush=True)
    return Part(part, events, after, until)


def _refuse_loss(connection: duckdb.DuckDBPyConnection, data: Path, parts: Sequence[Part]) -> None:
    """Stop where the parts of a table do not add up to the whole, read back from the files."""
    for table in EVENT_TABLES:
        written = [file for part in parts for file in event_files(part.folder, table)]
        rows, whole = (
            connection.execute(f"select count(*) from {read_parquet(files)}").fetchall()[0][0]
            for files in (written, event_files(data, table))
        )
        if rows != whole:
            fail(f"{table} has {whole:,} events, its parts have {rows:,}: cut wrongly", 1)
