"""List prices and model names out of the package genai-prices.

The package is a maintained list of list prices. It knows each model by a provider, an id and a
matching rule; this module turns that into rows of `model_pricing` and `model_aliases`.

A model sold at another price by a host has its own canonical name `<model>@<host>`; where the
host charges the vendor's price, its spellings are aliases of the vendor's model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from scripts.pricing.names import (
    PREFIXES,
    AliasRow,
    Resolver,
    is_family_member,
    is_version_of,
    respellings,
    without_prefix,
)
from scripts.warehouse import fail

if TYPE_CHECKING:
    from genai_prices.types import (
        ConditionalPrice,
        MatchLogic,
        ModelInfo,
        PriceVariant,
        Provider,
        TieredPrices,
    )

    Price = Decimal | TieredPrices

GENERATED_BY = "genai-prices"
CLASSES = ("input", "output", "cache_read", "cache_write")
PRICE_COLUMNS = (
    *(f"{name}_usd_per_million_tokens" for name in (*CLASSES, "cache_write_1h")),
    "long_context_threshold_tokens",
    *(f"long_context_{name}_usd_per_million_tokens" for name in (*CLASSES, "cache_write_1h")),
)
PRICING_COLUMNS = (
    "provider",
    "canonical_model",
    "valid_from",
    "valid_to",
    *PRICE_COLUMNS,
    "batch_multiplier",
    "priority_multiplier",
    "source",
)

# The package gives no launch dates, so that the first price of a model is valid from here.
FIRST_DAY = date(2020, 1, 1)
# Seed columns are numeric(28, 9).
NINE_DECIMALS = Decimal("0.000000001")

# Not priced by text tokens, or not a model an agent calls.
NOT_TEXT = re.compile(
    r"image|audio|realtime|transcri|tts|whisper|live|ocr|voxtral|moderation|omni|banana|robotics"
    r"|sonic|guard|orpheus|titan|voice|lyria|dall-e|sora|veo-|:free$|:batch$|ft-$"
)


@dataclass(frozen=True)
class Selection:
    """Which models of one provider of the package are taken, and under which names."""

    package_provider: str
    provider: str
    wanted: re.Pattern[str]
    # Suffix of canonical names for a host that resells other vendors' models; empty for a vendor.
    host: str = ""
    # Spellings of the host in front of a model name.
    host_prefixes: tuple[str, ...] = ()
    # Names that nobody but this host uses, so that they have a price without the host before them.
    own_names: re.Pattern[str] = re.compile("(?!)")


SELECTIONS = (
    Selection("anthropic", "anthropic", re.compile("^claude")),
    Selection(
        "openai",
        "openai",
        re.compile(r"^(gpt-(?!oss|4o:|3\.5-0)|o[0-9]|chatgpt|codex|text-emb|computer)"),
    ),
    Selection("google", "google", re.compile("^(gemini|gemma)")),
    Selection("mistral", "mistral", re.compile("^(?!deepseek|zai)")),
    Selection("deepseek", "deepseek", re.compile("^deepseek")),
    Selection("meta", "meta", re.compile("^muse")),
    Selection("x-ai", "x-ai", re.compile("^grok")),
    Selection("cohere", "cohere", re.compile("^(command|c4ai|embed)")),
    Selection("perplexity", "perplexity", re.compile("^(sonar|r1-|llama)")),
    Selection("moonshotai", "moonshotai", re.compile("^(kimi|moonshot)")),
    Selection("zai", "zai", re.compile("^GLM")),
    Selection(
        "groq",
        "groq",
        re.compile("."),
        "groq",
        ("groq/", "groq:"),
        re.compile("-(versatile|instant|specdec|preview|reasoning|8192|4096|32768)$"),
    ),
    Selection(
        "together",
        "together",
        re.compile(
            "^(meta-llama|meta-models|openai|deepseek-ai|mistralai|qwen|moonshotai|zai-org)/", re.I
        ),
        "together",
        ("together/", "together_ai/", "together:"),
        re.compile("-instruct-(turbo|lite)$"),
    ),
    Selection(
        "cerebras",
        "cerebras",
        re.compile("llama|gpt-oss"),
        "cerebras",
        ("cerebras/", "cerebras:"),
    ),
    Selection(
        "fireworks",
        "fireworks",
        re.compile("."),
        "fireworks",
        ("fireworks/", "fireworks_ai/"),
        # Nobody else writes the point of a version as a p (deepseek-v3p2).
        re.compile("[0-9]p[0-9]"),
    ),
    Selection(
        "cursor",
        "cursor",
        re.compile("."),
        "cursor",
        ("cursor/", "cursor:", "cursor-"),
        re.compile("^composer"),
    ),
    Selection(
        "openrouter",
        "openrouter",
        re.compile("^[a-z0-9][^/]*/"),
        "openrouter",
        ("openrouter/", "openrouter:"),
    ),
)
# OpenRouter passes on the price of these vendors' own models.
ONE_HOST_VENDORS = ("amazon", "anthropic", "cohere", "google", "openai", "perplexity", "x-ai")

# The package lists these models a second time under OpenRouter's word order.
OTHER_SPELLINGS = {
    "gemini-1.5-pro": None,
    "gemini-flash-1.5": None,
    "gemini-pro-1.5": "gemini-1.5-pro",
    "gemini-flash-1.5-8b": "gemini-1.5-flash-8b",
}

# Names that the package matches by a looser rule than ours, or only on another host.
EXTRA_ALIASES: tuple[tuple[str, str, str], ...] = (
    ("anthropic.claude-instant", "family", "claude-instant-1.2"),
    ("anthropic.claude-instant-v1", "exact", "claude-instant-1.2"),
    ("claude-instant", "family", "claude-instant-1.2"),
    ("claude-instant-1", "exact", "claude-instant-1.2"),
    ("claude-2.0", "exact", "claude-2"),
    ("claude-2.1", "exact", "claude-2"),
    ("claude-v2:1", "exact", "claude-2"),
    ("anthropic.claude-v2", "exact", "claude-2"),
    ("anthropic.claude-v2:1", "exact", "claude-2"),
    ("claude-opus-4", "family", "claude-opus-4-0"),
    ("claude-sonnet-4", "family", "claude-sonnet-4-0"),
    ("gemini-1.5-flash-8b", "family", "gemini-1.5-flash-8b"),
    ("gemini-1.5-pro", "family", "gemini-1.5-pro"),
    ("gemini-flash-1.5", "exact", "gemini-1.5-flash"),
    ("gemini-2.0-flash-lite-preview-02-05", "exact", "gemini-2.0-flash-lite"),
    ("gemini-2.5-flash-lite-preview-06-17", "exact", "gemini-2.5-flash-lite"),
    ("gemini-2.5-pro-preview-03-25", "exact", "gemini-2.5-pro"),
    ("gemini-2.5-pro-preview-05-06", "exact", "gemini-2.5-pro"),
    ("gemini-2.5-pro-preview-06-05", "exact", "gemini-2.5-pro"),
    ("gemini-3-flash", "exact", "gemini-3-flash-preview"),
    ("gemini-3-pro", "exact", "gemini-3-pro-preview"),
    ("gemini-3.1-pro", "exact", "gemini-3.1-pro-preview"),
    ("mistral-medium", "exact", "mistral-medium-latest"),
    ("mistral-medium-3", "exact", "mistral-medium-3-1"),
)

# Names that followed the vendor's newest model, or that had the price of an earlier one for a
# while. Each is a model of its own, priced by the dated lists.
MOVING_NAMES = (
    "deepseek-r1",
    "magistral-medium-latest",
    "magistral-small-latest",
    "gpt-3.5-turbo-0125",
    "gpt-4o-2024-08-06",
    "mistral-large-latest",
)

# Bedrock: vendors whose models are taken, and ids whose vendor-less part would say too little.
BEDROCK_VENDORS = ("amazon", "anthropic", "deepseek", "meta", "mistral", "openai")
BEDROCK_NAMES = {
    "r1": "deepseek-r1",
    "gpt-oss-120b-1": "gpt-oss-120b",
    "gpt-oss-20b-1": "gpt-oss-20b",
}

PriceRow = dict[str, str]


def plain(number: Decimal | int | None) -> str:
    """Return a number as a plain decimal without trailing zeros; nothing for an unknown one."""
    if number is None:
        return ""
    rounded = Decimal(number).quantize(NINE_DECIMALS, rounding=ROUND_HALF_UP)
    text = format(rounded, "f").rstrip("0").rstrip(".")
    return text or "0"


def generate() -> tuple[list[PriceRow], list[AliasRow]]:
    """Return all price rows and alias rows that follow from the package."""
    from genai_prices import data

    providers = {provider.id: provider for provider in data.providers}
    prices: list[PriceRow] = []
    names: list[AliasRow] = list(EXTRA_ALIASES)
    for selection in SELECTIONS:
        if selection.package_provider not in providers:
            fail(f"genai-prices no longer has the provider {selection.package_provider}")
        provider = providers[selection.package_provider]
        source = f"{GENERATED_BY}: {(provider.pricing_urls or [provider.name])[0]}"
        models = [
            model
            for model in provider.models
            if selection.wanted.search(model.id)
            and not NOT_TEXT.search(model.id.lower())
            and OTHER_SPELLINGS.get(model.id, "") is not None
        ]
        resolve = Resolver(names)
        for model in models:
            taken = {row["canonical_model"] for row in prices}
            if selection.host == "openrouter" and (
                f"{bare_name(model.id)}@{selection.host}" in taken
                or is_sold_at_vendor_price(model, resolve)
                or has_several_tiers(model)
            ):
                continue
            if selection.host:
                canonical = f"{bare_name(model.id)}@{selection.host}"
                names += host_names(model, canonical, selection)
            else:
                canonical = vendor_name(model.id, selection.provider)
                names += vendor_names(model, canonical, models)
            prices += price_rows(model, selection.provider, canonical, source)
    bedrock_prices, bedrock_names = bedrock(providers["aws"], names, prices)
    prices += bedrock_prices
    extra = {alias for alias, _, _ in EXTRA_ALIASES}
    names = [
        row for row in names + bedrock_names if row[0] not in extra and row[0] not in MOVING_NAMES
    ]
    return prices, unambiguous([*EXTRA_ALIASES, *names])


def context_windows() -> dict[str, int]:
    """Return the tokens that fit into one call, by canonical model, where the package knows them.

    Models of Bedrock, which have no names of their own in the package, are left out.
    """
    from genai_prices import data

    providers = {provider.id: provider for provider in data.providers}
    found: dict[str, int] = {}
    for selection in SELECTIONS:
        for model in providers[selection.package_provider].models:
            if not model.context_window or not selection.wanted.search(model.id):
                continue
            if selection.host:
                canonical = f"{bare_name(model.id)}@{selection.host}"
            else:
                canonical = vendor_name(model.id, selection.provider)
            # of several spellings of one model the smallest window is sure to be there
            found[canonical] = min(model.context_window, found.get(canonical, model.context_window))
    return found


def is_sold_at_vendor_price(model: ModelInfo, resolve: Resolver) -> bool:
    """Tell whether OpenRouter's model is one that only its vendor serves, at the vendor's price."""
    vendor, _, name = model.id.partition("/")
    return vendor in ONE_HOST_VENDORS and resolve(name) is not None


def has_several_tiers(model: ModelInfo) -> bool:
    """Tell whether a price rises with the context more than once; the seed has room for one."""
    prices = model.prices if isinstance(model.prices, list) else [model]
    return any(
        len(getattr(price, "tiers", [])) > 1
        for conditional in prices
        for price in vars(conditional.prices).values()
    )


def other_spellings(aliases: list[AliasRow], prices: list[PriceRow]) -> list[AliasRow]:
    """Return further spellings of vendors' models that mean no other model already."""
    resolve = Resolver(aliases)
    vendor_models = {row["canonical_model"] for row in prices if "@" not in row["canonical_model"]}
    found: dict[str, AliasRow] = {}
    for alias, kind, canonical in sorted(aliases):
        if kind in ("exact", "family") and canonical in vendor_models:
            for spelling in respellings(alias):
                if resolve(spelling) is None and resolve(alias) == canonical:
                    found.setdefault(spelling, (spelling, kind, canonical))
    return list(found.values())


def vendor_name(model_id: str, provider: str) -> str:
    """Return the canonical name of a vendor's own model."""
    name = OTHER_SPELLINGS.get(model_id) or model_id.lower()
    return name.removesuffix("-latest") if provider == "anthropic" else name


def price_rows(model: ModelInfo, provider: str, canonical: str, source: str) -> list[PriceRow]:
    """Return one row per interval in which the text-token prices of a model did not change."""
    starts = [
        FIRST_DAY,
        *sorted(start_dates(model.prices if isinstance(model.prices, list) else [])),
    ]
    last_known = max([*starts, *start_dates(model.price_variants or [])])
    rows: list[PriceRow] = []
    for number, start in enumerate(starts):
        is_last = number == len(starts) - 1
        end = None if is_last else starts[number + 1]
        # Batch and priority prices carry the date on which the package learned of them, so that
        # they are read at the end of the interval.
        multipliers_on = last_known if end is None else end - timedelta(days=1)
        row = price_row(model, start, multipliers_on)
        if not row["input_usd_per_million_tokens"]:
            continue
        if rows and all(rows[-1][column] == row[column] for column in PRICE_COLUMNS):
            # The package began a new interval for something else, such as the price of a search.
            rows[-1].update(row, valid_to=end.isoformat() if end else "")
            continue
        by_hour = " (the price of most hours of the day)" if depends_on_hour(model) else ""
        rows.append(
            {
                "provider": provider,
                "canonical_model": canonical,
                "valid_from": start.isoformat(),
                "valid_to": end.isoformat() if end else "",
                "source": source + by_hour,
                **row,
            }
        )
    return rows


def start_dates(conditions: Iterable[ConditionalPrice | PriceVariant]) -> set[date]:
    """Return the dates on which one of the package's conditional prices begins."""
    return {
        condition.constraint.start_date
        for condition in conditions
        if getattr(condition.constraint, "start_date", None)
    }


def depends_on_hour(model: ModelInfo) -> bool:
    """Tell whether the vendor charges other prices at other hours of the day."""
    conditions = model.prices if isinstance(model.prices, list) else []
    return any(getattr(condition.constraint, "start_time", None) for condition in conditions)


def price_row(model: ModelInfo, day: date, multipliers_on: date) -> PriceRow:
    """Return the price columns of a model on a day.

    A price that depends on the hour cannot be expressed; the one that holds for most hours counts.
    Exits when the package uses more than one long-context tier: the seed has room for one.
    """
    hours = [usual_prices(model, day, hour, {}) for hour in range(24)]
    keys = [repr(hour) for hour in hours]
    standard = hours[keys.index(Counter(keys).most_common(1)[0][0])]
    classes = {
        "input": standard.get("input_mtok"),
        "output": standard.get("output_mtok"),
        "cache_read": standard.get("cache_read_mtok"),
        "cache_write": standard.get("cache_write_mtok"),
    }
    thresholds = {tier.start for price in classes.values() for tier in getattr(price, "tiers", [])}
    if len(thresholds) > 1:
        fail(f"{model.id}: genai-prices has several long-context tiers; the seed has room for one")
    row = {f"{name}_usd_per_million_tokens": plain(base(price)) for name, price in classes.items()}
    row["long_context_threshold_tokens"] = plain(thresholds.pop()) if thresholds else ""
    row["cache_write_1h_usd_per_million_tokens"] = ""
    row["long_context_cache_write_1h_usd_per_million_tokens"] = ""
    for name, price in classes.items():
        long_price = price.tiers[0].price if getattr(price, "tiers", None) else None
        if long_price is None and row["long_context_threshold_tokens"]:
            long_price = base(price)
        row[f"long_context_{name}_usd_per_million_tokens"] = plain(long_price)
    for column, context in (
        ("batch_multiplier", {"processing": "batch"}),
        ("priority_multiplier", {"service_tier": "priority"}),
    ):
        usual = usual_prices(model, multipliers_on, 12, {})
        special = usual_prices(model, multipliers_on, 12, context)
        row[column] = plain(ratio(special, usual))
    return row


def usual_prices(
    model: ModelInfo, day: date, hour: int, context: dict[str, str]
) -> dict[str, Price]:
    """Return the package's prices for a request at `hour` UTC of a day."""
    priced_at = datetime.combine(day, time(hour), tzinfo=UTC)
    return {
        k: v for k, v in vars(model.get_prices(priced_at, context or None)).items() if v is not None
    }


def base(price: Price | None) -> Decimal | None:
    """Return a price below the long-context threshold."""
    return getattr(price, "base", price)


def ratio(special: dict[str, Price], usual: dict[str, Price]) -> Decimal | None:
    """Return special ÷ usual price when it is the same for input and output and not 1."""
    ratios = set()
    for name in ("input_mtok", "output_mtok"):
        usual_price, special_price = base(usual.get(name)), base(special.get(name))
        if usual_price and special_price is not None:
            ratios.add((special_price / usual_price).quantize(NINE_DECIMALS))
    return ratios.pop() if len(ratios) == 1 and ratios != {Decimal(1)} else None


def clauses(match: MatchLogic) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) for every simple clause of a matching rule of the package."""
    for attribute in ("or_", "and_"):
        for clause in getattr(match, attribute, None) or []:
            yield from clauses(clause)
    for kind in ("equals", "starts_with", "contains", "ends_with", "regex"):
        if hasattr(match, kind):
            yield kind, getattr(match, kind).lower()


def vendor_names(model: ModelInfo, canonical: str, models: list[ModelInfo]) -> Iterator[AliasRow]:
    """Yield the aliases of a vendor's own model.

    The whole name and every name the package lists are `exact`. A name becomes a `family`, which
    accepts dates nobody has listed yet, only where the package itself accepts any date or lists
    one, and no dated name of it has a price of its own (gpt-4o-2024-05-13, mistral-large-2512).
    """
    # OpenRouter's `:thinking` had a price of its own with some vendors.
    found = [
        (kind, text)
        for kind, text in clauses(model.match)
        if not text.startswith("ft:") and not text.endswith(":thinking")
    ]
    exact = {text for kind, text in found if kind == "equals"} | {canonical}
    stems = {
        VERSION_TAIL.sub("", text).rstrip("-@:")
        for kind, text in found
        if kind in ("starts_with", "contains", "ends_with")
    }
    dated = {name for name in exact if is_version_of(name, canonical)}
    if dated or any(kind == "regex" for kind, _ in found):
        stems.add(canonical)
    others = {
        text for other in models if other is not model for _, text in clauses(other.match)
    } | {other.id for other in models if other is not model}
    families = {stem for stem in stems if not any(is_version_of(other, stem) for other in others)}
    for stem in families:
        yield stem, "family", canonical
    for name in exact - families:
        if name == canonical or not any(is_family_member(name, stem) for stem in families):
            yield name, "exact", canonical


# Ends of the package's `starts_with` texts that are the beginning of a date, not of a name.
VERSION_TAIL = re.compile(r"(-20[0-9]{2}|-0)$")


def bare_name(model_id: str) -> str:
    """Return a model's id in lower case without the vendor in front of it."""
    return model_id.lower().rsplit("/", 1)[-1]


def host_names(model: ModelInfo, canonical: str, selection: Selection) -> Iterator[AliasRow]:
    """Yield the aliases of a model at a host with prices of its own: all exact.

    Without the host in front of it a name has a price only where nobody else uses it
    (llama-3.3-70b-versatile, not gpt-oss-120b).
    """
    names = {text for kind, text in clauses(model.match) if kind == "equals"} | {model.id.lower()}
    yield canonical, "exact", canonical
    for name in names:
        if selection.own_names.search(name):
            yield bare_name(name), "exact", canonical
        if name.startswith("accounts/"):
            yield name, "exact", canonical
        for prefix in selection.host_prefixes:
            yield prefix + name, "exact", canonical


def bedrock(
    provider: Provider, names: list[AliasRow], prices: list[PriceRow]
) -> tuple[list[PriceRow], list[AliasRow]]:
    """Return price rows and aliases of Amazon Bedrock.

    Bedrock's ids are `<vendor>.<model>-<version>`, in front of them a region (`us.`) or `global.`.
    Newer models cost a tenth more in a region than globally: those get `<model>@bedrock-regional`.
    """
    source = f"{GENERATED_BY}: {provider.pricing_urls[0]}"
    resolve = Resolver(names)
    base_price = {row["canonical_model"]: row for row in prices if not row["valid_to"]}
    found: list[PriceRow] = []
    aliases: list[AliasRow] = []
    for model in provider.models:
        match = re.match(r"^(?:(global|regional)\.)?([a-z]+)\.(.+)$", model.id)
        if not match or NOT_TEXT.search(model.id):
            continue
        scope, vendor, rest = match.groups()
        if vendor not in BEDROCK_VENDORS:
            continue
        part = re.sub(r"(-[0-9]{8})?(-v[0-9]+)?(:[0-9]+)?$", "", rest)
        name = BEDROCK_NAMES.get(part, part)
        direct = resolve(name) if vendor in ("anthropic", "openai") else None
        if scope == "global" and direct:
            continue  # the prefixes global.anthropic. and global.openai. lead to the vendor's row
        if direct or scope == "regional":
            canonical = f"{direct or name}@bedrock-regional"
        else:
            canonical = name if vendor == "amazon" else f"{name}@bedrock"
        rows = price_rows(model, "bedrock", canonical, source)
        if direct and same_price(rows[-1], base_price[direct]):
            canonical, rows = direct, []
        known = [row for row in found if row["canonical_model"] == canonical]
        if known and known != rows:
            fail(f"genai-prices has two prices for Bedrock's {canonical}")
        found += [] if known else rows
        stem = f"{'global.' if scope == 'global' else ''}{vendor}.{part}"
        aliases.append((stem, "family", canonical))
        if scope is None and not is_family_member(model.id, stem):
            aliases.append((model.id, "exact", canonical))
        if canonical != direct:
            aliases.append((canonical, "exact", canonical))
    return found, aliases


def same_price(first: PriceRow, second: PriceRow) -> bool:
    """Tell whether no price known on both sides differs."""
    columns = [column for column in PRICE_COLUMNS[:4] if first[column] and second[column]]
    return all(first[column] == second[column] for column in columns)


def unambiguous(names: Iterable[AliasRow]) -> list[AliasRow]:
    """Drop aliases that no name can reach and those that would mean two different models."""
    chosen: dict[str, set[tuple[str, str]]] = {}
    for full_alias, kind, canonical in names:
        # A name that starts with a prefix is matched without it, but OpenRouter has own prices.
        alias = full_alias
        if not alias.startswith(("openrouter/", "openrouter:")):
            while rests := [r for p in PREFIXES if (r := without_prefix(alias, p)) is not None]:
                alias = min(rests, key=len)
        chosen.setdefault(alias, set()).add((kind, canonical))
    rows: list[AliasRow] = []
    for alias, options in chosen.items():
        if len({canonical for _, canonical in options}) == 1:
            kind = "family" if any(kind == "family" for kind, _ in options) else "exact"
            rows.append((alias, kind, next(iter(options))[1]))
    return rows
