"""What attributes of spans mean: names and words of producers, kept in two CSV files beside this.

`otel_attributes.csv` says which attribute holds a fact, the first of a fact's rows before the next.
`otel_kinds.csv` says what kind of span a word makes, source by source in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from functools import lru_cache

from scripts.importer import values
from scripts.importer.model import Fields
from scripts.importer.spans import HANDOFF
from scripts.importer.tables import rows_of

SCOPE_NAME = "otel.scope.name"
_SYSTEM = "gen_ai.system"
_SCOPE_AND_NAME = "scope and name"
_SYSTEM_AND_NAME = f"{_SYSTEM} and name"
_NAME = "name"
_HAS_ATTRIBUTE = "has attribute"
_HAS_ATTRIBUTE_IN_LANGFUSE = "has attribute in Langfuse"
_NAME_BEGINS = "name begins"
_TOOL_NAME_BEGINS = "tool name begins"
_TOOL_NAME = "tool name"
_NO_ATTRIBUTES = {_SCOPE_AND_NAME, _SYSTEM_AND_NAME, _NAME, _HAS_ATTRIBUTE}
_NO_ATTRIBUTES |= {_HAS_ATTRIBUTE_IN_LANGFUSE, _NAME_BEGINS, _TOOL_NAME_BEGINS, _TOOL_NAME}
_DEEPEST_NESTING = 8
_WRITTEN_AS_THEY_ARE = frozenset(
    {"stringValue", "boolValue", "doubleValue", "string_value", "bool_value", "double_value"}
)

_TOKENS = ("input", "fresh_input", "output", "cache_read", "cache_write", "reasoning")
_USAGE = frozenset({*_TOKENS, "cost_usd", "input_cost", "output_cost"})
# How a fact becomes a field of a span's record. Others are read one by one.
_CONVERTERS: dict[str, Callable[[object], object]] = {
    "model_name": values.model,
    "response_id": values.name,
    "service_tier": values.name,
    "agent_name": values.name,
    "tool_name": values.name,
    "workflow_name": values.name,
    "conversation_id": values.text,
    "user_id": values.text,
    "finish_reason": values.first_word,
    "attempt_number": values.count,
}
_TEXTS: dict[str, Callable[[object], object]] = {
    "prompt_text": values.text,
    "tool_input": values.text,
    "tool_output": values.text,
}


class Attributes:
    """Reads attributes of spans as the two CSV files say."""

    def __init__(self) -> None:
        """Read the CSV files."""
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
        self._handoff_names = {
            word for word, kind in self._kinds[_TOOL_NAME].items() if kind == HANDOFF
        }
        self._handoff_beginnings = tuple(
            word for word, kind in self._kinds[_TOOL_NAME_BEGINS].items() if kind == HANDOFF
        )
        # What kinds are told by counts as a fact of its own name.
        telling = {*self._word_sources, *self._marks_in_langfuse, _SYSTEM, SCOPE_NAME}
        self._facts: dict[str, list[tuple[str, int]]] = {one: [(one, 0)] for one in telling}
        for rank, row in enumerate(rows_of("otel_attributes.csv")):
            self._facts.setdefault(row["attribute"], []).append((row["fact"], rank))
        self._facts_without_text = {
            attribute: kept
            for attribute, facts in self._facts.items()
            if (kept := [one for one in facts if one[0] not in _TEXTS])
        }
        # Spans of one kind have the same attributes and names again and again.
        self._plan = lru_cache(maxsize=4096)(self._plan_of)
        self.bare_name = lru_cache(maxsize=4096)(self._bare_name)
        self.is_handoff = lru_cache(maxsize=4096)(self._is_handoff)

    def facts(self, raw: object, *, with_text: bool = False) -> Fields:
        """Return what attributes say, of several names for a fact the first in the CSV file.

        They are a list of keys and values or an object; objects in it are taken apart:
        `{"llm": {"model_name": …}}` is `llm.model_name`. Empty values say nothing.
        """
        try:
            plan = self._plan(tuple([one["key"] for one in raw]), with_text)
            facts: Fields = {}
            for place, fact in plan:
                value = raw[place]["value"]
                if type(value) is dict:
                    value = plain(value)
                if not value and (value is None or value == ""):
                    # Another attribute may say it.
                    kept = [one for one in raw if plain(one["value"]) not in (None, "")]
                    return self.facts(kept, with_text=with_text)
                facts[fact] = value
        except (TypeError, KeyError):
            # Not a list in which all is as it should be, which nearly every span has.
            wanted = self._facts if with_text else self._facts_without_text
            as_list = [{"key": name, "value": value} for name, value in _pairs(raw, wanted)]
            return self.facts(as_list, with_text=with_text)
        return facts

    def _plan_of(self, attributes: tuple[str, ...], with_text: bool) -> list[tuple[int, str]]:
        """Return which of the attributes of a span are wanted: their places, and what they say."""
        wanted = self._facts if with_text else self._facts_without_text
        best: dict[str, tuple[int, int]] = {}
        for place, attribute in enumerate(attributes):
            for fact, rank in wanted.get(attribute, ()):
                best[fact] = min(best.get(fact, (rank, place)), (rank, place))
        return [(place, fact) for fact, (_, place) in best.items()]

    def kind(
        self, facts: Fields, name: str, scope: str | None, *, is_langfuse: bool = False
    ) -> tuple[str | None, str | None]:
        """Return the kind of a span, None if it is no kind known here, and the word unknown here.

        A word that is unknown, or has no kind in the CSV file, leaves the decision to the next
        source. Beside an unknown word a mere attribute or the beginning of a name decides nothing.
        """
        unknown = None
        for source in self._word_sources if facts else ():
            if source not in facts or type(word := facts[source]) is not str:
                continue
            kind = self._kinds[source].get(word.strip(' "').lower())
            if kind:
                return kind, None
            if kind is None:
                unknown = unknown or word
        if name in self._telling_names:
            for source, word in (
                (_SCOPE_AND_NAME, f"{scope} {name}"),
                (_SYSTEM_AND_NAME, f"{facts.get(_SYSTEM)} {name}"),
                (_NAME, name),
            ):
                kind = self._kinds[source].get(word)
                if kind is not None:
                    return kind, None
        if unknown is not None:
            return None, unknown
        marks = self._marks_in_langfuse if is_langfuse else self._marks
        for mark in marks if facts else ():
            if mark in facts:
                return marks[mark], None
        for beginning, kind in self._name_beginnings.items():
            if name.startswith(beginning):
                return kind, None
        return None, None

    def _is_handoff(self, tool_name: str) -> bool:
        """Return whether a tool call only hands the conversation to another agent."""
        return tool_name in self._handoff_names or tool_name.startswith(self._handoff_beginnings)

    def _bare_name(self, name: str) -> str:
        """Return a span's name without the operation before it: `invoke_agent helper`."""
        for beginning in self._name_beginnings:
            if name.startswith(beginning) and len(name) > len(beginning):
                return name[len(beginning) :]
        return name

    @staticmethod
    def add_fields(facts: Fields, fields: Fields, *, with_text: bool = False) -> None:
        """Add to a span's record what facts give, tokens and money apart."""
        for fact, value in facts.items():
            if fact in _CONVERTERS:
                known = _CONVERTERS[fact](value)
            elif with_text and fact in _TEXTS:
                known = _TEXTS[fact](value)
            else:
                continue
            if known is not None:
                fields[fact] = known

    @staticmethod
    def add_usage(facts: Fields, fields: Fields) -> None:
        """Add to a span's record its tokens and money, tokens as disjoint counts."""
        if _USAGE.isdisjoint(facts):
            return
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
            return
        fresh = tokens.pop("fresh_input", None)
        is_exclusive = fresh is not None and "input" not in tokens
        if is_exclusive:
            tokens["input"] = fresh
        total = values.count(facts.get("total"))
        fields |= values.disjoint_tokens(tokens, total, is_exclusive=is_exclusive)


def _pairs(raw: object, wanted: Container[str], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the wanted attributes of an object, or of a list in which not all is as it should."""
    if type(raw) is list:
        for one in raw:
            try:
                name = one["key"]
                if name in wanted:
                    yield name, one["value"]
            except (TypeError, KeyError):
                continue
    elif type(raw) is dict:
        for key, value in raw.items():
            name = f"{prefix}{key}" if prefix else key
            if name in wanted:
                yield name, value
            elif type(value) is dict and prefix.count(".") < _DEEPEST_NESTING:
                yield from _pairs(value, wanted, f"{name}.")


def plain(value: object) -> object:
    """Return an OTLP value (`{"intValue": "5"}`) as itself; other values as they are."""
    if type(value) is not dict or len(value) != 1:
        return value
    if "stringValue" in value:
        # What most values are.
        return value["stringValue"]
    ((kind, content),) = value.items()
    if kind in _WRITTEN_AS_THEY_ARE:
        return content
    if kind in ("intValue", "int_value"):
        return values.whole(content)
    if kind in ("arrayValue", "array_value"):
        items = content.get("values") if type(content) is dict else None
        return [plain(item) for item in items] if type(items) is list else []
    return value
