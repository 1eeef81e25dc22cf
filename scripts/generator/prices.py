"""List prices and token conventions, read from the seeds the models use as well.

Truth must not depend on how the models look prices up, but it must use the same price list:
`seeds/pricing/model_pricing.csv` and `seeds/pricing/provider_token_conventions.csv`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from scripts.generator.catalog import MODELS
from scripts.generator.randomness import Bools, Floats, Ints
from scripts.warehouse import PROJECT_DIR, fail

PRICING_FILE = PROJECT_DIR / "seeds" / "pricing" / "model_pricing.csv"
CONVENTIONS_FILE = PROJECT_DIR / "seeds" / "pricing" / "provider_token_conventions.csv"

# Order of the four token classes wherever they stand side by side.
TOKEN_CLASSES = ("input", "output", "cache_read", "cache_write")
_NEVER_MS = np.iinfo(np.int64).max


@dataclass(frozen=True)
class PriceList:
    """Prices in USD per million tokens and token conventions, by position in `catalog.MODELS`."""

    starts_ms: tuple[Ints, ...]
    ends_ms: tuple[Ints, ...]
    rates: tuple[Floats, ...]
    includes_cache_read: Bools
    includes_cache_write: Bools

    def change_times(self) -> list[int]:
        """Return when any price of a catalogued model changes, in milliseconds since 1970."""
        return sorted({int(start) for starts in self.starts_ms for start in starts[1:]})

    def rates_at(self, model: Ints, time_ms: Ints) -> Floats:
        """Return one row (input, output, cache read, cache write) per model and time.

        Before the first known price, that one holds. Not-a-number where no price of that class was
        valid then.
        """
        found = np.full((len(model), len(TOKEN_CLASSES)), np.nan)
        for number, starts in enumerate(self.starts_ms):
            rows = np.flatnonzero(model == number)
            if len(starts) == 0 or len(rows) == 0:
                continue
            interval = np.maximum(np.searchsorted(starts, time_ms[rows], side="right") - 1, 0)
            valid = time_ms[rows] < self.ends_ms[number][interval]
            found[rows[valid]] = self.rates[number][interval[valid]]
        return found

    def cost(self, model: Ints, time_ms: Ints, tokens: Ints) -> Floats:
        """Return USD for rows of four token counts (-1: unknown) at the price of that time.

        Not-a-number when no token count is known or a class with tokens has no price:
        an unpriced model is never 0.
        """
        counted = np.where(tokens > 0, tokens, 0)
        parts = counted * self.rates_at(model, time_ms)
        parts = np.where(counted == 0, 0.0, parts)
        total = parts.sum(axis=1) / 1_000_000
        known = (tokens >= 0).any(axis=1)
        has_price = ~np.isnan(self.rates_at(model, time_ms)[:, 0])
        return np.where(known & has_price, total, np.nan)


def _milliseconds(text: str, file: Path, line: int, column: str) -> int:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        fail(f"{file} line {line}, column {column}: {text!r} is no date; write it as 2026-01-31")


def _read(file: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    if not file.exists():
        fail(f"{file} is missing; the generator takes list prices from it: restore it from git")
    with file.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        missing = [column for column in columns if column not in (reader.fieldnames or [])]
        if missing:
            fail(f"{file} line 1: column {missing[0]} is missing; add it")
        return list(reader)


def load_price_list(
    pricing_file: Path = PRICING_FILE, conventions_file: Path = CONVENTIONS_FILE
) -> PriceList:
    """Return prices and token conventions of the catalogued models.

    Exits with one line when a file, a column or a catalogued model is missing or a value is wrong.
    """
    rate_columns = tuple(f"{name}_usd_per_million_tokens" for name in TOKEN_CLASSES)
    needed = ("provider", "canonical_model", "valid_from", "valid_to", *rate_columns)
    intervals: dict[str, list[tuple[int, int, list[float]]]] = {}
    providers: dict[str, str] = {}
    for line, row in enumerate(_read(pricing_file, needed), start=2):
        rates = []
        for column in rate_columns:
            try:
                rates.append(float(row[column]) if row[column] else float("nan"))
            except ValueError:
                fail(f"{pricing_file} line {line}, column {column}: {row[column]!r} is no number")
        start = _milliseconds(row["valid_from"], pricing_file, line, "valid_from")
        end = _NEVER_MS
        if row["valid_to"]:
            end = _milliseconds(row["valid_to"], pricing_file, line, "valid_to")
        intervals.setdefault(row["canonical_model"], []).append((start, end, rates))
        providers[row["canonical_model"]] = row["provider"]
    conventions: dict[str, tuple[bool, bool]] = {}
    flags = ("prompt_tokens_include_cache_read", "prompt_tokens_include_cache_write")
    for row in _read(conventions_file, ("provider", *flags)):
        read_flag, write_flag = (row[flag].strip().lower() == "true" for flag in flags)
        conventions[row["provider"]] = (read_flag, write_flag)
    if "default" not in conventions:
        fail(f"{conventions_file}: the row `default` is missing; add it")

    starts, ends, rates_by_model, includes = [], [], [], []
    for model in MODELS:
        known: list[tuple[int, int, list[float]]] = []
        if model.canonical_model is not None:
            known = sorted(intervals.get(model.canonical_model, []))
            if not known:
                fail(
                    f"{pricing_file}: no row for {model.canonical_model}, which the generator uses"
                )
        starts.append(np.array([row[0] for row in known], dtype=np.int64))
        ends.append(np.array([row[1] for row in known], dtype=np.int64))
        rates_by_model.append(np.array([row[2] for row in known]).reshape(-1, len(TOKEN_CLASSES)))
        provider = providers.get(model.canonical_model or "", "default")
        includes.append(conventions.get(provider, conventions["default"]))
    return PriceList(
        tuple(starts),
        tuple(ends),
        tuple(rates_by_model),
        np.array([flags[0] for flags in includes]),
        np.array([flags[1] for flags in includes]),
    )
