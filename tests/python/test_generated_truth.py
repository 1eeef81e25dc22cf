"""Facts built from generated events equal the truth written beside them, row by row.

Three data sets: clean payloads, payloads with every kind of dirt, and raw Parquet tables with every
kind of dirt. One assertion per set, table and column.
"""

from __future__ import annotations

import csv
import re

import pytest

from scripts.warehouse import PROJECT_DIR, quote_identifier
from tests.python.generated import FACTS, SETS, Built

# Money is compared to a tenth of a millionth of a dollar: prices have six, sums nine decimals.
TOLERANCE = 1e-7

# What Parquet changes is tried elsewhere as well.
OFTEN = ("clean", "dirty")
IN_SETS = [
    pytest.param(
        name,
        marks=[
            pytest.mark.xdist_group(f"generated_{name}"),
            *([] if name in OFTEN else [pytest.mark.slow]),
        ],
    )
    for name in SETS
]


def comparable(side: str, column: str, kind: str) -> str:
    """Return a column of one side as text, number or time that both sides can be compared by."""
    name = f"{side}.{quote_identifier(column)}"
    if kind.startswith("TIMESTAMP"):
        # Both kinds of timestamps, with and without zone, hold UTC.
        return f"epoch_ms(cast({name} as timestamp))"
    if kind == "DATE":
        return f"cast({name} as date)"
    if kind == "BOOLEAN":
        return f"cast({name} as boolean)"
    if kind == "VARCHAR":
        return name
    return f"cast({name} as double)"


def joined(item: Built, truth: str) -> str:
    """Return a full join of truth and fact on the columns that name a row."""
    relation, keys, _ = FACTS[truth]
    types = item.types(relation)
    same = " and ".join(
        f"{comparable('truth', key, types[key])} is not distinct from "
        f"{comparable('fact', key, types[key])}"
        for key in keys
    )
    return f"(select *, true as is_truth from truth_{truth}) as truth full join " + (
        f"(select *, true as is_fact from {relation}) as fact on {same}"
    )


@pytest.mark.parametrize("name", IN_SETS)
@pytest.mark.parametrize("truth", FACTS)
def test_every_row_of_the_truth_is_there_and_no_other(built, name, truth):
    item = built(name)
    keys = ", ".join(f"truth.{key}, fact.{key}" for key in FACTS[truth][1])
    strangers = item.connection.execute(
        f"select {keys} from {joined(item, truth)} "
        "where is_truth is null or is_fact is null limit 5"
    ).fetchall()
    assert strangers == []
    relation = FACTS[truth][0]
    counts = item.connection.execute(
        f"select (select count(*) from truth_{truth}), (select count(*) from {relation})"
    ).fetchall()
    assert counts[0][0] == counts[0][1] > 0


@pytest.mark.parametrize("name", IN_SETS)
@pytest.mark.parametrize(
    ("truth", "column"), [(truth, column) for truth in FACTS for column in FACTS[truth][2]]
)
def test_column_equals_truth(built, name, truth, column):
    item = built(name)
    relation, keys, _ = FACTS[truth]
    kind = item.types(relation)[column]
    left, right = comparable("truth", column, kind), comparable("fact", column, kind)
    different = f"{left} is distinct from {right}"
    if kind not in ("VARCHAR", "BOOLEAN", "DATE") and not kind.startswith("TIMESTAMP"):
        different = f"({different}) and coalesce(abs({left} - {right}) > {TOLERANCE}, true)"
    names = ", ".join(f"fact.{key}" for key in keys)
    wrong = item.connection.execute(
        f"select {names}, truth.{column} as truth, fact.{column} as fact "
        f"from {joined(item, truth)} where is_truth and is_fact and {different} limit 5"
    ).fetchall()
    assert wrong == []


@pytest.mark.xdist_group("generated_clean")
@pytest.mark.parametrize("truth", FACTS)
def test_every_truth_column_is_compared(built, truth):
    item = built("clean")
    with (item.folder / "truth" / f"{truth}.csv").open(newline="", encoding="utf-8") as handle:
        header = next(csv.reader(handle))
    _, keys, columns = FACTS[truth]
    assert sorted(header) == sorted((*keys, *columns))


@pytest.mark.parametrize("name", IN_SETS)
def test_quarantined_events_have_the_true_reasons(built, name):
    item = built(name)
    difference = item.connection.execute(
        """
        with counted as (
            select source_table, event_id, quarantine_reason, 1 as in_truth
            from truth_quarantined
            union all
            select source_table, event_id, quarantine_reason, -1
            from analytics_audit.audit_quarantined_events
        )
        select source_table, event_id, quarantine_reason, sum(in_truth)
        from counted
        group by all
        having sum(in_truth) != 0
        """
    ).fetchall()
    assert difference == []
    count = item.connection.execute("select count(*) from truth_quarantined").fetchall()[0][0]
    assert (count > 0) == (name != "clean")


@pytest.mark.parametrize("name", IN_SETS)
def test_no_planted_text_leaves_staging(built, name):
    """Canaries sit in every kind of sensitive property; no built table may show one."""
    item = built(name)
    canaries = (item.folder / "truth" / "canaries.txt").read_text(encoding="utf-8").split()
    assert (len(canaries) > 100) == (name != "clean")
    relations = item.connection.execute(
        """
        select table_schema, table_name, list(column_name)
        from information_schema.columns
        where table_schema like 'analytics%' and data_type = 'VARCHAR'
        group by table_schema, table_name
        """
    ).fetchall()
    assert sum(len(columns) for *_, columns in relations) > 100
    showing = []
    for schema, table, columns in relations:
        # all columns at once: a view is computed for each statement
        shown = ", ".join(
            f"count(*) filter (contains({quote_identifier(column)}, 'CANARY-'))"
            for column in columns
        )
        relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
        counts = item.connection.execute(f"select {shown} from {relation}").fetchone()
        showing += [
            f"{schema}.{table}.{column}"
            for column, count in zip(columns, counts, strict=True)
            if count
        ]
    assert showing == []


def test_statements_of_the_readme_have_an_answer(built):
    """Each question of README.md comes with a statement that runs, and most find something here."""
    text = (PROJECT_DIR / "README.md").read_text("utf-8")
    [block] = re.findall(r"(?ms)^```sql\n(.*?)^```$", text)
    setting, *statements = [part.strip() for part in block.split(";\n") if part.strip()]
    connection = built("clean").connection.cursor()
    connection.execute(setting)
    answers = [connection.execute(statement).fetchall() for statement in statements]
    assert len(answers) == 20
    assert sum(1 for rows in answers if rows) >= 18
