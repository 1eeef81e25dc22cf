"""The comparison of engines finds what differs, and only that."""

from decimal import Decimal

import duckdb
import pytest

from scripts.ci.engines.compare import compare_exports, real_differences, type_family

TABLE = """
    select
        n || '-key' as thing_key,
        'text ' || n as name,
        n as amount,
        cast(n / 7.0 as double) as share,
        cast(n * 1.000000001 as decimal(28, 9)) as cost_usd,
        n % 2 = 0 as is_even,
        date '2026-01-01' + cast(n as integer) as day,
        timestamp '2026-01-01 00:00:00.123456' + to_seconds(n) as happened_at,
        case when n % 3 = 0 then n end as maybe
    from range(1, 11) as numbers(n)
"""


@pytest.fixture
def differences(tmp_path):
    """Return a function: what is found when the engine's table is `query` over the original."""
    warehouse = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema marts")
        connection.execute(f"create table marts.things as {TABLE}")

    def compare(query="from things", table=TABLE, **options):
        with duckdb.connect() as connection:
            connection.execute(f"create table things as {table}")
            parquet = tmp_path / "things.parquet"
            connection.execute(f"copy ({query}) to '{parquet}' (format parquet)")
        exports = {("marts", "things"): parquet}
        return compare_exports(warehouse, exports, ["marts"], **options)

    return compare


def replaced(column, expression):
    """Return the query of the same rows with another value of `column` in the third."""
    is_third = "thing_key = '3-key'"
    value = f"case when {is_third} then {expression} else {column} end"
    return f"select * replace ({value} as {column}) from things"


def found(differences):
    return [(item.column, item.problem, item.rows) for item in differences]


def test_equal_tables_do_not_differ(differences):
    assert differences() == []


def test_order_of_rows_does_not_matter(differences):
    assert differences("from things order by name desc") == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "'text 3 '"),
        ("name", "null"),
        ("amount", "4"),
        ("share", "0.43"),
        ("share", "null"),
        ("share", "share * (1 + 2e-9)"),
        ("share", "'nan'::double"),
        ("share", "'-infinity'::double"),
        ("cost_usd", "cost_usd + 0.000000002"),
        ("cost_usd", "null"),
        ("is_even", "not is_even"),
        ("is_even", "null"),
        ("day", "day + 1"),
        ("happened_at", "happened_at + interval 1 microsecond"),
        ("maybe", "null"),
        ("maybe", "0"),
    ],
)
def test_changed_value_is_found(differences, column, value):
    result = real_differences(differences(replaced(column, value)))
    assert found(result) == [(column, "rows differ", 1)]
    assert result[0].examples[0].startswith("thing_key 3-key: DuckDB ")


KEYS_OF_16_BYTES = TABLE.replace("n || '-key' as", "cast(md5(n || '-key') as uuid) as")
KEYS_AS_TEXT = "select * replace (replace(cast(thing_key as varchar), '-', '') as thing_key)"


@pytest.mark.parametrize("query", ["from things", f"{KEYS_AS_TEXT} from things"])
def test_key_is_the_same_as_16_bytes_and_as_text(tmp_path, query):
    """Joined by it and compared as a value, whatever type it has."""
    warehouse, parquet = tmp_path / "warehouse.duckdb", tmp_path / "things.parquet"
    table = f"select *, thing_key as other_key from ({KEYS_OF_16_BYTES})"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema marts")
        connection.execute(f"create table marts.things as {table}")
    changed = "case when amount = 3 then cast(md5('x') as uuid) else other_key end as other_key"
    for engine, expected in (
        (table, []),
        (f"select * replace ({changed}) from ({table})", [("other_key", "rows differ", 1)]),
        (f"{table} limit 9", [(None, "rows missing on the engine", 1)]),
    ):
        with duckdb.connect() as connection:
            connection.execute(f"create table things as {engine}")
            connection.execute(f"copy ({query}) to '{parquet}' (format parquet)")
        assert found(compare_exports(warehouse, {("marts", "things"): parquet}, ["marts"])) == (
            expected
        )


def test_three_examples_are_enough(differences):
    result = differences("select * replace (amount + 1 as amount) from things")
    assert found(result) == [("amount", "rows differ", 10)]
    assert len(result[0].examples) == 3


def test_double_within_tolerance_is_equal(differences):
    assert differences(replaced("share", "share * (1 + 5e-10)")) == []


def test_last_decimal_is_told_apart(differences):
    result = differences(replaced("cost_usd", "cost_usd - 0.000000001"))
    assert found(result) == [("cost_usd", "differs in the last decimal", 1)]
    assert real_differences(result) == []


def test_last_decimal_counts_without_tolerance(differences):
    query = replaced("cost_usd", "cost_usd - 0.000000001")
    result = differences(query, decimal_tolerance=Decimal(0))
    assert found(real_differences(result)) == [("cost_usd", "rows differ", 1)]


def test_digits_of_a_wider_decimal_are_not_rounded_away(differences):
    query = "select * replace (cast(cost_usd as decimal(28, 12)) + 0.0000000001 as cost_usd)"
    result = differences(f"{query} from things", decimal_tolerance=Decimal(0))
    assert found(result) == [("cost_usd", "rows differ", 10)]


def test_missing_row_is_found(differences):
    result = differences("from things where amount != 3")
    assert found(result) == [(None, "rows missing on the engine", 1)]
    assert result[0].examples == ("3-key",)


def test_extra_row_is_found(differences):
    extra = "from things union all select * replace ('new' as thing_key) from things where amount=1"
    assert found(differences(extra)) == [(None, "rows on the engine only", 1)]


def test_empty_table_lacks_all_rows(differences):
    assert found(differences("from things limit 0")) == [(None, "rows missing on the engine", 10)]


def test_repeated_key_is_found(differences):
    result = differences("from things union all from things where amount = 1")
    assert found(result) == [(None, "keys repeated or null on the engine", 1)]


def test_missing_column_is_found(differences):
    result = differences("select * exclude (day) from things")
    assert found(result) == [(None, "the engine lacks columns", 1)]
    assert result[0].examples == ("day",)


def test_extra_column_is_found(differences):
    result = differences("select *, 1 as another from things")
    assert found(result) == [(None, "DuckDB lacks columns", 1)]


def test_order_of_columns_is_compared(differences):
    result = differences("select * exclude (day), day from things")
    assert found(result) == [(None, "another order of columns", 3)]


def test_another_type_is_found(differences):
    result = differences("select * replace (cast(amount as varchar) as amount) from things")
    assert found(result) == [("amount", "type BIGINT on DuckDB, VARCHAR on the engine", 1)]


def test_width_of_integers_and_zone_of_times_do_not_matter(differences):
    query = """
        select * replace (
            cast(amount as integer) as amount,
            happened_at at time zone 'UTC' as happened_at
        )
        from things
    """
    assert differences(query) == []


def test_folder_of_files_is_one_table(differences, tmp_path):
    assert differences() == []
    folder = tmp_path / "folder"
    folder.mkdir()
    with duckdb.connect() as connection:
        for remainder in (0, 1):
            connection.execute(
                f"copy (from '{tmp_path}/things.parquet' where amount % 2 = {remainder})"
                f" to '{folder}/part-{remainder}.parquet' (format parquet)"
            )
    exports = {("marts", "things"): folder}
    assert compare_exports(tmp_path / "warehouse.duckdb", exports, ["marts"]) == []


def test_missing_and_extra_tables_are_found(differences, tmp_path):
    assert differences() == []
    exports = {("marts", "others"): tmp_path / "things.parquet"}
    result = compare_exports(tmp_path / "warehouse.duckdb", exports, ["marts"])
    assert [(item.table, item.problem) for item in result] == [
        ("marts.things", "the engine has no such table"),
        ("marts.others", "DuckDB has no such table"),
    ]


def test_export_without_files_is_found(differences, tmp_path):
    assert differences() == []
    empty = tmp_path / "empty"
    empty.mkdir()
    exports = {("marts", "things"): empty}
    result = compare_exports(tmp_path / "warehouse.duckdb", exports, ["marts"])
    assert [item.problem[:16] for item in result] == ["no exported rows"]


def test_table_without_key_is_a_bag_of_rows(tmp_path):
    warehouse, parquet = tmp_path / "warehouse.duckdb", tmp_path / "bag.parquet"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.bag as select unnest([1, 1, 2]) as n, 'x' as t")

    def compare(values):
        with duckdb.connect() as connection:
            connection.execute(
                f"copy (select unnest({values}) as n, 'x' as t) to '{parquet}' (format parquet)"
            )
        return found(compare_exports(warehouse, {("marts", "bag"): parquet}, ["marts"]))

    assert compare([2, 1, 1]) == []
    assert compare([1, 2, 2]) == [
        (None, "rows missing on the engine", 1),
        (None, "rows on the engine only", 1),
    ]


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("DECIMAL(28,9)", "decimal"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp"),
        ("VARCHAR[]", "VARCHAR[]"),
        ("BLOB", "BLOB"),
    ],
)
def test_families_of_types(kind, family):
    assert type_family(kind) == family
