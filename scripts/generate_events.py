"""Write synthetic RudderStack AI-agent events and the truth about them.

Usage: python scripts/generate_events.py --out DIR [--runs N] [--days D] [--seed S] [--dirt KNOB]
[--pattern NAME]
The same arguments always write the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from scripts.generator.event_tables import TableMaker
from scripts.generator.events import TABLES, send_events, send_outcomes, sent_costs
from scripts.generator.knobs import KNOBS, PATTERNS, Knob, parse_dirt, parse_patterns
from scripts.generator.plan import Settings, make_plan
from scripts.generator.prices import load_price_list
from scripts.generator.simulate import simulate
from scripts.generator.truth import LEDGER_FILE, TruthWriter
from scripts.generator.writers import (
    EVENTS_FILE,
    REDELIVERED_FILE,
    TRACKS,
    ParquetWriter,
    PayloadWriter,
    Writer,
)
from scripts.warehouse import fail

# A fixed time, so that the default arguments write the same events next year. It lies in a busy
# hour, and the last price change of a catalogued model within the 30 days before it.
DEFAULT_END = "2026-11-20T15:00:00Z"
LARGEST_RUN_COUNT = 20_000_000
LONGEST_DAYS = 3_660


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write synthetic RudderStack events of multi-agent products, and beside them, "
        "in DIR/truth, what a correct model must make of them. The same arguments always write "
        "the same bytes.",
        epilog="example: python scripts/generate_events.py --out warehouse/sample --runs 500 "
        "--dirt duplicates --dirt clock_skew=0.1",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write into")
    parser.add_argument(
        "--runs", type=int, default=1_000, metavar="N", help="number of runs (default 1000)"
    )
    parser.add_argument(
        "--days", type=int, default=30, metavar="D", help="length of the history (default 30)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="another seed, other events (default 1)"
    )
    parser.add_argument(
        "--format",
        choices=("ndjson", "parquet"),
        default="ndjson",
        help="ndjson: payloads for scripts/load_events.py; parquet: the seven raw tables, to be "
        "read with the dbt variable rudderstack_parquet_dir (default ndjson)",
    )
    parser.add_argument(
        "--end-date",
        default=DEFAULT_END,
        metavar="ISO",
        help=f"when the history ends, UTC unless it says otherwise (default {DEFAULT_END})",
    )
    parser.add_argument(
        "--dirt",
        action="append",
        default=[],
        metavar="KNOB[=RATE]",
        help="spoil events on purpose; may be given several times, see --list-dirt",
    )
    parser.add_argument("--dirt-all", action="store_true", help="every kind of dirt at its rate")
    parser.add_argument("--list-dirt", action="store_true", help="name all kinds of dirt and stop")
    parser.add_argument(
        "--pattern",
        action="append",
        default=[],
        metavar="NAME[=STRENGTH]",
        help="plant something that the marts have to find, with the truth about it; may be given "
        "several times, see --list-pattern",
    )
    parser.add_argument("--pattern-all", action="store_true", help="every pattern")
    parser.add_argument("--list-pattern", action="store_true", help="name all patterns and stop")
    return parser.parse_args(argv)


def _end_ms(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--end-date {text!r} is no date; write it as 2026-11-22 or 2026-11-22T06:00:00Z")
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    if not 1971 <= time.year <= 2200:
        fail(f"--end-date {text}: the year must lie between 1971 and 2200")
    return int(time.timestamp() * 1000)


def _settings(options: argparse.Namespace) -> Settings:
    """Return checked settings; exits with one line that names the wrong option and the fix."""
    if options.out is None:
        fail("--out is missing: name the folder to write into, for example --out warehouse/sample")
    limits = (("--runs", options.runs, LARGEST_RUN_COUNT), ("--days", options.days, LONGEST_DAYS))
    for name, value, largest in limits:
        if not 1 <= value <= largest:
            fail(f"{name} {value}: must lie between 1 and {largest}")
    if not 0 <= options.seed < 2**63:
        fail(f"--seed {options.seed}: must lie between 0 and 2^63 - 1")
    return Settings(
        run_count=options.runs,
        day_count=options.days,
        seed=options.seed,
        end_ms=_end_ms(options.end_date),
        dirt=parse_dirt(options.dirt, options.dirt_all),
        parquet=options.format == "parquet",
        patterns=parse_patterns(options.pattern, options.pattern_all, options.days),
    )


def generate(settings: Settings, folder: Path, *, show_progress: bool = False) -> dict[str, int]:
    """Write events and truth of the settings into a folder; return the rows written per table.

    Args:
        settings: what to simulate; the result depends on it and on the pricing seeds only.
        folder: created when missing; files of an earlier call are replaced.
        show_progress: draw a bar on standard error.

    Errors: exits with one line when the folder cannot be written or a pricing seed is wrong.
    """
    prices = load_price_list()
    try:
        (folder / "truth").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out {folder} cannot be written ({error.strerror}); name another folder")
    _replace_earlier_events(folder)
    plan = make_plan(settings)
    writer: Writer = ParquetWriter(folder) if settings.parquet else PayloadWriter(folder)
    truth = TruthWriter(folder / "truth", settings, prices)
    counts = dict.fromkeys(TABLES, 0)
    console = Console(stderr=True)
    with Progress(
        TextColumn("generating"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} runs"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not show_progress,
    ) as progress:
        task = progress.add_task("runs", total=settings.run_count)
        for block, (first, last) in enumerate(plan.blocks()):
            sim = simulate(plan, block, first, last, prices)
            costs = sent_costs(sim)
            sent = send_events(sim)
            maker = TableMaker(sim, costs)
            tables = [maker.make(sent[name]) for name in TABLES]
            outcomes = send_outcomes(sim)
            tables += [maker.make_outcome(events) for events in outcomes]
            writer.write(tables, settings.seed)
            truth.write(sim, costs, sent, outcomes, maker)
            for table in tables:
                name = table.events.table
                counts[name] = counts.get(name, 0) + len(table.events)
            progress.advance(task, len(sim.runs.number))
    # The ledger marks a folder as ours, so it comes before the events get their names.
    truth.close()
    writer.close()
    return counts


def _replace_earlier_events(folder: Path) -> None:
    """Remove what an earlier call wrote, so that a folder never mixes two sets of events.

    Exits with one line when the folder holds event files of somebody else.
    """
    names = [EVENTS_FILE, REDELIVERED_FILE, *(f"{table}.parquet" for table in (*TABLES, TRACKS))]
    present = [folder / name for name in names if (folder / name).exists()]
    if present and not (folder / "truth" / LEDGER_FILE).exists():
        fail(f"{present[0]} was not written by this command; name another folder with --out")
    for path in present:
        path.unlink()


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _arguments(argv)
    if options.list_dirt or options.list_pattern:
        listed: dict[str, Knob] = KNOBS if options.list_dirt else PATTERNS
        for name, knob in listed.items():
            print(f"{name} (usually {knob.rate:g} of the {knob.share_of}): {knob.effect}")
        return 0
    settings = _settings(options)
    folder: Path = options.out
    # A bar is only worth drawing when the work takes some seconds and somebody watches.
    show = sys.stderr.isatty() and settings.run_count > 20_000
    try:
        counts = generate(settings, folder, show_progress=show)
    except OSError as error:
        fail(f"writing to {folder} failed ({error.strerror or error}); is the disk full?")
    for name, count in counts.items():
        print(f"{name}: {count}")
    print(
        f"wrote {sum(counts.values())} events to {folder}, the truth about them to {folder}/truth"
    )
    if settings.parquet:
        print(f"next: dbt build --vars 'rudderstack_parquet_dir: {folder}'")
    elif (folder / REDELIVERED_FILE).exists():
        print(f"next: python scripts/load_events.py {folder / EVENTS_FILE} --mode append")
        print(f"then: python scripts/load_events.py {folder / REDELIVERED_FILE} --mode append")
    else:
        print(f"next: python scripts/load_events.py {folder / EVENTS_FILE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
