"""Raw events that arrive in several loads, and the comparison of what is built from them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import duckdb

from scripts.warehouse import connect, quote_identifier, quote_literal

# What tells one set of events from another in the same warehouse.
IDENTITIES = {
    "id",
    "row_id",
    "conversation_id",
    "interaction_id",
    "agent_session_id",
    "parent_interaction_id",
    "parent_agent_session_id",
}
# What a correction may change in a raw row that was loaded before, where the table has it.
CORRECTED = (
    "id",
    "conversation_id",
    "interaction_id",
    "agent_session_id",
    "parent_agent_session_id",
    "parent_interaction_id",
    "status",
    "cost",
    "total_cost",
    "duration_ms",
    "error_message",
    "timestamp",
)
# Logs tell builds apart, which is what these comparisons are about.
NOT_COMPARED = ("_build_log", "_table_builds")
SCHEMAS = ("analytics_marts", "analytics_audit")


@dataclass(frozen=True)
class Arrivals:
    """Which rows arrive with which load; the rows lie in a DuckDB file of their own."""

    source: str
    schemas: tuple[str, ...]

    def tables(self):
        """Return schema and name of every raw table."""
        with duckdb.connect(self.source, read_only=True) as connection:
            return connection.execute(
                "select table_schema, table_name from information_schema.tables "
                f"where table_schema in ({', '.join(quote_literal(s) for s in self.schemas)}) "
                "and (table_name like 'ai_%' or table_name = 'rudder_discards') order by all"
            ).fetchall()


def load(warehouse, arrivals, condition, loaded_at, prefix=""):
    """Append the rows of every raw table for which `condition` holds, as loaded at `loaded_at`.

    `condition`: function of schema and table that returns a SQL condition on its rows, or None.
    `prefix` stands before every id, so that the same events can be there several times.
    """
    with connect(warehouse.path) as connection:
        connection.execute(f"attach {quote_literal(arrivals.source)} as arriving (read_only)")
        for schema, table in arrivals.tables():
            wanted = condition(schema, table)
            if wanted is None:
                continue
            name = f"{quote_identifier(schema)}.{quote_identifier(table)}"
            connection.execute(f"create schema if not exists {quote_identifier(schema)}")
            connection.execute(
                f"create table if not exists {name} as from arriving.{name} where false"
            )
            columns = connection.execute(f"describe from arriving.{name}").fetchall()
            replaced = [f"cast({quote_literal(str(loaded_at))} as timestamptz) as uuid_ts"]
            replaced += [
                f"case when trim({column}) = '' then {column} "
                f"else {quote_literal(prefix)} || {column} end as {column}"
                for column, *_ in columns
                if prefix and column in IDENTITIES
            ]
            connection.execute(
                f"insert into {name} select * replace ({', '.join(replaced)}) "
                f"from arriving.{name} as events where {wanted}"
            )
        connection.execute("detach arriving")


def replace_rows(warehouse, arrivals, rng, lookback_days, loaded_at=None):
    """Replace one value in some rows of one raw table, exchanged among them; return what was done.

    `rng`: random.Random. Without `loaded_at` the rows keep their load time and are of the last
    `lookback_days`, where builds compare contents; with it they are any rows, loaded again then.
    """
    tables = [(schema, table) for schema, table in arrivals.tables() if table.startswith("ai_")]
    schema, table = rng.choice(tables)
    name = f"{quote_identifier(schema)}.{quote_identifier(table)}"
    with connect(warehouse.path) as connection:
        there = connection.execute(
            "select table_schema, column_name from information_schema.columns where table_name = ?",
            [table],
        ).fetchall()
        columns = [column for of_schema, column in there if of_schema == schema]
        candidates = [column for column in CORRECTED if column in columns]
        if not candidates:
            return f"nothing: {name} is not there"
        column = quote_identifier(rng.choice(candidates))
        condition = f"hash(received_at, {rng.randrange(1_000_000)}) % 20 = 0"
        if loaded_at is None:
            newest = " union all ".join(
                f"select max(uuid_ts) as newest from {quote_identifier(other)}.{table}"
                for other in sorted({of_schema for of_schema, _ in there} & set(arrivals.schemas))
            )
            condition += (
                " and cast(uuid_ts as date) >= "
                f"(select cast(max(newest) as date) - {lookback_days} from ({newest}))"
            )
        moved = ""
        if loaded_at is not None:
            moved = f", uuid_ts = cast({quote_literal(str(loaded_at))} as timestamptz)"
        connection.execute(
            f"update {name} set {column} = exchanged.value{moved} from ("
            f"select rowid as place, coalesce(lead({column}) over numbered, "
            f"first_value({column}) over numbered) as value from {name} where {condition} "
            "window numbered as (order by hash(received_at), id)"
            f") as exchanged where {name}.rowid = exchanged.place"
        )
    kept = "with their load time" if loaded_at is None else f"as loaded at {loaded_at}"
    return f"{column} replaced in some rows of {name}, {kept}"


def delete_load_day(warehouse, arrivals, rng):
    """Delete what was loaded on one day from all raw tables or from one; return how many by table.

    `rng`: random.Random.
    """
    with connect(warehouse.path) as connection:
        there = set(
            connection.execute(
                "select table_schema, table_name from information_schema.tables"
            ).fetchall()
        )
        tables = [table for table in arrivals.tables() if table in there]
        names = {
            (schema, table): f"{quote_identifier(schema)}.{quote_identifier(table)}"
            for schema, table in tables
        }
        days = connection.execute(
            " union ".join(f"select cast(uuid_ts as date) as day from {n}" for n in names.values())
            + " order by day"
        ).fetchall()
        if rng.random() < 0.5:
            names = {table: names[table] for table in [rng.choice(tables)]}
        (day,) = rng.choice(days)
        return {
            table: connection.execute(
                f"delete from {name} where cast(uuid_ts as date) is not distinct from ?", [day]
            ).fetchone()[0]
            for table, name in names.items()
        }


def contents(path, schemas=SCHEMAS):
    """Return every table of the schemas with its columns and all its rows, sorted."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_schema in (select unnest(?)) order by all",
            [list(schemas)],
        ).fetchall()
        found = {}
        for schema, table in tables:
            if table.endswith(NOT_COMPARED):
                continue
            result = connection.execute(f"select * from {schema}.{table}")
            columns = [column[0] for column in result.description]
            rows = sorted(tuple(map(_text, row)) for row in result.fetchall())
            found[f"{schema}.{table}"] = (columns, rows)
        return found


def _text(value):
    """Return a value as text; a key is the same whether it is stored as 16 bytes or 32 digits."""
    return repr(value.hex if isinstance(value, UUID) else value)


def differences(one, other):
    """Say in which tables two contents differ, with the first rows that only one of them has."""
    messages = []
    for table in sorted(one.keys() | other.keys()):
        if table not in one or table not in other:
            messages.append(f"{table} is in one of them only")
            continue
        columns, rows = one[table]
        other_columns, other_rows = other[table]
        if columns != other_columns:
            messages.append(f"{table} has other columns")
        elif rows != other_rows:
            only_one = _subtract(rows, other_rows)
            only_other = _subtract(other_rows, rows)
            messages.append(
                f"{table}: {len(only_one)} rows only incrementally, {len(only_other)} only whole\n"
                + _explain(columns, only_one, only_other)
            )
    return messages


def _subtract(rows, others):
    left = list(rows)
    counts = {}
    for row in others:
        counts[row] = counts.get(row, 0) + 1
    kept = []
    for row in left:
        if counts.get(row):
            counts[row] -= 1
        else:
            kept.append(row)
    return kept


def _explain(columns, only_one, only_other):
    """Show the columns in which rows of the same key differ."""
    others = {row[0]: row for row in only_other}
    lines = []
    for row in only_one[:3]:
        match = others.get(row[0])
        if match is None:
            lines.append(f"  only incrementally: {dict(zip(columns, row, strict=True))}")
        else:
            changed = {
                name: (mine, theirs)
                for name, mine, theirs in zip(columns, row, match, strict=True)
                if mine != theirs
            }
            lines.append(f"  {columns[0]}={row[0]} incrementally/whole: {changed}")
    keys = {row[0] for row in only_one}
    lines += [
        f"  only whole: {dict(zip(columns, row, strict=True))}"
        for row in [row for row in only_other if row[0] not in keys][:2]
    ]
    return "\n".join(lines)
