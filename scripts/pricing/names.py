"""How a model name as it is sent finds its model: rows of the alias seed that hold for all models.

`int_models_resolved.sql` does the same in SQL. In a `prefix`, `suffix` or `pattern` row a `*`
stands for any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product

AliasRow = tuple[str, str, str]

# Text taken off the front of a name, again and again until none fits, before the rest is matched.
# Hosts with prices of their own (Groq, Together, Fireworks) are not here: their full names are
# aliases.
GATEWAYS = (
    "@anthropic/",
    "@google/",
    "@openai/",
    "ai-gateway/",
    "gateway/",
    "helicone/",
    "litellm/",
    "litellm:",
    "litellm_proxy/",
    "openrouter/",
    "openrouter:",
    "portkey/",
    "requesty/",
    "vercel/",
    "vercel_ai_gateway/",
)
# Hosts that charge the vendor's own price, as gateways, SDKs and frameworks spell them.
HOSTS = (
    "amazon-bedrock/",
    "amazon_bedrock/",
    "aws-bedrock/",
    "aws_bedrock/",
    "azure-openai/",
    "azure-openai:",
    "azure/",
    "azure:",
    "azure_ai/",
    "azure_ai:",
    "azure_openai/",
    "azure_openai:",
    "azureai/",
    "azureai:",
    "azureopenai/",
    "bedrock-converse/",
    "bedrock-converse:",
    "bedrock/",
    "bedrock:",
    "bedrock_converse/",
    "bedrock_converse:",
    "converse/",
    "global-standard/",
    "global/",
    "google-vertex/",
    "google-vertex:",
    "google-vertexai/",
    "google_anthropic_vertex:",
    "google_vertexai/",
    "google_vertexai:",
    "invoke/",
    "responses/",
    "vertex-ai/",
    "vertex/",
    "vertex:",
    "vertex_ai/",
    "vertex_ai:",
    "vertex_ai_beta/",
    "vertexai/",
    "vertexai:",
)
VENDORS = (
    "anthropic/",
    "anthropic:",
    "cohere/",
    "cohere:",
    "cohere_chat/",
    "deepseek/",
    "deepseek:",
    "gemini/",
    "gemini:",
    "google-ai-studio/",
    "google-genai/",
    "google-gla:",
    "google/",
    "google:",
    "google_ai_studio/",
    "google_genai/",
    "google_genai:",
    "googleai/",
    "grok:",
    "meta-llama/",
    "mistral/",
    "mistral:",
    "mistral_ai/",
    "mistralai/",
    "mistralai:",
    "models/",
    "moonshot/",
    "moonshotai/",
    "moonshotai:",
    "openai-chat:",
    "openai-responses:",
    "openai/",
    "openai:",
    "perplexity/",
    "perplexity:",
    "text-completion-openai/",
    "x-ai/",
    "xai/",
    "xai:",
    "z-ai/",
    "zai/",
    "zai:",
)
# Bedrock's inference profiles. Government regions are not here: they have prices of their own.
BEDROCK_SCOPES = (
    "apac.",
    "au.",
    "ca.",
    "eu.",
    "global.anthropic.",
    "global.openai.",
    "in.",
    "jp.",
    "us.",
)
# Routes that carry an account, a project or a region. What an application inference profile, a
# provisioned or a custom model leads to is not in its name, so that these stay as they are.
ROUTES = (
    "arn:aws:*:foundation-model/",
    "arn:aws:*:inference-profile/",
    "bedrock/us-east-*/",
    "bedrock/us-west-*/",
    "projects/*/publishers/anthropic/models/",
    "projects/*/publishers/google/models/",
    "publishers/anthropic/models/",
    "publishers/google/models/",
)
PREFIXES = tuple(sorted({*GATEWAYS, *HOSTS, *VENDORS, *BEDROCK_SCOPES, *ROUTES}))

# Reasoning effort: more tokens, at the same price.
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
# Models that one company serves, so that the choice of a host cannot change their price.
_ONE_HOST = (
    "chatgpt-",
    "claude-",
    "command-",
    "gemini-",
    "gpt-3",
    "gpt-4",
    "gpt-5",
    "gpt-6",
    "grok-",
    "o1",
    "o3",
    "o4",
    "sonar",
)
SUFFIXES = tuple(
    sorted(
        {
            ":beta",
            ":online",
            "claude*-max",
            "claude*-thinking",
            "claude*-thinking-*",
            "claude*:thinking",
            "claude*[1m]",
            "gemini*-customtools",
            *(f"{mark}{effort}" for mark, effort in product("-:", _EFFORTS)),
            *(f"{head}*{tail}" for head, tail in product(_ONE_HOST, (":floor", ":nitro"))),
        }
    )
)

FREE_VARIANT = "free@openrouter"
LOCAL_MODEL = "free@local"
_LOCAL_SERVERS = (
    "llama-cpp",
    "llama.cpp",
    "llama_cpp",
    "llamacpp",
    "llamafile",
    "lm-studio",
    "lm_studio",
    "lmstudio",
    "gpt4all",
    "ollama",
    "ollama_chat",
)
# What runs on the sender's own machine costs no tokens, nor does what a gateway gives away. A
# pattern without a model says that what it fits has no known price: Ollama's cloud is a
# subscription, and the first Command R kept its price when the name went to a cheaper one.
PATTERNS: tuple[AliasRow, ...] = (
    (FREE_VARIANT, "exact", FREE_VARIANT),
    (LOCAL_MODEL, "exact", LOCAL_MODEL),
    ("*:free", "pattern", FREE_VARIANT),
    ("command-r-03-*", "pattern", ""),
    ("command-r-plus-04-*", "pattern", ""),
    *(
        (f"{server}{mark}*", "pattern", LOCAL_MODEL)
        for server, mark in product(_LOCAL_SERVERS, "/:")
    ),
    *(
        (f"{server}{mark}*cloud", "pattern", "")
        for server, mark in product(("ollama", "ollama_chat"), "/:")
    ),
)

# What a family alias may be followed by; int_models_resolved.sql uses the same pattern.
VERSION_SUFFIX = re.compile(
    "^([-@:_.]?(latest|preview|exp|beta|default|20[0-9]{2}-?[0-9]{2}-?[0-9]{2}|[0-9]{2}-20[0-9]{2}"
    "|[0-9]{2}-[0-9]{2}|[0-9]{3,4}|v[0-9]+(:[0-9]+k?)*))*$"
)

PREFIX_ROUNDS = 5
SUFFIX_ROUNDS = 2


def is_version_of(name: str, stem: str) -> bool:
    """Tell whether `name` is `stem` followed by dates and versions and nothing else."""
    rest = name.removeprefix(stem)
    return name.startswith(stem) and rest != "" and bool(VERSION_SUFFIX.match(rest))


def is_family_member(name: str, stem: str) -> bool:
    """Tell whether a family alias `stem` matches `name`."""
    return name == stem or is_version_of(name, stem)


def without_prefix(name: str, prefix: str) -> str | None:
    """Return `name` without a prefix row; None when it does not fit."""
    head, _, tail = prefix.partition("*")
    if not name.startswith(head):
        return None
    rest = name[len(head) :]
    return rest[rest.find(tail) + len(tail) :] if tail in rest else None


def without_suffix(name: str, suffix: str) -> str | None:
    """Return `name` without a suffix row; None when it does not fit."""
    head, star, tail = suffix.removesuffix("*").partition("*")
    if not star:
        head, tail = "", head
    if not name.startswith(head):
        return None
    if suffix.endswith("*"):
        return name[: name.find(tail)] if tail in name else None
    return name[: -len(tail)] if name.endswith(tail) else None


def fits_pattern(name: str, pattern: str) -> bool:
    """Tell whether a pattern row fits the whole of `name`."""
    head, _, tail = pattern.partition("*")
    return name.startswith(head) and name.endswith(tail) and len(name) >= len(head) + len(tail)


class Resolver:
    """Finds the canonical model of a name among alias rows, as int_models_resolved.sql does."""

    def __init__(self, aliases: Iterable[AliasRow]) -> None:
        rows = sorted(aliases, key=lambda row: (-len(row[0]), row[2]))
        self._prefixes = [alias for alias, kind, _ in rows if kind == "prefix"]
        self._suffixes = [alias for alias, kind, _ in rows if kind == "suffix"]
        self._patterns = [row for row in rows if row[1] == "pattern"]
        self._families = [row for row in rows if row[1] == "family"]
        self._exact = {row[0]: row for row in reversed(rows) if row[1] == "exact"}

    def bare_names(self, sent_name: str) -> Iterator[str]:
        """Yield a name as it is and with its prefixes and suffixes off, one after the other."""
        names = [sent_name.strip().lower().replace(" ", "-")]
        for _ in range(PREFIX_ROUNDS):
            rests = (without_prefix(names[-1], prefix) for prefix in self._prefixes)
            rest = next((found for found in rests if found is not None), None)
            if rest is None:
                break
            names.append(rest)
        for full in names:
            name: str | None = full
            for _ in range(SUFFIX_ROUNDS + 1):
                if name is None:
                    break
                yield name
                rests = (without_suffix(name, suffix) for suffix in self._suffixes)
                name = next((found for found in rests if found is not None), None)

    def alias_of(self, sent_name: str) -> AliasRow | None:
        """Return the alias row that a name takes: the longest that fits, exact ones first."""
        found: list[tuple[int, int, AliasRow]] = []
        for name in self.bare_names(sent_name):
            if name in self._exact:
                found.append((len(name), 3, self._exact[name]))
            for row in self._families:
                if name.startswith(row[0]) and is_family_member(name, row[0]):
                    found.append((len(row[0]), 2, row))
                    break
            for row in self._patterns:
                if fits_pattern(name, row[0]):
                    found.append((len(row[0]), 1, row))
                    break
        return max(found, key=lambda candidate: candidate[:2])[2] if found else None

    def __call__(self, sent_name: str) -> str | None:
        """Return the canonical model of a name, or None when it has no price."""
        row = self.alias_of(sent_name)
        return (row[2] or None) if row else None


def general_rows() -> list[AliasRow]:
    """Return the alias rows that hold for all models."""
    return [
        *((prefix, "prefix", "") for prefix in PREFIXES),
        *((suffix, "suffix", "") for suffix in SUFFIXES),
        *PATTERNS,
    ]


_CLAUDE_NEW = re.compile(r"^claude-([a-z]+)-([0-9])(?:-([0-9]))?$")
_CLAUDE_OLD = re.compile(r"^claude-([0-9])(?:-([0-9]))?-([a-z]+)$")
_GEMINI = re.compile(r"^gemini-([0-9](?:\.[0-9])?)-((?:pro|flash|flash-lite)(?:-8b)?)$")


def respellings(name: str) -> Iterator[str]:
    """Yield other spellings of a vendor's name: word order, dots or dashes in versions.

    claude-sonnet-4-5 is sent as claude-4.5-sonnet, gemini-2.5-pro as gemini-pro-2.5, gpt-4.1 as
    gpt-4-1 and gpt-3.5-turbo, on Azure, as gpt-35-turbo.
    """
    new, old, gemini = (rule.match(name) for rule in (_CLAUDE_NEW, _CLAUDE_OLD, _GEMINI))
    if new or old:
        tier, major, minor = new.groups() if new else (old[3], old[1], old[2])  # type: ignore[index]
        versions = {f"{major}.{minor}", f"{major}-{minor}"} if minor else {major, f"{major}.0"}
        if minor == "0":
            versions.add(major)
        for version in sorted(versions):
            yield f"claude-{tier}-{version}"
            yield f"claude-{version}-{tier}"
    if gemini:
        for version in {gemini[1], gemini[1].replace(".", "-")}:
            yield f"gemini-{version}-{gemini[2]}"
            yield f"gemini-{gemini[2]}-{version}"
    if name.startswith("gpt-3.5-turbo"):
        yield name.replace("gpt-3.5", "gpt-35")
    if re.search(r"[0-9]\.[0-9]", name):
        yield re.sub(r"([0-9])\.([0-9])", r"\1-\2", name)
