"""What a warehouse refuses although its grammar, as the parsers know it, lets it pass.

Each rule takes a parsed statement and yields one line per place that breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

Check = Callable[[exp.Expr], Iterator[str]]

PATTERN_FUNCTIONS = (
    exp.RegexpLike,
    exp.RegexpILike,
    exp.RegexpReplace,
    exp.RegexpInstr,
    exp.RegexpCount,
    exp.RegexpExtract,
)


@dataclass(frozen=True)
class Rule:
    """A check, and the dialects it speaks about."""

    dialects: frozenset[str]
    check: Check


def common_tables_without_column_list(statement: exp.Expr) -> Iterator[str]:
    """BigQuery: the columns of a common table expression take their names from its select."""
    for common_table in statement.find_all(exp.CTE):
        if common_table.args["alias"].args.get("columns"):
            yield f"column list after the name of {common_table.alias}"


def left_joins_with_equality(statement: exp.Expr) -> Iterator[str]:
    """BigQuery: a left join needs an equality of something from each side."""
    for join in statement.find_all(exp.Join):
        condition = join.args.get("on")
        if join.side == "LEFT" and condition is not None:
            joined = join.this.alias_or_name
            parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
            if not any(_is_equality_across(part.unnest(), joined) for part in parts):
                yield f"left join of {joined} without an equality of both sides"


def _is_equality_across(condition: exp.Expr, joined: str) -> bool:
    if not isinstance(condition, exp.EQ):
        return False
    sides = [
        {column.table for column in side.find_all(exp.Column)}
        for side in (condition.left, condition.right)
    ]
    return any(
        inner == {joined} and outer and joined not in outer
        for inner, outer in (sides, reversed(sides))
    )


def literal_patterns(statement: exp.Expr) -> Iterator[str]:
    """Redshift: a regular expression must be written out, it cannot come from a column."""
    for function in statement.find_all(*PATTERN_FUNCTIONS):
        pattern = function.args.get("expression")
        if pattern is not None and not isinstance(pattern, exp.Literal):
            yield f"regular expression from an expression: {pattern.sql()[:60]}"


def no_null_safe_comparison(statement: exp.Expr) -> Iterator[str]:
    """Redshift: knows no `is distinct from`."""
    for comparison in statement.find_all(exp.NullSafeEQ, exp.NullSafeNEQ):
        yield f"is distinct from: {comparison.sql()[:60]}"


def text_with_length(statement: exp.Expr) -> Iterator[str]:
    """Redshift: text without a length holds 256 bytes and cuts off what is longer."""
    for data_type in statement.find_all(exp.DataType):
        if (
            data_type.this in (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR)
            and not data_type.expressions
        ):
            yield "a text type without length"


def window_definitions_in_place(statement: exp.Expr) -> Iterator[str]:
    """Snowflake and Redshift: no `window name as (…)`."""
    for select in statement.find_all(exp.Select):
        if select.args.get("windows"):
            yield "a named window"


def upper_case_in_quotes(statement: exp.Expr) -> Iterator[str]:
    """Snowflake: every name without quotes is upper case, so a quoted lower one is another."""
    for identifier in statement.find_all(exp.Identifier):
        if identifier.args.get("quoted") and identifier.name != identifier.name.upper():
            yield f'the quoted name "{identifier.name}"'


RULES = (
    Rule(frozenset({"bigquery"}), common_tables_without_column_list),
    Rule(frozenset({"bigquery"}), left_joins_with_equality),
    Rule(frozenset({"redshift"}), literal_patterns),
    Rule(frozenset({"redshift"}), no_null_safe_comparison),
    Rule(frozenset({"redshift"}), text_with_length),
    Rule(frozenset({"redshift", "snowflake"}), window_definitions_in_place),
    Rule(frozenset({"snowflake"}), upper_case_in_quotes),
)


def broken_rules(dialect: str, statement: exp.Expr) -> list[str]:
    """Return one line per rule of the dialect that the statement breaks, with its first place."""
    found = []
    for rule in RULES:
        if dialect in rule.dialects:
            places = list(rule.check(statement))
            if places:
                more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
                found.append(f"{rule.check.__doc__.splitlines()[0]} Found {places[0]}{more}")
    return found
