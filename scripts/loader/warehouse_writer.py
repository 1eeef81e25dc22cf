"""Collects rows per table, stages them in bulk and merges them into the warehouse at the end."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from scripts.loader.times import Instant
from scripts.loader.values import (
    INT64_RANGE,
    DiscardedError,
    JsonText,
    RejectedError,
    convert,
    kind_of,
    plain_text,
)
from scripts.warehouse import quote_identifier, quote_literal

TRACKS = "tracks"
DISCARDS = "rudder_discards"
REJECTS = "rudder_load_rejects"
MERGE = "merge"
APPEND = "append"

# A table takes 0.3 MB of a DuckDB file, however small it is; thousands of event names are names
# with values in them, such as ids. Events of AI products, which models read, are always loaded.
MOST_TABLES = 500
_ALWAYS_LOADED = ("ai_", "mcp_")

# A chunk is staged when one of its tables has this many cells or it holds this much input.
_CELLS_PER_CHUNK = 2_000_000
BYTES_PER_CHUNK = 16 * 1024 * 1024
# DuckDB's share of memory. The first number keeps a load of any length under 1 GiB in all; the
# second is what DuckDB holds per column it writes (a 256 KiB block each in the staging table and
# in the table itself), which only counts with thousands of columns.
_MEMORY_MIB = 384
_MEMORY_MIB_PER_COLUMN = 0.6
_MEMORY_MIB_BESIDE_COLUMNS = 128
# Column of the staging tables only; with a space no event column can have this name.
_ORDER = "load order"
# Stands for the columns of something that is not a table.
_VIEW = "a view"

_PHYSICAL_TYPES: dict[type, str] = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    Instant: "TIMESTAMP WITH TIME ZONE",
    JsonText: "JSON",
}
_ARROW_TYPES: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    Instant: pa.timestamp("ms", tz="UTC"),
    JsonText: pa.string(),
}
# Columns somebody made narrower than RudderStack would: which whole numbers they hold.
_INTEGER_RANGES = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "BIGINT": INT64_RANGE,
    "HUGEINT": INT64_RANGE,
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "UBIGINT": (0, INT64_RANGE[1]),
    "UHUGEINT": (0, INT64_RANGE[1]),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


class UnusableTableError(Exception):
    """A table that exists in a shape events cannot be written to; the message says what to do."""


@dataclass(frozen=True, slots=True)
class TableResult:
    """What a load did to one table."""

    name: str
    rows: int
    replaced: int


class _Table:
    """Types and the current chunk of one table."""

    def __init__(self, name: str, key: tuple[str, ...], stage: str) -> None:
        self.name = name
        self.key = key
        self.stage = stage
        self.existing: set[str] = set()
        self.kinds: dict[str, type] = {}
        self.limits: dict[str, tuple[float, float]] = {}
        # Per column: the class of values stored as they are (None: look at each) and the values.
        self.chunk: dict[str, tuple[type | None, list[object]]] = {}
        self.rows = 0
        self.rows_in_stage = 0
        self.columns_in_stage: set[str] = set()

    def new_slot(self, column: str, value: object) -> tuple[type | None, list[object]]:
        """Return an empty list for a column; the first value ever decides the column's type."""
        kind = self.kinds.setdefault(column, kind_of(value))
        return (None if column in self.limits else kind), []

    def converted(self, column: str, value: object) -> object:
        """Return `value` as its column holds it; raises DiscardedError when it does not fit."""
        value = convert(value, self.kinds[column])
        limits = self.limits.get(column)
        if limits and isinstance(value, int | float) and not limits[0] <= value <= limits[1]:
            raise DiscardedError("number outside the range of the column")
        return value


class WarehouseWriter:
    """Takes typed rows; `finish` writes them all in one transaction, or nothing at all.

    Rows are staged in temporary DuckDB tables, which go to disk when memory runs short, so the
    memory used does not grow with the size of the load.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, schema: str, load_time: Instant
    ) -> None:
        """Read the column types of the tables that exist in `schema`."""
        self._connection = connection
        self._schema = schema
        self._load_time = load_time
        self._tables: dict[str, _Table] = {}
        self._existing = self._read_existing()
        self._limited = {name for name in self._existing if _is_limited(name)}
        self._memory = 0
        self.discarded = 0

    def check_table(self, table: str) -> None:
        """Raise RejectedError when an event would need a new table and there are too many."""
        if table in self._limited or not _is_limited(table):
            return
        if len(self._limited) >= MOST_TABLES:
            raise RejectedError(
                f"more than {MOST_TABLES} event names, and each takes a table: send values as "
                "properties"
            )
        self._limited.add(table)

    def add_event(self, table: str, row: dict[str, object]) -> None:
        """Add the row of one event to `table`, converting or discarding values by column type."""
        target = self._tables.get(table) or self._open(table, ("id",))
        for column, value, reason in self._add(target, row):
            self.discarded += 1
            discards = self._tables.get(DISCARDS) or self._open(
                DISCARDS, ("row_id", "table_name", "column_name")
            )
            self._add(
                discards,
                {
                    "row_id": row["id"],
                    "table_name": table,
                    "column_name": column,
                    "column_value": plain_text(value),
                    "reason": reason,
                    "received_at": row["received_at"],
                },
            )

    def add_reject(self, file: str, line_number: int, reason: str, raw_text: str) -> None:
        """Add a line or event that was not loaded, with the reason."""
        target = self._tables.get(REJECTS) or self._open(REJECTS, ())
        self._add(
            target,
            {
                "file": file,
                "line_number": line_number,
                "reason": reason,
                "raw_text": raw_text,
                "rejected_at": self._load_time,
            },
        )

    def stage(self) -> None:
        """Move the rows collected so far to the staging tables."""
        for table in self._tables.values():
            if table.rows:
                self._stage_table(table)

    def finish(self, mode: str) -> list[TableResult]:
        """Write all staged rows in one transaction and return what happened, by table name.

        `merge`: of rows with the same key the newest `received_at` stays (ties: the later line),
        and it replaces what the table holds. `append`: the same inside the load, then a plain
        insert. Raises duckdb.Error, with everything rolled back, when the warehouse refuses.
        """
        self.stage()
        connection = self._connection
        connection.execute("begin transaction")
        try:
            connection.execute(f"create schema if not exists {quote_identifier(self._schema)}")
            results = [self._write(self._tables[name], mode) for name in sorted(self._tables)]
            connection.execute("commit")
        except BaseException:
            # A commit that fails has ended the transaction already.
            with suppress(duckdb.TransactionException):
                connection.execute("rollback")
            raise
        return results

    def _read_existing(self) -> dict[str, dict[str, str]]:
        in_schema = (
            "where database_name = current_database() "
            f"and lower(schema_name) = {quote_literal(self._schema.lower())}"
        )
        rows = self._connection.execute(
            f"""
            select table_name, column_name, data_type
            from duckdb_columns()
            {in_schema}
            order by table_name, column_index
            """
        ).fetchall()
        existing: dict[str, dict[str, str]] = {}
        for table, column, data_type in rows:
            existing.setdefault(table.lower(), {})[column.lower()] = data_type
        views = self._connection.execute(f"select view_name from duckdb_views() {in_schema}")
        for (view,) in views.fetchall():
            existing[view.lower()] = {_VIEW: ""}
        return existing

    def _open(self, name: str, key: tuple[str, ...]) -> _Table:
        table = _Table(name, key, f"temp.stage_{len(self._tables)}")
        own_name = f"{self._schema}.{name}"
        existing = self._existing.get(name, {})
        if _VIEW in existing:
            raise UnusableTableError(f"{own_name} is a view: drop it, or load to another --schema")
        for column, data_type in existing.items():
            table.existing.add(column)
            table.kinds[column], limits = _kind_of_column(data_type)
            if limits is not None:
                table.limits[column] = limits
        needed: dict[str, type] = dict.fromkeys(key, str)
        if name == REJECTS:
            needed = {"file": str, "line_number": int, "reason": str, "raw_text": str}
            needed["rejected_at"] = Instant
        else:
            needed |= {"received_at": Instant, "uuid_ts": Instant}
        for column, kind in needed.items():
            if table.kinds.setdefault(column, kind) is not kind:
                found = existing[column]
                raise UnusableTableError(
                    f"column {column} of {own_name} is {found}, not {_PHYSICAL_TYPES[kind]}: "
                    "change its type, or load to another --schema"
                )
        self._tables[name] = table
        return table

    def _add(self, table: _Table, row: dict[str, object]) -> list[tuple[str, object, str]]:
        """Append a row; returns (column, value, reason) of each value that does not fit."""
        chunk = table.chunk
        index = table.rows
        discarded: list[tuple[str, object, str]] = []
        for column, value in row.items():
            slot = chunk.get(column)
            if slot is None:
                slot = chunk[column] = table.new_slot(column, value)
            kind, values = slot
            if type(value) is not kind:
                try:
                    value = table.converted(column, value)  # noqa: PLW2901
                except DiscardedError as reason:
                    discarded.append((column, row[column], str(reason)))
                    continue
                if value is None:
                    continue
            if len(values) != index:
                values.extend([None] * (index - len(values)))
            values.append(value)
        table.rows = index + 1
        if (index + 1) * len(chunk) >= _CELLS_PER_CHUNK:
            self._stage_table(table)
        return discarded

    def _allow_memory(self) -> None:
        columns = sum(len(table.kinds) for table in self._tables.values())
        needed = int(_MEMORY_MIB_BESIDE_COLUMNS + _MEMORY_MIB_PER_COLUMN * columns)
        needed = max(_MEMORY_MIB, needed)
        if needed > self._memory:
            self._connection.execute(f"set memory_limit = '{needed}MiB'")
            self._memory = needed

    def _stage_table(self, table: _Table) -> None:
        self._allow_memory()
        count = table.rows
        arrays: dict[str, pa.Array] = {
            _ORDER: pa.array(
                range(table.rows_in_stage, table.rows_in_stage + count), type=pa.int64()
            )
        }
        for column, (_, values) in table.chunk.items():
            if values:
                values.extend([None] * (count - len(values)))
                arrays[column] = pa.array(values, type=_ARROW_TYPES[table.kinds[column]])
        self._connection.register("arriving_rows", pa.table(arrays))
        if not table.columns_in_stage:
            self._connection.execute(
                f"create or replace temp table {table.stage} as select * from arriving_rows"
            )
        else:
            for column in arrays.keys() - table.columns_in_stage:
                # JSON stays text until it reaches its table.
                kind = str if table.kinds[column] is JsonText else table.kinds[column]
                self._connection.execute(
                    f"alter table {table.stage} add column {quote_identifier(column)} "
                    f"{_PHYSICAL_TYPES[kind]}"
                )
            self._connection.execute(
                f"insert into {table.stage} by name select * from arriving_rows"
            )
        self._connection.unregister("arriving_rows")
        table.columns_in_stage |= arrays.keys()
        table.chunk = {}
        table.rows_in_stage += count
        table.rows = 0

    def _write(self, table: _Table, mode: str) -> TableResult:
        target = f"{quote_identifier(self._schema)}.{quote_identifier(table.name)}"
        self._create_columns(table, target)
        if table.name == REJECTS:
            return self._write_rejects(table, target, mode)
        key = ", ".join(quote_identifier(column) for column in table.key)
        replaced = 0
        if mode == MERGE and table.existing:
            replaced = self._count(
                f"delete from {target} where ({key}) in (select ({key}) from {table.stage})"
            )
        columns = sorted(table.columns_in_stage - {_ORDER})
        names = ", ".join(map(quote_identifier, columns))
        load_time = f"{quote_literal(self._load_time.text())}::timestamptz"
        # A microsecond per row keeps the order of the lines, which models break ties of times with.
        # Only the key columns go through the window, so that wide rows need no memory.
        rows = self._count(
            f"""
            insert into {target} ({names}, uuid_ts)
            select {names}, {load_time} + to_microseconds("{_ORDER}")
            from {table.stage}
            where "{_ORDER}" not in (
                select "{_ORDER}"
                from {table.stage}
                qualify row_number() over (
                    partition by {key} order by received_at desc, "{_ORDER}" desc
                ) > 1
            )
            """
        )
        return TableResult(table.name, rows, replaced)

    def _write_rejects(self, table: _Table, target: str, mode: str) -> TableResult:
        known = ""
        if mode == MERGE:
            known = f"""
                where not exists (
                    select 1
                    from {target} as known
                    where known.file = staged.file
                        and known.line_number = staged.line_number
                        and known.reason = staged.reason
                        and known.raw_text = staged.raw_text
                )
            """
        names = "file, line_number, reason, raw_text, rejected_at"
        rows = self._count(
            f"insert into {target} ({names}) select {names} from {table.stage} as staged {known}"
        )
        return TableResult(table.name, rows, table.rows_in_stage - rows)

    def _create_columns(self, table: _Table, target: str) -> None:
        missing = [column for column in table.kinds if column not in table.existing]
        definitions = [
            f"{quote_identifier(column)} {_PHYSICAL_TYPES[table.kinds[column]]}"
            for column in missing
        ]
        if not table.existing:
            self._connection.execute(f"create table {target} ({', '.join(definitions)})")
            return
        for definition in definitions:
            self._connection.execute(f"alter table {target} add column {definition}")

    def _count(self, statement: str) -> int:
        row = self._connection.execute(statement).fetchone()
        return int(row[0]) if row else 0


def _is_limited(table: str) -> bool:
    return table not in (TRACKS, DISCARDS, REJECTS) and not table.startswith(_ALWAYS_LOADED)


def _kind_of_column(data_type: str) -> tuple[type, tuple[float, float] | None]:
    # RudderStack reads every type back as one of its own, so that manual changes are honoured.
    if data_type in _INTEGER_RANGES:
        limits = _INTEGER_RANGES[data_type]
        return int, None if limits == INT64_RANGE else limits
    decimal = _DECIMAL.fullmatch(data_type)
    if decimal:
        bound = 10.0 ** (int(decimal[1]) - int(decimal[2]))
        return float, (-bound, bound)
    if data_type in ("DOUBLE", "FLOAT"):
        return float, None
    if data_type == "BOOLEAN":
        return bool, None
    if data_type == "DATE" or data_type.startswith("TIMESTAMP"):
        return Instant, None
    if data_type == "JSON":
        return JsonText, None
    return str, None
