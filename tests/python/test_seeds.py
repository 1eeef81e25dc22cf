"""The seeds: prices, aliases, failure rules, feedback scales, and the script that checks them.

The resolver and the classifier here are written from the descriptions of the seeds, not from the
SQL, so that they say independently what a name and a message must come to.
"""

from __future__ import annotations

import re
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from scripts import check_seeds, update_model_pricing
from scripts.pricing import names
from tests.python.tables import read

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ROOT / "seeds"
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="module")
def prices():
    return read(SEEDS / "pricing/model_pricing.csv")


@pytest.fixture(scope="module")
def aliases():
    return read(SEEDS / "pricing/model_aliases.csv")


@pytest.fixture(scope="module")
def rules():
    return sorted(
        read(SEEDS / "taxonomy/failure_mode_rules.csv"), key=lambda row: int(row["priority"])
    )


# --- prices -------------------------------------------------------------------------------------


def price_on(prices, model, day):
    """Return input, output, cache read and cache write price of a model on a day.

    Before the first known price, that one is taken.
    """
    rows = sorted(
        (row for row in prices if row["canonical_model"] == model),
        key=lambda row: row["valid_from"],
    )
    found = [row for row in rows if row["valid_from"] <= day < (row["valid_to"] or "9999-12-31")]
    if day < rows[0]["valid_from"]:
        found = rows[:1]
    assert len(found) == 1, f"{model} has {len(found)} prices on {day}"
    classes = ("input", "output", "cache_read", "cache_write")
    values = [found[0][f"{name}_usd_per_million_tokens"] for name in classes]
    return tuple(Decimal(value) if value else None for value in values)


# Published list prices, written down by hand: input, output, cache read, cache write.
PUBLISHED = [
    ("claude-opus-4-6", "2026-02-15", "5", "25", "0.5", "6.25"),
    ("claude-opus-4-6", "2026-11-01", "5", "25", "0.5", "6.25"),
    ("claude-sonnet-4-5", "2026-01-01", "3", "15", "0.3", "3.75"),
    ("claude-3-5-sonnet", "2024-07-01", "3", "15", "0.3", "3.75"),
    ("claude-3-5-haiku", "2025-01-01", "0.8", "4", "0.08", "1"),
    ("gpt-4o", "2025-01-01", "2.5", "10", "1.25", None),
    ("gpt-4o-2024-05-13", "2024-06-01", "5", "15", None, None),
    ("gpt-4o-mini", "2025-01-01", "0.15", "0.6", "0.075", None),
    ("gpt-4.1", "2025-06-01", "2", "8", "0.5", None),
    ("gpt-4.1-mini", "2025-06-01", "0.4", "1.6", "0.1", None),
    ("gpt-4.1-nano", "2025-06-01", "0.1", "0.4", "0.025", None),
    ("gpt-5", "2025-09-01", "1.25", "10", "0.125", None),
    ("o3", "2025-07-01", "2", "8", "0.5", None),
    ("gemini-2.5-pro", "2026-01-01", "1.25", "10", "0.125", None),
    ("gemini-2.5-flash", "2026-01-01", "0.3", "2.5", "0.03", None),
    # What held on another day than today's price.
    ("gpt-4o", "2024-05-20", "5", "15", None, None),
    ("gpt-4o", "2024-09-30", "5", "15", None, None),
    ("gpt-4o", "2024-10-02", "2.5", "10", "1.25", None),
    ("gpt-4o-2024-08-06", "2024-09-01", "2.5", "10", "1.25", None),
    ("gpt-3.5-turbo", "2023-12-01", "1.5", "2", None, None),
    ("gpt-3.5-turbo", "2024-06-01", "0.5", "1.5", None, None),
    ("claude-2", "2023-11-01", "11.02", "32.68", None, None),
    ("claude-3-5-haiku", "2024-11-20", "1", "5", "0.1", "1.25"),
    ("deepseek-chat", "2024-09-01", "0.14", "0.28", "0.014", None),
    ("deepseek-chat", "2025-11-01", "0.28", "0.42", "0.028", None),
    ("deepseek-chat", "2026-05-25", "0.14", "0.28", "0.0028", None),
    ("deepseek-reasoner", "2025-03-01", "0.55", "2.19", "0.14", None),
    ("deepseek-reasoner", "2026-05-25", "0.14", "0.28", "0.0028", None),
    ("mistral-large-latest", "2024-03-01", "8", "24", None, None),
    ("mistral-large-latest", "2026-08-20", "0.5", "1.5", "0.05", None),
    ("o3", "2025-05-01", "10", "40", "2.5", None),
    # Nobody knows what held before the first list.
    ("claude-sonnet-5", "2026-07-10", "2", "10", "0.2", "2.5"),
    ("free@local", "2026-01-10", "0", "0", "0", "0"),
    ("mistral-large-2512", "2026-01-01", "0.5", "1.5", "0.05", None),
    ("llama-3.3-70b-versatile@groq", "2025-09-01", "0.59", "0.79", None, None),
    ("claude-sonnet-4-5@bedrock-regional", "2026-01-01", "3.3", "16.5", "0.33", "4.125"),
]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda row: f"{row[0]} {row[1]}")
def test_list_price_is_the_published_one(prices, published):
    model, day, *expected = published
    wanted = tuple(Decimal(value) if value else None for value in expected)
    assert price_on(prices, model, day) == wanted


def test_price_change_starts_on_its_day(prices):
    assert price_on(prices, "o3", "2025-06-09")[:2] == (10, 40)
    assert price_on(prices, "o3", "2025-06-10")[:2] == (2, 8)


def test_long_context_tier_ends_with_its_interval(prices):
    rows = [row for row in prices if row["canonical_model"] == "claude-opus-4-6"]
    tiers = [
        (
            row["valid_to"],
            row["long_context_threshold_tokens"],
            row["long_context_input_usd_per_million_tokens"],
        )
        for row in rows
    ]
    assert tiers == [("2026-03-13", "200000", "10"), ("", "", "")]


def test_unknown_prices_are_empty_and_zero_is_free(prices):
    columns = [name for name in prices[0] if name.endswith("usd_per_million_tokens")]
    for row in prices:
        known = {row[name] for name in columns} - {""}
        # An embedding has no output, and a list may give that a price of 0.
        is_embedding = "embed" in row["canonical_model"]
        assert "0" not in known or known == {"0"} or is_embedding, row


def test_batches_cost_half_and_an_hour_of_cache_twice_the_input(prices):
    for row in prices:
        if row["provider"] in ("anthropic", "google", "openai"):
            assert row["batch_multiplier"] == "0.5", row
        if row["canonical_model"].startswith("claude"):
            for tier in ("", "long_context_"):
                hour = row[f"{tier}cache_write_1h_usd_per_million_tokens"]
                has_cache = row[f"{tier}cache_write_usd_per_million_tokens"]
                read = row[f"{tier}input_usd_per_million_tokens"]
                assert hour == "" if not has_cache else Decimal(hour) == 2 * Decimal(read), row
    priority = {
        row["canonical_model"]: row["priority_multiplier"] for row in prices if not row["valid_to"]
    }
    assert (priority["gpt-4o"], priority["gpt-5"], priority["o3"]) == ("1.7", "2", "1.75")


def test_most_prices_begin_on_a_dated_day(prices):
    dated = [row for row in prices if row["valid_from"] not in ("2020-01-01", "2026-11-10")]
    assert len(dated) / len(prices) > 0.8


# --- model names --------------------------------------------------------------------------------

VERSION_SUFFIX = re.compile(
    "^([-@:_.]?(latest|preview|exp|beta|default|20[0-9]{2}-?[0-9]{2}-?[0-9]{2}|[0-9]{2}-20[0-9]{2}"
    "|[0-9]{2}-[0-9]{2}|[0-9]{3,4}|v[0-9]+(:[0-9]+k?)*))*$"
)


def resolve(aliases, sent_name):
    """Return the canonical model of a name as it is sent, or None.

    Prefixes come off the front, the longest first, at most five times, and then suffixes off the
    end, at most twice. A star stands for any text, as little of it as will do. Of all aliases that
    fit the name with any number of these taken off, the longest wins; an exact one before a
    family, a family before a pattern.
    """

    def expression(alias):
        return ".*?".join(re.escape(part) for part in alias.split("*"))

    def longest(match_type, fits):
        rows = [row for row in aliases if row["match_type"] == match_type and fits(row["alias"])]
        return max((row["alias"] for row in rows), key=len, default=None)

    names = [sent_name.strip().lower().replace(" ", "-")]
    for _ in range(5):
        prefix = longest("prefix", lambda alias: re.match(expression(alias), names[-1]))
        if prefix is None:
            break
        names.append(re.sub("^" + expression(prefix), "", names[-1], count=1))
    for whole in list(names):
        name = whole
        for _ in range(2):
            suffix = longest("suffix", lambda alias: name != cut(name, alias))  # noqa: B023
            if suffix is None:
                break
            name = cut(name, suffix)
            names.append(name)
    found = []
    for row in aliases:
        for name in names:
            is_exact = row["match_type"] == "exact" and name == row["alias"]
            is_family = (
                row["match_type"] == "family"
                and name.startswith(row["alias"])
                and VERSION_SUFFIX.match(name.removeprefix(row["alias"]))
            )
            is_pattern = row["match_type"] == "pattern" and re.fullmatch(
                expression(row["alias"]), name
            )
            if is_exact or is_family or is_pattern:
                order = 2 * is_exact + bool(is_family)
                found.append((len(row["alias"]), order, row["canonical_model"]))
    return (max(found)[2] or None) if found else None


def cut(name, suffix):
    """Return a name without a suffix; the name as it is when the suffix does not fit."""
    beginning, star, ending = suffix.removesuffix("*").partition("*")
    if not star:
        beginning, ending = "", beginning
    if not name.startswith(beginning) or ending not in name:
        return name
    if suffix.endswith("*"):
        return name.partition(ending)[0]
    return name.removesuffix(ending)


NAMES = [
    ("claude-3.5-sonnet", "claude-3-5-sonnet"),
    ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
    ("openrouter/anthropic/claude-3.5-sonnet", "claude-3-5-sonnet"),
    ("Anthropic/Claude-Sonnet-4.5", "claude-sonnet-4-5"),
    ("anthropic:claude-sonnet-4-5", "claude-sonnet-4-5"),
    ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
    ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
    ("vertex_ai/claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
    ("publishers/anthropic/models/claude-opus-4-6", "claude-opus-4-6"),
    ("claude-opus-4-20250514", "claude-opus-4-0"),
    ("claude-opus-4-6", "claude-opus-4-6"),
    ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
    # Bedrock charges a tenth more for these in a region than globally …
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5@bedrock-regional"),
    ("bedrock/us.anthropic.claude-opus-4-6-v1:0", "claude-opus-4-6@bedrock-regional"),
    ("anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5@bedrock-regional"),
    # … and the vendor's own price for the older ones.
    ("eu.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet"),
    ("apac.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4-0"),
    ("us.meta.llama3-3-70b-instruct-v1:0", "llama3-3-70b-instruct@bedrock"),
    ("us.amazon.nova-pro-v1:0", "nova-pro"),
    ("openai.gpt-oss-120b-1:0", "gpt-oss-120b@bedrock"),
    ("gpt-4o", "gpt-4o"),
    ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
    ("gpt-4o-2024-11-20", "gpt-4o"),
    ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
    ("azure/gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
    ("gpt-35-turbo", "gpt-3.5-turbo"),
    ("openai/o4-mini", "o4-mini"),
    ("gpt-5.2-20251211", "gpt-5.2"),
    ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
    ("models/gemini-2.0-flash-001", "gemini-2.0-flash"),
    ("google/gemini-3-pro-preview", "gemini-3-pro-preview"),
    ("mistralai/mistral-large-2411", "mistral-large"),
    ("mistral-large-2512", "mistral-large-2512"),
    ("deepseek/deepseek-chat", "deepseek-chat"),
    ("llama-3.3-70b-versatile", "llama-3.3-70b-versatile@groq"),
    ("groq/openai/gpt-oss-120b", "gpt-oss-120b@groq"),
    (
        "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "llama-3.3-70b-instruct-turbo@together",
    ),
    # Gateways, hosts and routes in front.
    ("vercel_ai_gateway/openai/gpt-4o", "gpt-4o"),
    ("@openai/gpt-4.1", "gpt-4.1"),
    ("azure/global-standard/gpt-4.1", "gpt-4.1"),
    ("azure/eu/gpt-4.1-2025-04-14", "gpt-4.1@azure-eu"),
    ("openai-responses:gpt-5.1", "gpt-5.1"),
    ("google-vertex:gemini-2.0-flash", "gemini-2.0-flash"),
    ("vertex/claude-sonnet-4-5@default", "claude-sonnet-4-5"),
    (
        "projects/p-1/locations/us-central1/publishers/google/models/gemini-2.5-flash",
        "gemini-2.5-flash",
    ),
    ("litellm_proxy/bedrock/converse/us.anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku"),
    ("bedrock/us-east-1/anthropic.claude-v2:1", "claude-2"),
    ("bedrock/us-east-1/1-month-commitment/anthropic.claude-v2:1", None),
    (
        "bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1",
        "claude-opus-4-6@bedrock-regional",
    ),
    ("arn:aws:bedrock:us-east-1:1:provisioned-model/abc", None),
    ("arn:aws:bedrock:us-east-1:1:application-inference-profile/gpt-4o", None),
    ("projects/1/locations/us-central1/endpoints/456", None),
    ("eu.amazon.nova-pro-v1:0", "nova-pro@bedrock-eu"),
    # Word orders, dots and dashes, months.
    ("claude-4-sonnet-20250514", "claude-sonnet-4-0"),
    ("claude-opus-4.5", "claude-opus-4-5"),
    ("gemini-pro-2.5", "gemini-2.5-pro"),
    ("gpt-4-1-mini", "gpt-4.1-mini"),
    ("gpt-35-turbo-16k", "gpt-3.5-turbo-16k"),
    ("gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"),
    ("command-a-03-2025", "command-a"),
    ("Claude Haiku 4.5", "claude-haiku-4-5"),
    # What follows and does not change the price …
    ("gpt-5-mini-high", "gpt-5-mini"),
    ("o3-mini-2025-01-31-low", "o3-mini"),
    ("claude-3-7-sonnet-20250219-thinking-32k", "claude-3-7-sonnet"),
    ("anthropic/claude-3.5-sonnet-20240620:beta", "claude-3-5-sonnet"),
    ("openrouter/openai/gpt-5:floor", "gpt-5"),
    ("anthropic/claude-sonnet-4.5:online", "claude-sonnet-4-5"),
    ("anthropic.claude-3-sonnet-20240229-v1:0:200k", "claude-3-sonnet"),
    # … and what does.
    ("claude-opus-4-6-fast", None),
    ("openrouter/openai/gpt-oss-120b", "gpt-oss-120b@openrouter"),
    ("openrouter/openai/gpt-oss-120b:nitro", None),
    ("openrouter/moonshotai/kimi-k2", "kimi-k2@openrouter"),
    # Further vendors and hosts.
    ("x-ai/grok-4", "grok-4-0709"),
    ("xai/grok-3-mini-beta", "grok-3-mini"),
    ("cohere/command-r-plus-08-2024", "command-r-plus"),
    ("command-r-03-2024", None),
    ("perplexity/sonar-pro", "sonar-pro"),
    ("moonshot/kimi-k2-0711-preview", "kimi-k2-0711-preview"),
    ("zai/glm-4.6", "glm-4.6"),
    ("accounts/fireworks/models/llama-v3p1-8b-instruct", "llama-v3p1-8b-instruct@fireworks"),
    ("fireworks_ai/accounts/fireworks/models/deepseek-v3p2", "deepseek-v3p2@fireworks"),
    # Fine-tuned models have the price of their fine-tuned base.
    ("ft:gpt-4.1-2025-04-14:sierra:tau2-full-sft:BzrYdMNm", "ft:gpt-4.1-2025-04-14"),
    ("ft:gpt-4o-mini-2024-07-18:acme::A1b2", "ft:gpt-4o-mini-2024-07-18"),
    ("ft:gpt-4o-mini:acme::A1b2", "ft:gpt-4o-mini-2024-07-18"),
    ("openai/ft:gpt-3.5-turbo:acme::x:ckpt-step-90", "ft:gpt-3.5-turbo"),
    ("ft:gpt-9:acme::x", None),
    ("gpt-35-turbo-0613.ft-0123456789abcdef", None),
    # Free by kind.
    ("ollama_chat/qwen2.5:7b", "free@local"),
    ("ollama/llama3.1:8b", "free@local"),
    ("ollama/gpt-oss:120b-cloud", None),
    ("meta-llama/llama-3.3-70b-instruct:free", "free@openrouter"),
    ("gemini-2.0-flash-thinking-exp-1219", "gemini-2.0-flash-thinking-exp"),
    # A wrong price is worse than none.
    ("vllm/mistral-7b", None),
    ("deepseek-ai/DeepSeek-R1", None),
    ("<model>", None),
    ("your-model-name", None),
    ("gpt-4o-nano-someday", None),
    ("gpt-4o-2027-01-01", None),
    ("mistral-large-2703", None),
    ("claude-opus-9", None),
    ("meta-llama/llama-4-scout-17b-16e-instruct", None),
    ("", None),
]


@pytest.mark.parametrize("sent_name, canonical", NAMES)
def test_model_name_resolves(aliases, sent_name, canonical):
    assert resolve(aliases, sent_name) == canonical


def test_every_canonical_model_resolves_to_itself(prices, aliases):
    models = {row["canonical_model"] for row in prices}
    wrong = {model: resolve(aliases, model) for model in models if resolve(aliases, model) != model}
    assert wrong == {}


def test_sql_uses_the_same_version_pattern():
    [sql] = (ROOT / "models").rglob("int_models_resolved.sql")
    assert VERSION_SUFFIX.pattern in sql.read_text()
    assert names.VERSION_SUFFIX.pattern == VERSION_SUFFIX.pattern


# --- the script that writes prices and aliases --------------------------------------------------


def test_checked_in_prices_are_what_both_sources_give(capsys):
    assert update_model_pricing.main(["--check"]) == 0, capsys.readouterr().err


def test_published_context_windows():
    """As the vendors' model pages have them."""
    limits = {r["canonical_model"]: r for r in read(SEEDS / "pricing/model_limits.csv")}
    published = {"gpt-4o": 128_000, "claude-sonnet-4-5": 200_000, "gpt-4-turbo": 128_000}
    for model, tokens in published.items():
        assert limits[model]["context_window_tokens"] == str(tokens), model


def test_update_keeps_own_rows_and_reports_a_difference(tmp_path, capsys):
    for name in ("model_pricing.csv", "model_aliases.csv", "model_limits.csv"):
        shutil.copy(SEEDS / "pricing" / name, tmp_path / name)
    limits = tmp_path / "model_limits.csv"
    ours = "gpt-4o,64000,2026-01-01,our gateway"
    limits.write_text(
        re.sub(r"(?m)^gpt-4o,.*$", ours, limits.read_text()) + "gone,1,2026-01-01,genai-prices\n"
    )
    pricing = tmp_path / "model_pricing.csv"
    lines = pricing.read_text().splitlines()
    own = "in_house,house-7b,2026-01-01,,0.02,0.05,,,,,,,,,,,,our contract"
    contract = "openai,gpt-4.1,2026-01-01,,1.5,6,,,,,,,,,,,,our contract"
    kept = [line for line in lines if not line.startswith("openai,gpt-4.1,")]
    assert len(kept) == len(lines) - 1
    pricing.write_text("\n".join([*kept, own, contract]) + "\n")
    with (tmp_path / "model_aliases.csv").open("a") as file:
        file.write("house-7b,exact,house-7b\ngone,exact,no-such-model\n")

    assert update_model_pricing.main(["--folder", str(tmp_path), "--check"]) == 1
    assert "differs from its sources" in capsys.readouterr().err
    assert update_model_pricing.main(["--folder", str(tmp_path)]) == 0
    assert update_model_pricing.main(["--folder", str(tmp_path), "--check"]) == 0

    rows = read(pricing)
    assert [r["source"] for r in rows if r["canonical_model"] == "gpt-4.1"] == ["our contract"]
    assert [r["input_usd_per_million_tokens"] for r in rows if r["provider"] == "in_house"] == [
        "0.02"
    ]
    written = {row["canonical_model"]: row["context_window_tokens"] for row in read(limits)}
    assert (written["gpt-4o"], "gone" in written) == ("64000", False)
    names = {row["alias"] for row in read(tmp_path / "model_aliases.csv")}
    assert "house-7b" in names
    assert "gone" not in names


def test_update_names_a_wrong_header(tmp_path, capsys):
    (tmp_path / "model_pricing.csv").write_text("model,price\ngpt-4o,1\n")
    with pytest.raises(SystemExit):
        update_model_pricing.main(["--folder", str(tmp_path)])
    error = capsys.readouterr().err
    assert "model_pricing.csv: line 1: the columns must be provider,canonical_model" in error


# --- failure rules ------------------------------------------------------------------------------

READ_ON_SUCCESS = {"status", "finish_reason", "response_text"}


def rules_for(rules, step_type):
    """Return the rules a row meets, in order; rows are steps of a type, or '' for other grains."""
    if step_type in ("llm_call", "tool_call"):
        return [row for row in rules if row["step_scope"] in ("any", step_type)]
    met = [
        row
        for row in rules
        if row["step_scope"] in ("any", "session") or row["match_field"] != "status"
    ]

    def place(row):
        is_fall_back = int(row["priority"]) >= 90
        return is_fall_back, row["step_scope"] == "tool_call", int(row["priority"])

    return sorted(met, key=place)


def fits(rule, event):
    text = (event[rule["match_field"]] or "").lower()
    if not text or (event["status"] == "success" and rule["match_field"] not in READ_ON_SUCCESS):
        return False
    if rule["match_type"] == "in":
        return text in rule["pattern"].split("|")
    if rule["match_type"] == "contains":
        return rule["pattern"] in text
    return re.search(rule["pattern"], text) is not None


def classify(rules, event):
    """Return the first rule that fits an event, or None."""
    return next((rule for rule in rules_for(rules, event["step_type"]) if fits(rule, event)), None)


def mode_of(rules, event):
    rule = classify(rules, event)
    return rule["failure_mode"] if rule else ""


OWN_MESSAGES = read(Path(__file__).with_name("failure_messages.csv"))


@pytest.mark.parametrize(
    "event",
    OWN_MESSAGES,
    ids=lambda event: " ".join(
        filter(
            None, (event["step_type"] or "no step", event["expected_mode"], event["error_message"])
        )
    )[:70],
)
def test_failure_of_a_vendor_or_library(rules, event):
    assert mode_of(rules, event) == event["expected_mode"]


def test_every_rule_finds_something(rules):
    shared = SHARED / "design/failure_examples.csv"
    events = OWN_MESSAGES + (read(shared) if shared.exists() else [])
    used = {rule["rule_id"] for event in events if (rule := classify(rules, event))}
    unused = {row["rule_id"] for row in rules} - used
    if not shared.exists():
        pytest.skip(f"{shared} is not there; it holds examples for the rules {sorted(unused)}")
    assert unused == set()


def test_shared_failure_examples(rules):
    path = SHARED / "design/failure_examples.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    wrong = [
        (mode_of(rules, event), event)
        for event in read(path)
        if mode_of(rules, event) != event["expected_mode"]
    ]
    assert wrong == []


def test_regular_expressions_mean_the_same_in_duckdb(rules):
    regex_rules = [row for row in rules if row["match_type"] == "regex"]
    texts = {
        (event[row["match_field"]] or "").lower() for event in OWN_MESSAGES for row in regex_rules
    }
    connection = duckdb.connect()
    connection.execute("create table texts (content varchar)")
    connection.executemany("insert into texts values (?)", [[text] for text in sorted(texts)])
    for row in regex_rules:
        found = connection.execute(
            "select content from texts where regexp_matches(content, ?)", [row["pattern"]]
        ).fetchall()
        expected = {text for text in texts if re.search(row["pattern"], text)}
        assert {text for (text,) in found} == expected, row["rule_id"]


# --- feedback -----------------------------------------------------------------------------------


def rating(scales, feedback_type, value):
    for row in scales:
        if row["feedback_type"] == feedback_type and row["value_label"] == value.lower():
            return Decimal(row["rating"])
    for row in scales:
        if row["feedback_type"] == feedback_type and not row["value_label"]:
            worst, best = Decimal(row["worst_value"]), Decimal(row["best_value"])
            try:
                share = (Decimal(value) - worst) / (best - worst)
            except ArithmeticError:
                return None
            return share if 0 <= share <= 1 else None
    return None


@pytest.mark.parametrize(
    "feedback_type, value, expected",
    [
        ("rating", "5", 1),
        ("rating", "1", 0),
        ("rating", "4.0", Decimal("0.75")),
        ("rating", "9", None),
        ("thumbs", "true", 1),
        ("thumbs", "False", 0),
        ("thumbs", "thumbs_down", 0),
        ("thumbs", "-1", 0),
        ("thumbs", "1", 1),
        ("nps", "7", Decimal("0.7")),
        ("task_reward", "1.0", 1),
        ("task_reward", "0", 0),
        ("score", "80", None),
        ("failure_attribution", "32", None),
    ],
)
def test_feedback_rating(feedback_type, value, expected):
    scales = read(SEEDS / "taxonomy/feedback_scales.csv")
    assert rating(scales, feedback_type, value) == expected


# --- the script that checks seeds ---------------------------------------------------------------


def test_checked_in_seeds_have_no_problem(capsys):
    assert check_seeds.main([]) == 0
    assert "no problem" in capsys.readouterr().out


PRICING = "pricing/model_pricing.csv"
ALIASES = "pricing/model_aliases.csv"
CONVENTIONS = "pricing/provider_token_conventions.csv"
RULES = "taxonomy/failure_mode_rules.csv"
ADVICE = "taxonomy/failure_mode_advice.csv"
SCALES = "taxonomy/feedback_scales.csv"
OUTCOMES = "outcomes/outcome_events.csv"
AGENTS = "taxonomy/agent_catalog.csv"
REQUESTS = "taxonomy/request_rules.csv"
RATES = "pricing/tool_rate_card.csv"
WORKFLOW_CATALOG = "taxonomy/workflow_catalog.csv"
CANDIDATES = "pricing/right_sizing_candidates.csv"
PLANS = "pricing/plan_prices.csv"
LIMITS = "pricing/model_limits.csv"
BUDGETS = "pricing/agent_budgets.csv"

# File, text to replace ("" appends), replacement, and what the problem line must say.
MISTAKES = {
    "bad date": (
        PRICING,
        "2025-06-10,,2,8",
        "2025-13-10,,2,8",
        "valid_from: '2025-13-10' is not a date",
    ),
    "date in another order": (
        PRICING,
        ",2025-06-10,10,",
        ",10.06.2025,10,",
        "valid_to: '10.06.2025' is not a date",
    ),
    "overlap": (
        PRICING,
        ",2025-06-10,10,",
        ",2025-07-01,10,",
        "valid_from: 2025-06-10 overlaps with the price of 'o3' in line",
    ),
    "open interval before another": (
        PRICING,
        ",2025-06-10,10,",
        ",,10,",
        "overlaps with the price of 'o3'",
    ),
    "end before start": (
        PRICING,
        ",2025-06-10,10,",
        ",2019-01-01,10,",
        "valid_to: 2019-01-01 must be after 2025-04-16",
    ),
    "negative price": (
        PRICING,
        "2025-06-10,,2,8",
        "2025-06-10,,-2,8",
        "input_usd_per_million_tokens: -2 is negative",
    ),
    "price as text": (
        PRICING,
        "2025-06-10,,2,8",
        "2025-06-10,,$2,8",
        "input_usd_per_million_tokens: '$2' is not a number",
    ),
    "price with exponent": (PRICING, "2025-06-10,,2,8", "2025-06-10,,2e-3,8", "write '0.002'"),
    "missing price": (
        PRICING,
        "2025-06-10,,2,8",
        "2025-06-10,,,8",
        "input_usd_per_million_tokens: is empty; fill it in",
    ),
    "limit of a model without a price": (
        LIMITS,
        "claude-sonnet-4-5,",
        "claude-sonnet-99,",
        "canonical_model: 'claude-sonnet-99' has no price; name a model of model_pricing.csv",
    ),
    "two limits of a model": (
        LIMITS,
        "",
        "claude-sonnet-4-5,200000,2026-01-01,ours\n",
        "canonical_model: 'claude-sonnet-4-5' is already in line",
    ),
    "limit of no tokens": (
        LIMITS,
        "claude-sonnet-4-5,200000",
        "claude-sonnet-4-5,0",
        "context_window_tokens: '0' must be a whole number",
    ),
    "advice on a mode that no rule finds": (
        ADVICE,
        "rate_limited,platform",
        "rate_limit,platform",
        "failure_mode: no rule of failure_mode_rules.csv finds 'rate_limit'",
    ),
    "mode without advice": (
        ADVICE,
        "rate_limited,platform",
        "run_timeout,platform",
        "failure_mode: there is no row for 'rate_limited'; add one",
    ),
    "two pieces of advice on a mode": (
        ADVICE,
        "rate_limited,platform",
        "run_timeout,platform",
        "failure_mode: 'run_timeout' is already in line",
    ),
    "advice without an owner": (
        ADVICE,
        "rate_limited,platform",
        "rate_limited,",
        "likely_owner: is empty",
    ),
    "outcome twice": (
        OUTCOMES,
        "",
        "order_completed,7,25\n",
        "event_name: 'order_completed' is already in line",
    ),
    "outcome long after a run": (
        OUTCOMES,
        "completed,7,",
        "completed,400,",
        "window_days: 400 is more than 366",
    ),
    "outcome with a negative value": (OUTCOMES, ",7,25", ",7,-25", "value_usd: -25 is negative"),
    "unknown column": (
        PRICING,
        "valid_from,",
        "valid_since,",
        "valid_since: this column is not known",
    ),
    "missing column": (
        PRICING,
        "valid_from,",
        "valid_since,",
        "valid_from: this column is missing",
    ),
    "unknown provider": (
        PRICING,
        "openai,o3-pro,",
        "openhi,o3-pro,",
        "provider: 'openhi' has no row in provider_token_conventions.csv",
    ),
    "model without alias": (
        PRICING,
        "openai,o3-pro,",
        "openai,o3-max,",
        "canonical_model: 'o3-max' does not resolve to itself",
    ),
    "half a long-context tier": (
        PRICING,
        ",200000,10,37.5",
        ",,10,37.5",
        "long_context_threshold_tokens: a threshold and",
    ),
    "too few values": (
        PRICING,
        "openai,o3-pro,2025-06-28,,",
        "openai,o3-pro,2025-06-28,",
        "has 17 values instead of 18",
    ),
    "open quote": (PRICING, "openai,o3-pro,", 'openai,"o3-pro,', "is not valid CSV"),
    "alias without price": (
        ALIASES,
        "",
        "nice-model,exact,no-such-model\n",
        "canonical_model: 'no-such-model' has no price",
    ),
    "alias twice": (ALIASES, "", "gpt-4o,exact,gpt-4o\n", "alias: 'gpt-4o' is already in line"),
    "alias with capitals": (
        ALIASES,
        "",
        "GPT-4o-Next,exact,gpt-4o\n",
        "alias: 'GPT-4o-Next' has capitals; write 'gpt-4o-next'",
    ),
    "prefix with model": (
        ALIASES,
        "",
        "acme/,prefix,gpt-4o\n",
        "canonical_model: must be empty for a prefix",
    ),
    "alias of nothing": (ALIASES, "", "acme-1,exact,\n", "canonical_model: is empty; name a model"),
    "unknown match type": (
        ALIASES,
        "",
        "acme-1,fuzzy,gpt-4o\n",
        "match_type: 'fuzzy' is not known; use one of prefix, suffix, exact, family, pattern",
    ),
    "suffix with model": (
        ALIASES,
        "",
        ":swift,suffix,gpt-4o\n",
        "canonical_model: must be empty for a suffix",
    ),
    "star in a family": (ALIASES, "", "acme*,family,gpt-4o\n", "alias: has a *; only a prefix"),
    "pattern without a star": (ALIASES, "", "acme/,pattern,\n", "alias: a pattern needs one *"),
    "pattern for everything": (ALIASES, "", "*,pattern,gpt-4o\n", "alias: a pattern needs one *"),
    "prefix with two stars": (ALIASES, "", "a*b*c/,prefix,\n", "alias: has too many *"),
    "prefix that ends with a star": (
        ALIASES,
        "",
        "acme*,prefix,\n",
        "alias: a prefix has no * at its ends",
    ),
    "suffix for everything": (
        ALIASES,
        "",
        "-swift*,suffix,\n",
        "alias: a suffix that ends with * needs another one inside",
    ),
    "convention not boolean": (
        CONVENTIONS,
        "anthropic,,false",
        "anthropic,,maybe",
        "prompt_tokens_include_cache_read: 'maybe' is not known",
    ),
    "no default convention": (CONVENTIONS, "default,", "standard,", "there is no row 'default'"),
    "priority twice": (
        RULES,
        "11,cancelled_type",
        "10,cancelled_type",
        "priority: '10' is already in line 3",
    ),
    "rule id twice": (
        RULES,
        "11,cancelled_type",
        "11,cancelled_status",
        "rule_id: 'cancelled_status' is already in line 3",
    ),
    "bad regex": (RULES, "(overloaded|", "(overloaded||(", "pattern: is not a regular expression"),
    "regex matching all": (RULES, "(overloaded|", "(|overloaded|", "pattern: matches every text"),
    "engine-specific regex": (
        RULES,
        "(overloaded|",
        "(\\boverloaded|",
        "pattern: uses `\\`, `(?` or `:]`",
    ),
    "class that Java reads as a set of letters": (
        RULES,
        "(overloaded|",
        "(overloaded[[:space:]]|",
        "pattern: uses `\\`, `(?` or `:]`",
    ),
    "pattern with capitals": (RULES, "(overloaded|", "(Overloaded|", "pattern: '(Overloaded|"),
    "empty list value": (RULES, ",in,402", ",in,402|", "pattern: has an empty value"),
    "mode in two places": (
        RULES,
        "rate_http,model_error,provider_capacity",
        "rate_http,timeout,provider_capacity",
        "failure_category: 'rate_limited' belongs to 'model_error'",
    ),
    "no last resort": (
        RULES,
        "unclassified_error,hard,no,any",
        "unclassified_error,hard,no,session",
        "no rule from priority 90 on catches",
    ),
    "rating above 1": (SCALES, "", "stars,great,,,1.5\n", "rating: 1.5 must be from 0 to 1"),
    "label with scale": (
        SCALES,
        "",
        "stars,great,1,5,1\n",
        "worst_value: must be empty beside a label",
    ),
    "scale without ends": (SCALES, "", "mood,,,,\n", "worst_value: is empty; fill in the scale"),
    "scale of one value": (SCALES, "", "mood,,3,3,\n", "best_value: equals worst_value"),
    "scale twice": (SCALES, "", "stars,,1,10,\n", "'stars' is already in line"),
    "bad SLO": (
        AGENTS,
        ",sync,30000,",
        ",sync,fast,",
        "latency_slo_ms: 'fast' must be a whole number",
    ),
    "SLO beyond an integer": (
        AGENTS,
        ",sync,30000,",
        ",sync,2147483648,",
        "latency_slo_ms: '2147483648' must be a whole number from 1 to 2147483647",
    ),
    "price that no product with tokens can hold": (
        PRICING,
        "anthropic,claude-2,2023-11-21,,8,",
        f"anthropic,claude-2,2023-11-21,,{'9' * 19},",
        "input_usd_per_million_tokens: 9999999999999999999 is more than 1000000; prices are in US "
        "dollars per million tokens",
    ),
    "multiplier that is none": (
        PRICING,
        "",
        "openai,some-model,2020-01-01,,1,1,,,,,,,,,,5000,,me\n",
        "batch_multiplier: 5000 is more than 1000",
    ),
    "scale too long": (SCALES, "", f"mood,,0,{'9' * 13},\n", "is too long; at most 12 digits"),
    "end of time": (
        PRICING,
        "anthropic,claude-2,2023-11-21,,",
        "anthropic,claude-2,2023-11-21,9999-12-31,",
        "valid_to: '9999-12-31' must lie from 1970-01-01 to 2261-12-31; leave valid_to empty",
    ),
    "before time": (
        PRICING,
        "anthropic,claude-2,2023-07-11,",
        "anthropic,claude-2,0001-01-01,",
        "valid_from: '0001-01-01' must lie from 1970-01-01",
    ),
    "two request rules with one priority": (
        REQUESTS,
        "\n20,",
        "\n10,",
        "priority: '10' is",
    ),
    "request rule on a field that no rule reads": (
        REQUESTS,
        ",workflow_name,in,",
        ",run_key,in,",
        "match_field: 'run_key' is not known",
    ),
    "request rule for everything": (
        REQUESTS,
        "(refund|money back)",
        "(refund|)",
        "pattern: matches every text",
    ),
    "no default agent": (
        AGENTS,
        "*,default,*,",
        "some,default,*,",
        "there is no row for the agent *",
    ),
    "unknown execution mode": (
        AGENTS,
        "*,default,*,",
        "*,default,sometimes,",
        "execution_mode: 'sometimes' is not known",
    ),
    "two roles of one agent": (
        AGENTS,
        "*,default,sync,",
        "*,helper,sync,",
        "role: '*' has 'default' in line 2",
    ),
    "two rates of one agent": (
        AGENTS,
        "*,default,sync,30000,,",
        "*,default,sync,30000,0.1,",
        "infrastructure_usd_per_hour: '*' has '' in line 2",
    ),
    "negative rate of an agent": (
        AGENTS,
        ",300000,0.12,",
        ",300000,-0.12,",
        "infrastructure_usd_per_hour: -0.12 is negative",
    ),
    "tool without a price": (
        RATES,
        "web_search,0.005,,2020-01-01,",
        "web_search,,,2020-01-01,",
        "usd_per_call: is empty, and so is usd_per_second",
    ),
    "tool with two prices on one day": (
        RATES,
        "",
        "web_search,0.006,,2026-05-01,\n",
        "valid_from: 2026-05-01 overlaps with the row of 'web_search' in line",
    ),
    "tool price that ends before it starts": (
        RATES,
        "",
        "browser,0.006,,2026-05-01,2026-05-01\n",
        "valid_to: 2026-05-01 must be after 2026-05-01",
    ),
    "workflow twice": (
        WORKFLOW_CATALOG,
        "",
        "customer_support,sync,1000,,\n",
        "execution_mode: 'customer_support sync' is already in line",
    ),
    "success above 1": (
        WORKFLOW_CATALOG,
        "customer_support,sync,60000,0.9,",
        "customer_support,sync,60000,90,",
        "success_slo: 90 must be from 0 to 1",
    ),
    "candidate without a price": (
        CANDIDATES,
        "",
        "gpt-4o,no-such-model\n",
        "candidate_model: 'no-such-model' has no price",
    ),
    "current model without a price": (
        CANDIDATES,
        "",
        "no-such-model,gpt-4o\n",
        "current_model: 'no-such-model' has no price",
    ),
    "candidate twice": (
        CANDIDATES,
        "",
        "gpt-4o,gpt-4o-mini\n",
        "candidate_model: 'gpt-4o gpt-4o-mini' is already in line",
    ),
    "candidate for itself": (
        CANDIDATES,
        "",
        "gpt-4o,gpt-4o\n",
        "candidate_model: is the current model",
    ),
    "negative plan price": (
        PLANS,
        "starter,10,",
        "starter,-10,",
        "monthly_price_usd: -10 is negative; an amount cannot be",
    ),
    "plan with two prices at once": (
        PLANS,
        "pro,40,2020-01-01,2026-10-01,",
        "pro,40,2020-01-01,2026-10-02,",
        "valid_from: 2026-10-01 overlaps with the row of 'pro' in line",
    ),
    "plan that ends before it begins": (
        PLANS,
        "pro,40,2020-01-01,2026-10-01,",
        "pro,40,2020-01-01,2019-10-01,",
        "valid_to: 2019-10-01 must be after 2020-01-01",
    ),
    "two default plans": (
        PLANS,
        "pro,49,2026-10-01,,false",
        "pro,49,2026-10-01,,true",
        "is_default: 'starter' in line 2 is the default at the same time",
    ),
    "two budgets at once": (
        BUDGETS,
        "",
        "triage_agent,5,2026-05-01,\n",
        "valid_from: 2026-05-01 overlaps with the row of 'triage_agent' in line",
    ),
    "budget that is no number": (
        BUDGETS,
        "",
        "other_agent,much,2026-05-01,\n",
        "monthly_budget_usd: 'much' is not a number",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_gives_one_line_with_file_line_column_and_fix(tmp_path, capsys, name):
    file, old, new, expected = MISTAKES[name]
    shutil.copytree(SEEDS, tmp_path / "seeds")
    path = tmp_path / "seeds" / file
    text = path.read_text()
    assert old in text
    path.write_text(text + new if old == "" else text.replace(old, new, 1))

    assert check_seeds.main(["--folder", str(tmp_path / "seeds")]) == 1
    lines = capsys.readouterr().err.splitlines()
    line = next((line for line in lines if expected in line), None)
    assert line, lines
    assert re.match(rf"{re.escape(str(path))}:[0-9]+: ", line), line
    # Two lines for a renamed column, for both ends of a scale; never an avalanche.
    assert len(lines) <= 4, lines


def test_line_number_is_the_line_of_the_mistake(tmp_path, capsys):
    shutil.copytree(SEEDS, tmp_path / "seeds")
    path = tmp_path / "seeds" / ALIASES
    number = len(path.read_text().splitlines()) + 1
    with path.open("a") as file:
        file.write("x,exact,no-such-model\n")
    assert check_seeds.main(["--folder", str(tmp_path / "seeds")]) == 1
    assert f"{path}:{number}: canonical_model: " in capsys.readouterr().err


def test_missing_and_unreadable_files(tmp_path, capsys):
    shutil.copytree(SEEDS, tmp_path / "seeds")
    (tmp_path / "seeds" / AGENTS).unlink()
    (tmp_path / "seeds" / SCALES).write_bytes(b"feedback_type\xff\xfe")
    assert check_seeds.main(["--folder", str(tmp_path / "seeds")]) == 1
    error = capsys.readouterr().err
    assert "agent_catalog.csv:1: the file is missing" in error
    assert "feedback_scales.csv:1: cannot be read as UTF-8" in error
