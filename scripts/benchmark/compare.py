"""Row-for-row comparison of the facts and marts of two DuckDB files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from scripts.warehouse import DEFAULT_MEMORY_LIMIT, MARTS_SCHEMA, quote_identifier, quote_literal

# Table -> the column that names a row.
COMPARED_TABLES = {
    "fct_agent_runs": "run_key",
    "fct_agent_sessions": "agent_session_key",
    "fct_agent_steps": "step_key",
    "fct_user_actions": "action_key",
    "mart_cost_per_interaction": "cost_per_interaction_key",
    "mart_agent_latency": "agent_latency_key",
    "mart_failure_modes": "failure_modes_key",
}
# Sums of doubles depend on the order of their terms, which parallel engines do not fix.
RELATIVE_TOLERANCE = 1e-9
# Columns compared by one query: few enough that two sets of 5 million rows stay in memory.
COLUMNS_PER_QUERY = 10
EXAMPLES = 5


@dataclass(frozen=True)
class Difference:
    """What differs in one column (or in the rows) of one table.

    `column` is None when rows or columns are missing on one side; `rows` counts the rows concerned;
    `examples` are lines such as `key: left value | right value`.
    """

    table: str
    column: str | None
    rows: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        place = self.table if self.column is None else f"{self.table}.{self.column}"
        return f"{place}: {self.rows} rows differ, such as\n  " + "\n  ".join(self.examples)


def compare(
    reference: Path, project: Path, *, memory_limit: str = DEFAULT_MEMORY_LIMIT, threads: int = 2
) -> list[Difference]:
    """Return what differs between the reference's tables and the project's marts.

    Columns that the reference does not make, as no event of the benchmark has them, are left out.
    Rows are matched by key and may come in any order; doubles are equal within a relative 1e-9,
    everything else only when identical, null included. Raises `duckdb.Error` when a file cannot be
    opened.
    """
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {threads}")
        connection.execute(f"set memory_limit = {quote_literal(memory_limit)}")
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"attach {quote_literal(str(reference))} as reference (read_only)")
        connection.execute(f"attach {quote_literal(str(project))} as project (read_only)")
        differences: list[Difference] = []
        for table, key in COMPARED_TABLES.items():
            differences += _compare_table(connection, table, key)
    return differences


def _compare_table(connection: duckdb.DuckDBPyConnection, table: str, key: str) -> list[Difference]:
    left = f"reference.main.{quote_identifier(table)}"
    right = f"project.{MARTS_SCHEMA}.{quote_identifier(table)}"
    left_types = _types(connection, left)
    right_types = _types(connection, right)
    if left_types is None or right_types is None:
        side = "reference" if left_types is None else "project"
        return [Difference(table, None, 1, (f"the {side} has no such table",))]
    alone = sorted(left_types.keys() - right_types.keys())
    if alone:
        return [Difference(table, None, len(alone), (f"columns of the reference only: {alone}",))]

    found = [
        difference
        for relation in (left, right)
        for difference in _repeated_keys(connection, table, relation, key)
    ]
    found += _rows_on_one_side(connection, table, left, right, key)
    columns = [name for name in left_types if name != key]
    for start in range(0, len(columns), COLUMNS_PER_QUERY):
        part = columns[start : start + COLUMNS_PER_QUERY]
        conditions = {
            name: _differs(name, "DOUBLE" in (left_types[name], right_types[name])) for name in part
        }
        counts = connection.execute(
            f"select {', '.join(f'count(*) filter ({c})' for c in conditions.values())}"
            f" from {left} as l inner join {right} as r using ({quote_identifier(key)})"
        ).fetchone()
        assert counts is not None
        for (name, condition), count in zip(conditions.items(), counts, strict=True):
            if count:
                examples = connection.execute(
                    f"select {quote_identifier(key)}, l.{quote_identifier(name)},"
                    f" r.{quote_identifier(name)}"
                    f" from {left} as l inner join {right} as r using ({quote_identifier(key)})"
                    f" where {condition} order by 1 limit {EXAMPLES}"
                ).fetchall()
                lines = tuple(
                    f"{key} {row[0]}: reference {row[1]!r}, project {row[2]!r}" for row in examples
                )
                found.append(Difference(table, name, count, lines))
    return found


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str] | None:
    try:
        return {row[0]: row[1] for row in connection.execute(f"describe {relation}").fetchall()}
    except duckdb.CatalogException:
        return None


def _differs(column: str, is_double: bool) -> str:
    name = quote_identifier(column)
    if not is_double:
        return f"l.{name} is distinct from r.{name}"
    return (
        f"l.{name} is distinct from r.{name} and not coalesce(abs(l.{name} - r.{name})"
        f" <= {RELATIVE_TOLERANCE} * greatest(abs(l.{name}), abs(r.{name})), false)"
    )


def _repeated_keys(
    connection: duckdb.DuckDBPyConnection, table: str, relation: str, key: str
) -> list[Difference]:
    name = quote_identifier(key)
    repeated = connection.execute(
        f"select {name}, count(*) from {relation} group by {name}"
        f" having count(*) > 1 or {name} is null order by 1 limit {EXAMPLES}"
    ).fetchall()
    lines = tuple(f"{relation} has {key} {row[0]} {row[1]} times" for row in repeated)
    return [Difference(table, None, len(repeated), lines)] if repeated else []


def _rows_on_one_side(
    connection: duckdb.DuckDBPyConnection, table: str, left: str, right: str, key: str
) -> list[Difference]:
    name = quote_identifier(key)
    found = []
    for side, here, there in (("reference", left, right), ("project", right, left)):
        alone = f"from {here} as h anti join {there} as t on h.{name} = t.{name}"
        count = connection.execute(f"select count(*) {alone}").fetchone()
        assert count is not None
        if count[0]:
            rows = connection.execute(f"select h.{name} {alone} order by 1 limit {EXAMPLES}")
            lines = tuple(f"only in the {side}: {key} {row[0]}" for row in rows.fetchall())
            found.append(Difference(table, None, count[0], lines))
    return found
