"""Since when a price holds, what held before, and where two sources differ.

Three things meet here: rows out of genai-prices (`genai.py`), the figures of dated price lists
(`dated_lists.py`) and two files that people review:

* `price_history.csv`: intervals in which another price held than genai-prices knows of. They
  replace what the package says of their days;
* `accepted_differences.csv`: figures of the lists that are not followed, each with the reason.

A model that only the lists know is priced by the lists.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from scripts.pricing.dated_lists import DatedPrice, PriceList, read_rows
from scripts.pricing.genai import (
    BEDROCK_NAMES,
    CLASSES,
    FIRST_DAY,
    MOVING_NAMES,
    NOT_TEXT,
    PRICING_COLUMNS,
    PriceRow,
    plain,
)
from scripts.pricing.names import FREE_VARIANT, LOCAL_MODEL, AliasRow, Resolver
from scripts.warehouse import fail

HISTORY_COLUMNS = (
    "canonical_model",
    "valid_from",
    "valid_to",
    "input_usd_per_million_tokens",
    "output_usd_per_million_tokens",
    "cache_read_usd_per_million_tokens",
    "cache_write_usd_per_million_tokens",
    "long_context_threshold_tokens",
    "long_context_input_usd_per_million_tokens",
    "long_context_output_usd_per_million_tokens",
    "long_context_cache_read_usd_per_million_tokens",
    "reason",
)
ACCEPTED_COLUMNS = ("name", "input", "output", "cache_read", "cache_write", "reason")
NEVER = "9999-12-31"
REVIEWED_BY = "reviewed"
LISTED_BY = "price lists"

# All three charge half for batches, and OpenAI for flex processing, whatever the model.
HALF_PRICE_BATCHES = ("anthropic", "google", "openai")
# A cache entry that lives for an hour costs twice the input price on Claude, wherever it runs.
HOUR_OF_CACHE = Decimal(2)
# Vendors whose own models are priced by the lists where genai-prices does not have them.
LISTED_VENDORS = (
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "mistral",
    "moonshotai",
    "openai",
    "perplexity",
    "x-ai",
    "zai",
)
# Bedrock's vendors, and the inference profiles whose regions may have prices of their own.
_BEDROCK_ID = re.compile(
    r"^(?:(us|eu|apac|jp|au|ca|in)\.)?"
    r"((?:ai21|amazon|cohere|deepseek|meta|minimax|mistral|moonshotai|nvidia|openai|qwen|writer|zai)"
    r"\.(.+?))(?:-v[0-9]+)?(?::[0-9]+)?$"
)
# A list of one month may still have the price that ended in the month before.
DAYS_A_LIST_LAGS = 45


@dataclass(frozen=True)
class Accepted:
    """A figure of the lists that is not followed; `*` in the name stands for any text."""

    name: str
    figures: tuple[str, ...]
    reason: str

    def covers(self, dated: DatedPrice) -> bool:
        """Tell whether this row explains a figure; an empty figure explains any."""
        head, star, tail = self.name.partition("*")
        is_named = (
            dated.name.startswith(head) and dated.name.endswith(tail)
            if star
            else dated.name == head
        )
        listed = (dated.figures[name] for name in CLASSES)
        return is_named and all(
            not wanted or wanted == found
            for wanted, found in zip(self.figures, listed, strict=True)
        )


def read_history(path: Path) -> list[PriceRow]:
    """Return the reviewed intervals; exit when the columns are not the expected ones."""
    return read_rows(path, HISTORY_COLUMNS)


def read_accepted(path: Path) -> list[Accepted]:
    """Return the accepted differences; exit when a reason is missing."""
    rows = read_rows(path, ACCEPTED_COLUMNS)
    for line, row in enumerate(rows, start=2):
        if not row["reason"].strip():
            fail(f"{path}:{line}: reason: is empty; say why the list is not followed")
    return [
        Accepted(row["name"], tuple(row[name] for name in CLASSES), row["reason"]) for row in rows
    ]


def free_rows() -> list[PriceRow]:
    """Return the price rows of what costs nothing by its kind: they hold on every day."""
    rows = []
    for provider, model, source in (
        ("local", LOCAL_MODEL, "runs on the sender's own machine"),
        ("openrouter", FREE_VARIANT, "https://openrouter.ai/docs/features/model-routing"),
    ):
        row = empty_row(provider, model, FIRST_DAY.isoformat(), f"{REVIEWED_BY}: {source}")
        row.update({f"{name}_usd_per_million_tokens": "0" for name in (*CLASSES, "cache_write_1h")})
        row.update({"batch_multiplier": "1", "priority_multiplier": "1"})
        rows.append(row)
    return rows


def empty_row(provider: str, model: str, valid_from: str, source: str) -> PriceRow:
    """Return a price row without prices."""
    row = dict.fromkeys(PRICING_COLUMNS, "")
    row.update(provider=provider, canonical_model=model, valid_from=valid_from, source=source)
    return row


def listed_models(
    dated: Iterable[DatedPrice], prices: list[PriceRow], aliases: list[AliasRow], newest_list: str
) -> tuple[list[PriceRow], list[AliasRow]]:
    """Return price rows and aliases of models that genai-prices does not have.

    Vendors' own models, fine-tuned ones among them, and models of Azure and Bedrock that cost
    something else in a region than the same model elsewhere. `newest_list` is the day of the
    newest list.
    """
    resolve = Resolver(aliases)
    newest = {row["canonical_model"]: row for row in prices if not row["valid_to"]}
    spans: dict[tuple[str, str], list[DatedPrice]] = defaultdict(list)
    kinds: dict[str, list[AliasRow]] = {}
    for price in dated:
        canonical, names = None, []
        if price.provider in LISTED_VENDORS:
            canonical, names = _vendor_model(price, resolve)
        elif price.provider == "azure":
            canonical, names = _azure_model(price)
        elif price.provider == "bedrock":
            canonical, names = _bedrock_model(price, resolve, newest, newest_list)
        if canonical and (price.provider, canonical) not in spans:
            kinds[canonical] = names
        if canonical:
            spans[price.provider, canonical].append(price)
    rows = [
        row
        for (provider, canonical), found in spans.items()
        for row in _listed_rows(provider, canonical, found)
    ]
    # An undated base stands for the newest of its models.
    chosen = {row[0]: row for _, names in sorted(kinds.items()) for row in names}
    for canonical, names in kinds.items():
        chosen |= {row[0]: row for row in names if row[0].startswith(canonical)}
    return rows, list(chosen.values())


def _vendor_model(price: DatedPrice, resolve: Resolver) -> tuple[str | None, list[AliasRow]]:
    name = price.name.rsplit("/", 1)[-1]
    if NOT_TEXT.search(name) or price.name.count("/") > 1:
        return None, []
    # An experiment of Google's is free; the model it became is not.
    is_experiment = re.search(r"-exp(-|$)", name) and price.figures["input"] == "0"
    if resolve(price.name) is not None and not is_experiment and name not in MOVING_NAMES:
        return None, []
    if is_experiment:
        return name, [(name, "family", name)]
    names: list[AliasRow] = [(name, "exact", name)]
    if name.startswith("ft:"):
        # ft:<base>:<organisation>:<suffix>:<id>, of a base with or without its date
        undated = re.sub("-(20[0-9]{2}-[0-9]{2}-[0-9]{2}|[0-9]{4})$", "", name)
        names += [(f"{base}:*", "pattern", name) for base in dict.fromkeys((name, undated))]
    return name, names


def _azure_model(price: DatedPrice) -> tuple[str | None, list[AliasRow]]:
    """Return a model of Azure's data zones, which cost a tenth more than global use."""
    match = re.match(r"^azure/(eu|us)/(.+)$", price.name)
    if not match or NOT_TEXT.search(price.name):
        return None, []
    canonical = f"{match[2]}@azure-{match[1]}"
    return canonical, [(canonical, "exact", canonical), (price.name, "family", canonical)]


def _bedrock_model(
    price: DatedPrice, resolve: Resolver, newest: dict[str, PriceRow], newest_list: str
) -> tuple[str | None, list[AliasRow]]:
    match = _BEDROCK_ID.match(price.name)
    if not match or NOT_TEXT.search(price.name):
        return None, []
    scope, stem, model = match.groups()
    model = BEDROCK_NAMES.get(model, model)
    known = resolve(price.name)
    if known is None:
        canonical = f"{model}@bedrock-{scope}" if scope else f"{model}@bedrock"
    elif scope and price.last_listed_on == newest_list and _differs(price, newest[known]):
        canonical = f"{known.partition('@')[0]}@bedrock-{scope}"
    else:
        return None, []
    alias = f"{scope}.{stem}" if scope else stem
    return canonical, [(canonical, "exact", canonical), (alias, "family", canonical)]


def _listed_rows(provider: str, canonical: str, spans: list[DatedPrice]) -> list[PriceRow]:
    """Return one row per interval in which the lists gave the same price."""
    # Where a model is listed twice, the name with the provider in front is followed: the other may
    # be sold by somebody else.
    name = min((span.name for span in spans), key=lambda name: ("/" not in name, name))
    ordered = sorted(
        (span for span in spans if span.name == name), key=lambda span: span.first_listed_on
    )
    rows: list[PriceRow] = []
    for span in ordered:
        prices = {f"{kind}_usd_per_million_tokens": span.figures[kind] for kind in CLASSES}
        if rows and all(not rows[-1][c] or rows[-1][c] == prices[c] for c in prices):
            rows[-1].update(prices)
            continue
        if rows:
            rows[-1]["valid_to"] = span.first_listed_on
        source = f"{LISTED_BY}: {span.name}"
        rows.append({**empty_row(provider, canonical, span.first_listed_on, source), **prices})
    return rows


def with_first_days(
    prices: list[PriceRow],
    dated: Iterable[DatedPrice],
    resolve: Resolver,
    seen: dict[str, str],
    released_on: str,
) -> list[PriceRow]:
    """Return the price rows with the day a model was first seen in the place of FIRST_DAY.

    That is the day of the first list that has it, else the one in `seen` (by model), else the day
    genai-prices was released on. A price that ended before that day held on the day before its end.
    """
    listed: dict[str, str] = {}
    provider_of = {row["canonical_model"]: row["provider"] for row in prices}
    for price in dated:
        model = resolve(price.name)
        if model and provider_of.get(model) == price.provider:
            listed[model] = min(listed.get(model, price.first_listed_on), price.first_listed_on)
    found = []
    for row in prices:
        model, end = row["canonical_model"], row["valid_to"]
        start = row["valid_from"]
        if start == FIRST_DAY.isoformat() and model not in (LOCAL_MODEL, FREE_VARIANT):
            start = listed.get(model) or seen.get(model) or released_on
            if end and start >= end:
                start = (date.fromisoformat(end) - timedelta(days=1)).isoformat()
        found.append({**row, "valid_from": start})
    return found


def with_history(prices: list[PriceRow], history: list[PriceRow]) -> list[PriceRow]:
    """Return the price rows with the reviewed intervals in the place of what they overlap."""
    rows = list(prices)
    provider_of = {row["canonical_model"]: row["provider"] for row in prices}
    for reviewed in history:
        model = reviewed["canonical_model"]
        if model not in provider_of:
            fail(f"price_history.csv: {model!r} is priced by no source; correct its name")
        start, end = reviewed["valid_from"], reviewed["valid_to"]
        new = empty_row(provider_of[model], model, start, f"{REVIEWED_BY}: {reviewed['reason']}")
        new.update({column: reviewed[column] for column in HISTORY_COLUMNS[2:-1]})
        others = [row for row in rows if row["canonical_model"] != model]
        same = [row for row in rows if row["canonical_model"] == model]
        rows = [*others, new, *(part for row in same for part in _outside(row, start, end))]
    return rows


def _outside(row: PriceRow, start: str, end: str) -> Iterator[PriceRow]:
    """Yield what is left of an interval before `start` and, when there is an `end`, from it on."""
    row_end = row["valid_to"] or NEVER
    if row["valid_from"] < start:
        yield {**row, "valid_to": row["valid_to"] if row_end <= start else start}
    if end and row_end > end:
        yield {**row, "valid_from": max(row["valid_from"], end)}


def with_multipliers(
    prices: list[PriceRow], dated: Iterable[DatedPrice], resolve: Resolver
) -> list[PriceRow]:
    """Return the price rows with batch and priority multipliers and hourly cache writes."""
    priority: dict[str, str] = {}
    for price in sorted(dated, key=lambda price: price.last_listed_on):
        model = resolve(price.name)
        multiplier = _multiplier(price, "priority")
        if model and multiplier:
            priority[model] = multiplier
    found = []
    for row in prices:
        new = dict(row)
        if row["provider"] in HALF_PRICE_BATCHES:
            new["batch_multiplier"] = "0.5"
        if not row["priority_multiplier"]:
            new["priority_multiplier"] = priority.get(row["canonical_model"], "")
        if row["canonical_model"].startswith("claude"):
            for prefix in ("", "long_context_"):
                column = f"{prefix}cache_write_1h_usd_per_million_tokens"
                written = row[f"{prefix}cache_write_usd_per_million_tokens"]
                read = row[f"{prefix}input_usd_per_million_tokens"]
                new[column] = plain(Decimal(read) * HOUR_OF_CACHE) if written and read else ""
        found.append(new)
    return found


def _multiplier(price: DatedPrice, tier: str) -> str:
    """Return a tier's price as a multiple when input and output agree on it."""
    ratios = {
        plain(Decimal(special) / Decimal(usual))
        for kind in ("input", "output")
        if (usual := price.figures[kind]) not in ("", "0")
        and (special := price.figures[f"{tier}_{kind}"])
    }
    return ratios.pop() if len(ratios) == 1 else ""


def _differs(price: DatedPrice, row: PriceRow) -> bool:
    pairs = ((price.figures[kind], row[f"{kind}_usd_per_million_tokens"]) for kind in CLASSES)
    return any(listed and ours and listed != ours for listed, ours in pairs)


def differences(
    prices: list[PriceRow],
    dated: Iterable[DatedPrice],
    resolve: Resolver,
    accepted: list[Accepted],
) -> tuple[list[str], list[Accepted], int]:
    """Compare the seed with every list; return what nobody explained, unused rows and a count.

    The first is one line per figure of a list that is neither the seed's price of that day, nor
    the one that ended shortly before, nor accepted. The second are accepted differences that
    explain nothing any more. The count is the number of figures that were compared.
    """
    by_model: dict[str, list[PriceRow]] = defaultdict(list)
    for row in prices:
        by_model[row["canonical_model"]].append(row)
    unexplained: list[str] = []
    used: set[Accepted] = set()
    compared = 0
    for price in dated:
        model = resolve(price.name)
        rows = by_model.get(model or "", [])
        if not rows or rows[0]["provider"] != price.provider:
            continue
        compared += 1
        wrong = [
            day
            for day in sorted({price.first_listed_on, price.last_listed_on})
            if not _agrees(price, rows, day)
        ]
        if not wrong:
            continue
        reasons = [row for row in accepted if row.covers(price)]
        used.update(reasons)
        if not reasons:
            ours = price_on(rows, wrong[0])
            listed = "/".join(price.figures[kind] or "-" for kind in CLASSES)
            seed = "/".join(ours[f"{kind}_usd_per_million_tokens"] or "-" for kind in CLASSES)
            unexplained.append(
                f"{price.name} from {price.first_listed_on} to {price.last_listed_on}: "
                f"the list says {listed}, {model} costs {seed} on {wrong[0]}"
            )
    return unexplained, [row for row in accepted if row not in used], compared


def price_on(rows: list[PriceRow], day: str) -> PriceRow:
    """Return the row that prices a day: before the first interval, the first."""
    ordered = sorted(rows, key=lambda row: row["valid_from"])
    return next((row for row in reversed(ordered) if row["valid_from"] <= day), ordered[0])


def _agrees(price: DatedPrice, rows: list[PriceRow], day: str) -> bool:
    valid = price_on(rows, day)
    if not _differs(price, valid):
        return True
    days = date.fromisoformat(day) - date.fromisoformat(valid["valid_from"])
    before = [row for row in rows if row["valid_to"] == valid["valid_from"]]
    return bool(before) and 0 <= days.days <= DAYS_A_LIST_LAGS and not _differs(price, before[0])


def is_dated(row: PriceRow, released_on: str) -> bool:
    """Tell whether the first day of a row comes from a dated list, a vendor or a review.

    The others were first seen in the pinned release of genai-prices.
    """
    return row["valid_from"] not in (FIRST_DAY.isoformat(), released_on)


def first_seen(seed_rows: list[PriceRow]) -> dict[str, str]:
    """Return the first day of every model in the seed as it is, so that no run forgets it."""
    days: dict[str, str] = {}
    for row in seed_rows:
        if row["valid_from"] != FIRST_DAY.isoformat():
            model = row["canonical_model"]
            days[model] = min(days.get(model, "9999"), row["valid_from"])
    return days


def release_day(price_lists: list[PriceList], package: str, version: str, path: Path) -> str:
    """Return the day of a pinned release; exit when it is not pinned."""
    days = [
        price_list.released_on
        for price_list in price_lists
        if (price_list.package, price_list.version) == (package, version)
    ]
    if not days:
        fail(f"{path}: {package} {version}, which is installed, has no line; add one with its day")
    return days[0]
