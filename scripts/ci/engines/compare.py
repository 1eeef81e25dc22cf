"""Row-for-row comparison of tables built on an engine with the same tables in a DuckDB file.

All of it is SQL over the Parquet files an engine exports, so that a million rows take seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from scripts.ci.engines.base import Engine
from scripts.warehouse import (
    AUDIT_SCHEMA,
    MARTS_SCHEMA,
    PROJECT_DIR,
    quote_identifier,
    quote_literal,
)

SCHEMAS = (MARTS_SCHEMA, AUDIT_SCHEMA)
# The log says when each engine built what, and Python models are built on DuckDB only.
NOT_COMPARED = frozenset(
    {
        (AUDIT_SCHEMA, "audit_build_log"),
        *((MARTS_SCHEMA, path.stem) for path in (PROJECT_DIR / "models").rglob("*.py")),
    }
)
# Sums of doubles depend on the order of their terms, which no parallel engine fixes.
RELATIVE_TOLERANCE = 1e-9
# One unit of the last decimal of money: a product of doubles may round to either neighbour.
LAST_DECIMAL = Decimal("0.000000001")
EXAMPLES = 3
# Columns compared by one query: few enough that two sets of millions of rows stay in memory.
COLUMNS_PER_QUERY = 10

# Family of DuckDB types -> beginnings of the names of its members.
TYPE_FAMILIES = {
    # A key is 16 bytes where the engine has a type for them, else text of their 32 digits.
    "text": ("VARCHAR", "UUID"),
    "integer": (
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
        "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
    ),
    "decimal": ("DECIMAL",),
    "double": ("DOUBLE", "FLOAT"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP",),
}  # fmt: skip

TableName = tuple[str, str]


@dataclass(frozen=True)
class Difference:
    """What differs in one column, or in the rows or columns, of one table.

    `column` is None when rows, columns or the table itself are concerned; `rows` counts them;
    `is_last_decimal` marks decimals that differ by no more than the tolerance and nothing else.
    """

    table: str
    column: str | None
    problem: str
    rows: int
    examples: tuple[str, ...] = ()
    is_last_decimal: bool = False

    def __str__(self) -> str:
        """Return the difference as one line and a further one per example."""
        place = self.table if self.column is None else f"{self.table}.{self.column}"
        lines = [f"{place}: {self.problem} ({self.rows:,})", *self.examples]
        return "\n  ".join(lines)


def compare_with_duckdb(
    warehouse: Path,
    engine: Engine,
    folder: Path,
    schemas: Sequence[str] = SCHEMAS,
    *,
    decimal_tolerance: Decimal = LAST_DECIMAL,
    report: Callable[[str], None] | None = None,
) -> list[Difference]:
    """Export the tables of `schemas` from an engine and compare them with those of a DuckDB file.

    The Parquet files stay in `folder`.
    """
    exports: dict[TableName, Path] = {}
    moved: dict[TableName, list[str]] = {}
    for schema in schemas:
        for table in engine.list_tables(schema):
            if report is not None:
                report(f"{engine.name}: reading {schema}.{table}")
            exports[schema, table] = folder / f"{schema}.{table}.parquet"
            engine.export_table(schema, table, exports[schema, table])
            moved[schema, table] = engine.partition_columns(schema, table)
    return compare_exports(
        warehouse, exports, schemas, moved=moved, decimal_tolerance=decimal_tolerance
    )


def compare_exports(
    warehouse: Path,
    exports: dict[TableName, Path],
    schemas: Sequence[str] = SCHEMAS,
    *,
    moved: Mapping[TableName, Sequence[str]] | None = None,
    decimal_tolerance: Decimal = LAST_DECIMAL,
    memory_limit: str = "4GB",
) -> list[Difference]:
    """Return what differs between the tables of a DuckDB file and exported ones.

    Rows are matched by the table's key, its first column that ends in `_key`; a table without one
    is compared as a bag of whole rows. Text, integers, booleans, dates and times must be identical,
    null included, a UUID being text of 32 digits; doubles within a relative 1e-9; decimals
    identical, or else within `decimal_tolerance` and marked as such. Columns named in `moved` may
    stand anywhere.
    """
    differences: list[Difference] = []
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"set memory_limit = {quote_literal(memory_limit)}")
        connection.execute(f"attach {quote_literal(str(warehouse))} as warehouse (read_only)")
        expected = set(_tables(connection, schemas)) - NOT_COMPARED
        found = exports.keys() - NOT_COMPARED
        differences += [
            Difference(".".join(name), None, "the engine has no such table", 1)
            for name in sorted(expected - found)
        ]
        differences += [
            Difference(".".join(name), None, "DuckDB has no such table", 1)
            for name in sorted(found - expected)
        ]
        for name in sorted(expected & found):
            anywhere = (moved or {}).get(name, ())
            comparison = _TableComparison(
                connection, name, exports[name], anywhere, decimal_tolerance
            )
            differences += comparison.run()
    return differences


def real_differences(differences: Iterable[Difference]) -> list[Difference]:
    """Return the differences that are more than the last decimal of an amount."""
    return [difference for difference in differences if not difference.is_last_decimal]


def _tables(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> list[TableName]:
    return connection.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_catalog = 'warehouse' and list_contains(?, table_schema)",
        [list(schemas)],
    ).fetchall()


def type_family(kind: str) -> str:
    """Return the family of a DuckDB type, or the type itself when it belongs to none."""
    name = kind.upper()
    for family, beginnings in TYPE_FAMILIES.items():
        if name.startswith(beginnings) and not name.endswith("]"):
            return family
    return kind


def _with_keys_as_text(relation: str, types: Mapping[str, str]) -> str:
    """Return a relation like the given one in which every UUID is text of 32 digits."""
    texts = [
        f"replace(cast({quoted} as varchar), '-', '') as {quoted}"
        for quoted in (quote_identifier(name) for name, kind in types.items() if kind == "UUID")
    ]
    return f"(select * replace ({', '.join(texts)}) from {relation})" if texts else relation


class _TableComparison:
    """The queries that compare one table; left is DuckDB, right is the engine."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: TableName,
        parquet: Path,
        anywhere: Sequence[str],
        decimal_tolerance: Decimal,
    ) -> None:
        self._connection = connection
        self._table = ".".join(name)
        self._anywhere = anywhere
        self._decimal_tolerance = decimal_tolerance
        schema, table = (quote_identifier(part) for part in name)
        self._left = f"warehouse.{schema}.{table}"
        files = f"{parquet}/**/*.parquet" if parquet.is_dir() else str(parquet)
        self._right = f"read_parquet({quote_literal(files)}, hive_partitioning = false)"

    def run(self) -> list[Difference]:
        """Return all differences of the table."""
        left = self._types(self._left)
        try:
            right = self._types(self._right)
        except duckdb.IOException as error:
            return [self._difference(None, f"no exported rows: {error}".splitlines()[0], 1)]
        self._left = _with_keys_as_text(self._left, left)
        self._right = _with_keys_as_text(self._right, right)
        left, right = self._types(self._left), self._types(self._right)
        differences = self._column_differences(left, right)
        shared = [name for name in left if name in right]
        key = next((name for name in left if name.endswith("_key")), None)
        if key is None:
            return differences + self._bag_differences(shared, left, right)
        if key not in right:
            return differences
        keys = self._key_differences(key)
        differences += keys
        if any("repeated" in difference.problem for difference in keys):
            # Values joined by a key that is none would differ everywhere.
            return differences
        values = [name for name in shared if name != key]
        for start in range(0, len(values), COLUMNS_PER_QUERY):
            part = values[start : start + COLUMNS_PER_QUERY]
            differences += self._value_differences(key, part, left, right)
        return differences

    def _difference(
        self,
        column: str | None,
        problem: str,
        rows: int,
        examples: Iterable[str] = (),
        *,
        is_last_decimal: bool = False,
    ) -> Difference:
        return Difference(self._table, column, problem, rows, tuple(examples), is_last_decimal)

    def _types(self, relation: str) -> dict[str, str]:
        rows = self._connection.execute(f"describe from {relation}").fetchall()
        return {row[0]: row[1] for row in rows}

    def _column_differences(self, left: dict[str, str], right: dict[str, str]) -> list[Difference]:
        found = []
        missing = [name for name in left if name not in right]
        extra = [name for name in right if name not in left]
        if missing:
            found.append(self._difference(None, "the engine lacks columns", len(missing), missing))
        if extra:
            found.append(self._difference(None, "DuckDB lacks columns", len(extra), extra))
        ordered = [[name for name in side if name not in self._anywhere] for side in (left, right)]
        if not missing and not extra and ordered[0] != ordered[1]:
            moved = [
                f"{a} on DuckDB, {b} on the engine" for a, b in zip(*ordered, strict=True) if a != b
            ]
            found.append(
                self._difference(None, "another order of columns", len(moved), moved[:EXAMPLES])
            )
        for name, kind in left.items():
            if name in right and type_family(kind) != type_family(right[name]):
                problem = f"type {kind} on DuckDB, {right[name]} on the engine"
                found.append(self._difference(name, problem, 1))
        return found

    def _key_differences(self, key: str) -> list[Difference]:
        quoted = quote_identifier(key)
        found = []
        for relation, side in ((self._left, "DuckDB"), (self._right, "the engine")):
            repeated = (
                f"select {quoted}, count(*) as n from {relation}"
                f" group by {quoted} having count(*) > 1 or {quoted} is null"
            )
            found += self._counted(f"keys repeated or null on {side}", repeated)
        for one, other, problem in (
            (self._left, self._right, "rows missing on the engine"),
            (self._right, self._left, "rows on the engine only"),
        ):
            alone = f"select {quoted} from {one} anti join {other} as other using ({quoted})"
            found += self._counted(problem, alone)
        return found

    def _counted(self, problem: str, query: str) -> list[Difference]:
        count = self._scalar(f"select count(*) from ({query})")
        if not count:
            return []
        rows = self._connection.execute(f"from ({query}) order by all limit {EXAMPLES}").fetchall()
        return [self._difference(None, problem, count, (str(row[0]) for row in rows))]

    def _value_differences(
        self, key: str, columns: list[str], left: dict[str, str], right: dict[str, str]
    ) -> list[Difference]:
        quoted_key = quote_identifier(key)
        joined = f"{self._left} as l inner join {self._right} as r using ({quoted_key})"
        # Column, whether only the last decimal is concerned, condition.
        checks: list[tuple[str, bool, str]] = []
        for name in columns:
            one, other = self._operands(name, left, right)
            differs = f"{one} is distinct from {other}"
            if type_family(left[name]) == "double":
                limit = f"{RELATIVE_TOLERANCE} * greatest(abs({one}), abs({other}))"
                # To DuckDB a difference that is not-a-number or infinite is within such a limit.
                is_near = f"isfinite({one} - {other}) and abs({one} - {other}) <= {limit}"
                differs += f" and not coalesce({is_near}, false)"
            if type_family(left[name]) == "decimal":
                is_near = f"coalesce(abs({one} - {other}) <= {self._decimal_tolerance:f}, false)"
                checks.append((name, True, f"{differs} and {is_near}"))
                differs += f" and not {is_near}"
            checks.append((name, False, differs))
        counts = self._connection.execute(
            f"select {', '.join(f'count(*) filter ({check[2]})' for check in checks)} from {joined}"
        ).fetchone()
        assert counts is not None
        found = []
        for (name, is_last_decimal, condition), count in zip(checks, counts, strict=True):
            if not count:
                continue
            quoted = quote_identifier(name)
            rows = self._connection.execute(
                f"select {quoted_key}, l.{quoted}, r.{quoted} from {joined}"
                f" where {condition} order by 1 limit {EXAMPLES}"
            ).fetchall()
            examples = [f"{key} {row[0]}: DuckDB {row[1]!r}, the engine {row[2]!r}" for row in rows]
            problem = "differs in the last decimal" if is_last_decimal else "rows differ"
            found.append(
                self._difference(name, problem, count, examples, is_last_decimal=is_last_decimal)
            )
        return found

    def _operands(self, name: str, left: dict[str, str], right: dict[str, str]) -> tuple[str, str]:
        """Return both sides of a column; the right one in the left's type where that may differ."""
        quoted = quote_identifier(name)
        is_same = left[name] == right[name]
        # Wider decimals keep all their digits; a cast would round a difference away.
        if is_same or {type_family(left[name]), type_family(right[name])} <= {"integer", "decimal"}:
            return f"l.{quoted}", f"r.{quoted}"
        return f"l.{quoted}", f"try_cast(r.{quoted} as {left[name]})"

    def _bag_differences(
        self, columns: list[str], left: dict[str, str], right: dict[str, str]
    ) -> list[Difference]:
        ours = ", ".join(f"l.{quote_identifier(name)}" for name in columns)
        theirs = ", ".join(
            f"{self._operands(name, left, right)[1]} as {quote_identifier(name)}"
            for name in columns
        )
        one = f"select {ours} from {self._left} as l"
        other = f"select {theirs} from {self._right} as r"
        found = []
        for query, problem in (
            (f"{one} except all ({other})", "rows missing on the engine"),
            (f"{other} except all ({one})", "rows on the engine only"),
        ):
            count = self._scalar(f"select count(*) from ({query})")
            if count:
                rows = self._connection.execute(
                    f"from ({query}) order by all limit {EXAMPLES}"
                ).fetchall()
                found.append(self._difference(None, problem, count, (str(row) for row in rows)))
        return found

    def _scalar(self, query: str) -> int:
        row = self._connection.execute(query).fetchone()
        return int(row[0]) if row else 0
