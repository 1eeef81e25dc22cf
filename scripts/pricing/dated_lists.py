"""Figures of dated price lists: the second source beside genai-prices, and the history of prices.

`price_lists.csv` names one release per month of two packages that carry a maintained price list as
one JSON file, with the day of the release and the checksum of its archive. The archive is
downloaded with pip, checked, opened as a zip file and that one file is read. Nothing of it is
installed, imported or kept: what stays are the figures, in `dated_prices.csv`.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from scripts.warehouse import fail

LIST_COLUMNS = ("released_on", "package", "version", "file_in_archive", "sha256")

# Providers of the lists whose keys are read, and the provider of `model_pricing` they belong to.
PROVIDERS = {
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "moonshot": "moonshotai",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "xai": "x-ai",
    "zai": "zai",
}
TEXT_MODES = ("chat", "completion", "responses", "embedding")

# Columns of a figure and the name of each in the lists.
FIGURES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "batch_input": "input_cost_per_token_batches",
    "batch_output": "output_cost_per_token_batches",
    "priority_input": "input_cost_per_token_priority",
    "priority_output": "output_cost_per_token_priority",
}
PRICES = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
DATED_COLUMNS = ("provider", "name", "first_listed_on", "last_listed_on", *FIGURES)

Figures = tuple[str, ...]


@dataclass(frozen=True)
class PriceList:
    """One line of `price_lists.csv`: a release and the file in it that holds prices."""

    released_on: str
    package: str
    version: str
    file_in_archive: str
    sha256: str


@dataclass(frozen=True)
class DatedPrice:
    """What consecutive lists say of one model: USD per million tokens, by figure, as text."""

    provider: str
    name: str
    first_listed_on: str
    last_listed_on: str
    figures: dict[str, str]


def plain(number: Decimal) -> str:
    """Return a number with at most nine decimals and no trailing zeros."""
    text = format(number.quantize(Decimal("0.000000001")), "f").rstrip("0").rstrip(".")
    return text or "0"


def read_price_lists(path: Path) -> list[PriceList]:
    """Return the pinned releases in order of their day; exit when the file is not as it must be."""
    rows = read_rows(path, LIST_COLUMNS)
    for line, row in enumerate(rows, start=2):
        if not re.fullmatch("[0-9a-f]{64}", row["sha256"]):
            fail(f"{path}:{line}: sha256: {row['sha256']!r} is no checksum; write 64 hex digits")
    return sorted((PriceList(**row) for row in rows), key=lambda found: found.released_on)


def read_dated_prices(path: Path) -> list[DatedPrice]:
    """Return the figures written by `write_dated_prices`; exit when a column is missing."""
    return [
        DatedPrice(
            row["provider"],
            row["name"],
            row["first_listed_on"],
            row["last_listed_on"],
            {figure: row[figure] for figure in FIGURES},
        )
        for row in read_rows(path, DATED_COLUMNS)
    ]


def write_dated_prices(path: Path, prices: list[DatedPrice]) -> None:
    """Write figures, sorted, so that the same lists give the same file."""
    rows = sorted(prices, key=lambda price: (price.provider, price.name, price.first_listed_on))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(DATED_COLUMNS)
        for price in rows:
            head = (price.provider, price.name, price.first_listed_on, price.last_listed_on)
            writer.writerow((*head, *(price.figures[figure] for figure in FIGURES)))


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the lines of a CSV file; exit when it is missing or has other columns."""
    if not path.exists():
        fail(f"{path}: the file is missing; restore it with git")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != columns:
            fail(f"{path}: line 1: the columns must be {','.join(columns)}")
        return list(reader)


def collect(price_lists: list[PriceList], archives: Path) -> list[DatedPrice]:
    """Return what the pinned lists say, one item per model and span of lists that agree.

    `archives` keeps what is downloaded; an archive that is there already is not downloaded again.
    Exits when an archive has another checksum than the pinned one, lacks the file, or holds no
    prices in it.
    """
    seen: dict[tuple[str, str], list[DatedPrice]] = {}
    # Of genai-prices, which is installed anyway, only the day is pinned.
    price_lists = [price_list for price_list in price_lists if price_list.file_in_archive]
    for number, price_list in enumerate(price_lists, start=1):
        print(
            f"[{number}/{len(price_lists)}] {price_list.released_on} "
            f"{price_list.package} {price_list.version}",
            file=sys.stderr,
        )
        previous_day = price_lists[number - 2].released_on if number > 1 else ""
        for provider, name, figures in entries(read_json(price_list, archives)):
            spans = seen.setdefault((provider, name), [])
            last = spans[-1] if spans else None
            if last and last.figures == figures and last.last_listed_on == previous_day:
                spans[-1] = DatedPrice(
                    provider, name, last.first_listed_on, price_list.released_on, figures
                )
            else:
                day = price_list.released_on
                spans.append(DatedPrice(provider, name, day, day, figures))
    return [span for spans in seen.values() for span in spans]


def read_json(price_list: PriceList, archives: Path) -> dict[str, Any]:
    """Return the price list of one release, read out of its archive and never executed."""
    path = archive_of(price_list, archives)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != price_list.sha256:
        fail(
            f"{path}: sha256 is {found}, not the pinned {price_list.sha256}; "
            "do not use this archive: delete it and find out why it changed"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(price_list.file_in_archive))
    except KeyError:
        fail(f"{path}: has no file {price_list.file_in_archive}; correct price_lists.csv")
    except (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError) as error:
        fail(f"{path}: {price_list.file_in_archive} cannot be read as JSON ({error})")
    if not isinstance(content, dict) or not content:
        fail(f"{path}: {price_list.file_in_archive} holds no prices by model name")
    return content


def archive_of(price_list: PriceList, archives: Path) -> Path:
    """Return the archive of a release, downloaded with pip when it is not in the folder yet."""
    pattern = f"{price_list.package.replace('-', '_')}-{price_list.version}-*.whl"
    if not list(archives.glob(pattern)):
        archives.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        # Of a wheel nothing runs; of a source archive its build would.
        command += ["--only-binary=:all:", "--ignore-requires-python", "--dest", str(archives)]
        command += [f"{price_list.package}=={price_list.version}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            reason = (result.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            fail(f"pip could not download {command[-1]}: {reason}")
    found = sorted(archives.glob(pattern))
    if len(found) != 1:
        fail(f"{archives}: {len(found)} files are named {pattern} instead of one")
    return found[0]


def entries(content: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield (provider, name, figures) of every text model of a provider that is read."""
    for name, entry in content.items():
        if not isinstance(entry, dict):
            continue
        provider = PROVIDERS.get(str(entry.get("litellm_provider")))
        if provider and entry.get("mode", "chat") in TEXT_MODES:
            figures = {figure: per_million(entry.get(key)) for figure, key in FIGURES.items()}
            # A 0 beside a price is one that nobody knew: nothing is free in part.
            prices = {figures[figure] for figure in PRICES} - {""}
            if prices != {"0"}:
                figures.update({f: "" for f in PRICES if figures[f] == "0"})
            if figures["input"]:
                yield provider, name.lower(), figures


def per_million(per_token: object) -> str:
    """Return USD per million tokens as text; nothing for what is no amount."""
    if per_token is None or isinstance(per_token, bool):
        return ""
    try:
        amount = Decimal(str(per_token)) * 1_000_000
    except InvalidOperation:
        return ""
    return plain(amount) if amount.is_finite() and amount >= 0 else ""
