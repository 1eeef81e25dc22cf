"""What attributes of spans mean: names and words of producers, kept in two CSV files beside this.

`otel_attributes.csv` says which attribute holds a fact, the first of a fact's rows before the next.
`otel_kinds.csv` says what kind of span a word makes, source by source in the order of the rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from scripts.importer import values
from scripts.importer.model import Fields
from scripts.importer.spans import HANDOFF, TOOL

_HERE = Path(__file__).parent
SCOPE_NAME = "otel.scope.name"
_SYSTEM = "gen_ai.system"
_SCOPE_AND_NAME = "scope and name"
_SYSTEM_AND_NAME = f"{_SYSTEM} and name"
_NAME = "name"
_HAS_ATTRIBUTE = "has attribute"
_HAS_ATTRIBUTE_IN_LANGFUSE = "has attribute in Langfuse"
_NAME_BEGINS = "name begins"
_TOOL_NAME_BEGINS = "tool name begins"
_NO_ATTRIBUTES = {_SCOPE_AND_NAME, _SYSTEM_AND_NAME, _NAME, _HAS_ATTRIBUTE}
_NO_ATTRIBUTES |= {_HAS_ATTRIBUTE_IN_LANGFUSE, _NAME_BEGINS, _TOOL_NAME_BEGINS}
_DEEPEST_NESTING = 8
_WRITTEN_AS_THEY_ARE = frozenset(
    {"stringValue", "boolValue", "doubleValue", "string_value", "bool_value", "double_value"}
)

_TEXTS = ("prompt_text", "tool_input", "tool_output")
_NAMES = ("model_name", "response_id", "service_tier", "agent_name", "tool_name", "workflow_name")
_IDS = ("conversation_id", "user_id")
_TOKENS = ("input", "fresh_input", "output", "cache_read", "cache_write", "reasoning")


def rows_of(file_name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file that stands beside this module."""
    with (_HERE / file_name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


class Attributes:
    """Reads attributes of spans as the two CSV files say."""

    def __init__(self) -> None:
        """Read the CSV files."""
        self._facts: dict[str, list[tuple[str, int]]] = {}
        for rank, row in enumerate(rows_of("otel_attributes.csv")):
            self._facts.setdefault(row["attribute"], []).append((row["fact"], rank))
        self._kinds: dict[str, dict[str, str]] = {}
        for row in rows_of("otel_kinds.csv"):
            self._kinds.setdefault(row["source"], {})[row["word"]] = row["kind"]
        self._word_sources = [one for one in self._kinds if one not in _NO_ATTRIBUTES]
        self._telling_names = {
            word.split(" ")[-1]
            for source in (_SCOPE_AND_NAME, _SYSTEM_AND_NAME, _NAME)
            for word in self._kinds[source]
        }
        self._marks = self._kinds[_HAS_ATTRIBUTE]
        self._marks_in_langfuse = self._marks | self._kinds[_HAS_ATTRIBUTE_IN_LANGFUSE]
        self._name_beginnings = self._kinds[_NAME_BEGINS]
        self._tool_name_beginnings = self._kinds[_TOOL_NAME_BEGINS]
        self.wanted = frozenset(self._facts).union(
            self._word_sources, self._marks_in_langfuse, (_SYSTEM, SCOPE_NAME)
        )

    def flat(self, raw: object) -> Fields:
        """Return the wanted attributes by name, from a list of key and value or from an object.

        Objects in an object are taken apart: `{"llm": {"model_name": …}}` is `llm.model_name`.
        """
        found: Fields = {}
        wanted = self.wanted
        if type(raw) is list:
            for one in raw:
                try:
                    name = one["key"]
                    if name in wanted:
                        value = one["value"]
                        found[name] = plain(value) if type(value) is dict else value
                except (TypeError, KeyError):
                    continue
        elif type(raw) is dict:
            self._flatten(raw, "", found, 0)
        return found

    def _flatten(self, raw: Fields, prefix: str, found: Fields, depth: int) -> None:
        for key, value in raw.items():
            full = f"{prefix}{key}"
            if full in self.wanted:
                found[full] = plain(value)
            elif type(value) is dict and depth < _DEEPEST_NESTING:
                self._flatten(value, f"{full}.", found, depth + 1)

    def facts(self, attributes: Fields) -> Fields:
        """Return what attributes say, of several names for a fact the first in the CSV file."""
        ranks: dict[str, int] = {}
        facts: Fields = {}
        for attribute, value in attributes.items():
            if value is None or value == "":
                continue
            for fact, rank in self._facts.get(attribute, ()):
                if rank < ranks.get(fact, rank + 1):
                    ranks[fact] = rank
                    facts[fact] = value
        return facts

    def kind(
        self,
        attributes: Fields,
        name: str,
        scope: str | None,
        *,
        is_langfuse: bool = False,
    ) -> tuple[str | None, str | None]:
        """Return the kind of a span, None if it is no kind known here, and the word unknown here.

        A word that is unknown, or has no kind in the CSV file, leaves the decision to the next
        source. Beside an unknown word a mere attribute or the beginning of a name decides nothing.
        """
        unknown = None
        for source in self._word_sources if attributes else ():
            word = attributes.get(source)
            if word is None or type(word) is not str:
                continue
            kind = self._kinds[source].get(word.strip(' "').lower())
            if kind:
                return kind, None
            if kind is None:
                unknown = unknown or word
        if name in self._telling_names:
            for source, word in (
                (_SCOPE_AND_NAME, f"{scope} {name}"),
                (_SYSTEM_AND_NAME, f"{attributes.get(_SYSTEM)} {name}"),
                (_NAME, name),
            ):
                kind = self._kinds[source].get(word)
                if kind is not None:
                    return kind, None
        if unknown is not None:
            return None, unknown
        for mark, kind in (
            ()
            if not attributes
            else (self._marks_in_langfuse if is_langfuse else self._marks).items()
        ):
            if attributes.get(mark):
                return kind, None
        for beginning, kind in self._name_beginnings.items():
            if name.startswith(beginning):
                return kind, None
        return None, None

    def is_handoff(self, kind: str | None, name: str) -> bool:
        """Return whether a tool call only hands the conversation to another agent."""
        return kind == TOOL and any(
            name.startswith(beginning) and target == HANDOFF
            for beginning, target in self._tool_name_beginnings.items()
        )

    def bare_name(self, name: str) -> str:
        """Return a span's name without the operation before it: `invoke_agent helper`."""
        for beginning in self._name_beginnings:
            if name.startswith(beginning) and len(name) > len(beginning):
                return name[len(beginning) :]
        return name

    def fields(self, facts: Fields, *, with_text: bool) -> Fields:
        """Return the fields of a span's record that facts give, tokens and money apart."""
        fields: Fields = {}
        for fact in _NAMES:
            if fact in facts and (known := values.name(facts[fact])) is not None:
                fields[fact] = known
        if "model_name" in fields:
            fields["model_name"] = values.model(fields["model_name"])
        if (attempt := values.count(facts.get("attempt_number"))) is not None:
            fields["attempt_number"] = attempt
        for fact in _IDS:
            if fact in facts and (known := values.text(facts[fact])) is not None:
                fields[fact] = known
        if "finish_reason" in facts:
            reason = values.first_word(facts["finish_reason"])
            if reason is not None:
                fields["finish_reason"] = reason
        if with_text:
            for fact in _TEXTS:
                if fact in facts and (known := values.text(facts[fact])) is not None:
                    fields[fact] = known
        return fields

    @staticmethod
    def usage(facts: Fields) -> Fields:
        """Return the fields for tokens and money, tokens as disjoint counts."""
        fields: Fields = {}
        cost = values.amount(facts.get("cost_usd"))
        if cost is None and ("input_cost" in facts or "output_cost" in facts):
            parts = (values.amount(facts.get(fact)) for fact in ("input_cost", "output_cost"))
            cost = sum(part for part in parts if part is not None) or None
        if cost is not None:
            fields["cost_usd"] = cost
        tokens = {
            fact: number
            for fact in _TOKENS
            if fact in facts and (number := values.count(facts[fact])) is not None
        }
        if not tokens:
            return fields
        fresh = tokens.pop("fresh_input", None)
        is_exclusive = fresh is not None and "input" not in tokens
        if is_exclusive:
            tokens["input"] = fresh
        total = values.count(facts.get("total"))
        return fields | values.disjoint_tokens(tokens, total, is_exclusive=is_exclusive)


def plain(value: object) -> object:
    """Return an OTLP value (`{"intValue": "5"}`) as itself; other values as they are."""
    if type(value) is not dict or len(value) != 1:
        return value
    ((kind, content),) = value.items()
    if kind in _WRITTEN_AS_THEY_ARE:
        return content
    if kind in ("intValue", "int_value"):
        return values.whole(content)
    if kind in ("arrayValue", "array_value"):
        items = content.get("values") if type(content) is dict else None
        return [plain(item) for item in items] if type(items) is list else []
    return value
