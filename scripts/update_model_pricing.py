"""Write seeds/pricing/model_pricing.csv, model_aliases.csv and model_limits.csv.

Prices and names come from two maintained price lists, limits from the first alone. That is the
package `genai-prices`. The second are the price lists of dated releases of two other packages
(`scripts/pricing/price_lists.csv`): they say since when a price holds, what held before and which
models genai-prices lacks, and every figure of theirs is compared with the seed.

* price rows whose `source` does not start with one of the script's own are yours and are kept as
  they are. They also win over both sources: no generated row is written for their model;
* alias rows that the script does not produce are kept as long as their canonical model has a
  price; rows it produces are rewritten;
* limits are written for models with a price; rows whose `source` does not start with
  `genai-prices` are yours and win;
* everything is sorted, so that running the script twice changes nothing.

Nothing is downloaded unless `--download` is given: the figures of the lists are checked in
(`scripts/pricing/dated_prices.csv`).
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import io
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.pricing import dated_lists, genai, history
from scripts.pricing.genai import PRICING_COLUMNS, PriceRow
from scripts.pricing.names import AliasRow, Resolver, general_rows
from scripts.warehouse import PROJECT_DIR, fail

PRICING_FILE = PROJECT_DIR / "seeds/pricing/model_pricing.csv"
ALIASES_FILE = PROJECT_DIR / "seeds/pricing/model_aliases.csv"
LIMITS_FILE = PROJECT_DIR / "seeds/pricing/model_limits.csv"
SOURCES_FOLDER = PROJECT_DIR / "scripts/pricing"

LIMIT_COLUMNS = ("canonical_model", "context_window_tokens", "listed_on", "source")
ALIAS_COLUMNS = ("alias", "match_type", "canonical_model")
# Match types of rows that need no model.
GENERAL_TYPES = ("prefix", "suffix", "pattern")
OWN_SOURCES = (genai.GENERATED_BY, history.LISTED_BY, history.REVIEWED_BY)


def main(arguments: list[str] | None = None) -> int:
    """Write (or with `--check` compare) the files; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Regenerate model_pricing.csv, model_aliases.csv and model_limits.csv in "
        "seeds/pricing from the installed genai-prices package and the figures of dated price "
        "lists, and compare both sources. Rows with a source of your own are kept. Exits with 1 "
        "when a difference between the sources is explained nowhere."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit 1 when a file differs from what would be written",
    )
    parser.add_argument(
        "--download",
        action="store_true",
        help="read the pinned price lists anew: download their archives with pip, check them "
        "and take one JSON file out of each; nothing is installed or run",
    )
    parser.add_argument(
        "--archives",
        type=Path,
        help="with --download: folder that keeps the archives, about 500 MB (default: a "
        "temporary folder)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=PRICING_FILE.parent,
        help="folder of the CSV files (default: seeds/pricing)",
    )
    parser.add_argument(
        "--sources",
        type=Path,
        default=SOURCES_FOLDER,
        help="folder of price_lists.csv, dated_prices.csv, price_history.csv and "
        "accepted_differences.csv (default: scripts/pricing)",
    )
    options = parser.parse_args(arguments)
    if options.check and options.download:
        parser.error("--check writes nothing, --download does; give one of them")
    if options.download:
        download(options.sources, options.archives)
    pricing_file = options.folder / PRICING_FILE.name
    aliases_file = options.folder / ALIASES_FILE.name

    seed_rows = read_rows(pricing_file, PRICING_COLUMNS)
    own_prices = [row for row in seed_rows if not row["source"].startswith(OWN_SOURCES)]
    prices, aliases, released_on = generate(options.sources, history.first_seen(seed_rows))
    unexplained, unused, compared = compare(options.sources, prices, aliases)
    own_models = {row["canonical_model"] for row in own_prices}
    prices = [row for row in prices if row["canonical_model"] not in own_models] + own_prices
    prices.sort(key=lambda row: (row["provider"], row["canonical_model"], row["valid_from"]))

    known_models = {row["canonical_model"] for row in prices}
    generated = {alias for alias, _, _ in aliases}
    for row in read_rows(aliases_file, ALIAS_COLUMNS):
        if row["alias"] not in generated:
            aliases.append((row["alias"], row["match_type"], row["canonical_model"]))
    aliases = [
        row for row in aliases if row[2] in known_models or (row[1] in GENERAL_TYPES and not row[2])
    ]
    aliases.sort(key=alias_order)

    limits_file = options.folder / LIMITS_FILE.name
    limits = limit_rows(read_rows(limits_file, LIMIT_COLUMNS), known_models, released_on)
    wanted = {
        limits_file: to_csv(LIMIT_COLUMNS, ([row[c] for c in LIMIT_COLUMNS] for row in limits)),
        pricing_file: to_csv(
            PRICING_COLUMNS, ([row[c] for c in PRICING_COLUMNS] for row in prices)
        ),
        aliases_file: to_csv(ALIAS_COLUMNS, aliases),
    }
    changed = [
        path for path, text in wanted.items() if not path.exists() or path.read_text() != text
    ]
    for line in unexplained:
        print(f"unexplained difference: {line}", file=sys.stderr)
    for row in unused:
        print(
            f"{options.sources / 'accepted_differences.csv'}: {row.name} explains nothing; "
            "remove the row",
            file=sys.stderr,
        )
    if options.check:
        for path in changed:
            print(
                f"{path}: differs from its sources; run `python scripts/update_model_pricing.py`",
                file=sys.stderr,
            )
        return 1 if changed or unexplained or unused else 0
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
    dated = sum(history.is_dated(row, released_on) for row in prices)
    print(
        f"{len(known_models)} models, {len(prices)} price intervals ({len(own_prices)} your own), "
        f"{len(aliases)} aliases, {len(limits)} limits; {len(changed)} file(s) changed\n"
        f"{dated} of {len(prices)} intervals ({dated / len(prices):.0%}) begin on a day from a "
        f"dated source; {compared} figures of dated lists compared, "
        f"{len(unexplained)} unexplained difference(s)"
    )
    return 1 if unexplained or unused else 0


def limit_rows(
    seed_rows: list[dict[str, str]], known_models: set[str], released_on: str
) -> list[dict[str, str]]:
    """Return what fits into one call of each model with a price; own rows win.

    A row keeps the day on which its figure was first listed.
    """
    rows = {row["canonical_model"]: row for row in seed_rows}
    own = {m for m, row in rows.items() if not row["source"].startswith(genai.GENERATED_BY)}
    kept = {model: rows[model] for model in own}
    for model, tokens in genai.context_windows().items():
        if model in known_models and model not in own:
            before = rows.get(model)
            is_same = before is not None and before["context_window_tokens"] == str(tokens)
            kept[model] = {
                "canonical_model": model,
                "context_window_tokens": str(tokens),
                "listed_on": before["listed_on"] if before and is_same else released_on,
                "source": genai.GENERATED_BY,
            }
    return [kept[model] for model in sorted(kept)]


def alias_order(row: AliasRow) -> tuple[bool, str, str, str]:
    """Sort general rows first, by type, and the others by model."""
    alias, match_type, canonical = row
    if match_type in ("prefix", "suffix"):
        return False, match_type, "", alias
    return True, canonical, match_type, alias


def download(sources: Path, archives: Path | None) -> None:
    """Write dated_prices.csv from the archives of the pinned price lists."""
    price_lists = dated_lists.read_price_lists(sources / "price_lists.csv")
    with tempfile.TemporaryDirectory() as temporary:
        dated = dated_lists.collect(price_lists, archives or Path(temporary))
    dated_lists.write_dated_prices(sources / "dated_prices.csv", dated)


def generate(sources: Path, seen: dict[str, str]) -> tuple[list[PriceRow], list[AliasRow], str]:
    """Return price rows, alias rows and the day of the release of genai-prices.

    `seen` are days on which models were first seen that no dated list has.
    """
    lists_file = sources / "price_lists.csv"
    price_lists = dated_lists.read_price_lists(lists_file)
    dated = dated_lists.read_dated_prices(sources / "dated_prices.csv")
    version = importlib.metadata.version("genai-prices")
    released_on = history.release_day(price_lists, "genai-prices", version, lists_file)

    prices, names = genai.generate()
    prices += history.free_rows()
    newest_list = max(price.last_listed_on for price in dated)
    listed, listed_names = history.listed_models(
        dated, prices, [*general_rows(), *names], newest_list
    )
    prices += listed
    overridden = {alias for alias, _, _ in listed_names}
    names = [row for row in names if row[0] not in overridden] + listed_names
    names += genai.other_spellings(names, prices)
    aliases = [*general_rows(), *names]
    resolve = Resolver(aliases)
    prices = history.with_first_days(prices, dated, resolve, seen, released_on)
    prices = history.with_history(prices, history.read_history(sources / "price_history.csv"))
    return history.with_multipliers(prices, dated, resolve), aliases, released_on


def compare(
    sources: Path, prices: list[PriceRow], aliases: list[AliasRow]
) -> tuple[list[str], list[history.Accepted], int]:
    """Return what `history.differences` finds between price rows and the dated lists."""
    return history.differences(
        prices,
        dated_lists.read_dated_prices(sources / "dated_prices.csv"),
        Resolver(aliases),
        history.read_accepted(sources / "accepted_differences.csv"),
    )


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a seed, or none when it does not exist yet.

    Exits with one clear line when its header is not the expected one.
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != columns:
            fail(f"{path}: line 1: the columns must be {','.join(columns)}")
        return list(reader)


def to_csv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a CSV text with Unix line ends, quoted only where needed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
