"""A role for readers: by the statements of docs/bi_tools.md it reads what builds make, no more."""

import re

import psycopg2
import pytest

from scripts.ci.engines.raw_tables import copy_raw_tables
from scripts.warehouse import MARTS_SCHEMA, PROJECT_DIR, RAW_SCHEMA, quote_literal
from tests.engines.test_engine import WITHOUT_TESTS, clear
from tests.python.warehouses import Warehouse, story

PASSWORD = "only for this test"


def grants():
    """Return the statements of the documentation."""
    text = (PROJECT_DIR / "docs/bi_tools.md").read_text("utf-8")
    [block] = re.findall(r"(?ms)^```sql\n(.*?)^```$", text)
    return block


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_reader_reads_what_later_builds_make_and_nothing_else(
    engine, on_engine, tmp_path, report
):
    if engine.name != "postgres":
        pytest.skip("the statements are those of Postgres")
    clear(engine)
    warehouse = Warehouse(tmp_path)
    for table, rows in story().items():
        warehouse.create(table, rows)
    copy_raw_tables(warehouse.path, RAW_SCHEMA, engine, report)
    selected = ("--select", "+fct_user_actions", "+audit_unread_columns")
    command = ("build", "--full-refresh", *selected, *WITHOUT_TESTS)
    run = on_engine.dbt(*command)
    assert run.succeeded, run.tail()
    server = engine.environment()
    address = {
        "host": server["AGENT_ANALYTICS_POSTGRES_HOST"],
        "port": server["AGENT_ANALYTICS_POSTGRES_PORT"],
        "dbname": server["AGENT_ANALYTICS_POSTGRES_DATABASE"],
    }
    engine.execute(f"create role analytics_reader login password {quote_literal(PASSWORD)}")
    try:
        user = server["AGENT_ANALYTICS_POSTGRES_USER"]
        password = server["AGENT_ANALYTICS_POSTGRES_PASSWORD"]
        with psycopg2.connect(**address, user=user, password=password) as builder:
            builder.cursor().execute(grants())
        builder.close()
        # tables are made anew
        run = on_engine.dbt(*command)
        assert run.succeeded, run.tail()
        reader = psycopg2.connect(**address, user="analytics_reader", password=PASSWORD)
        reader.autocommit = True
        cursor = reader.cursor()
        for table in (f"{MARTS_SCHEMA}.fct_user_actions", "analytics_audit.audit_unread_columns"):
            cursor.execute(f"select count(*) from {table}")
            assert cursor.fetchone()[0] >= (table.endswith("fct_user_actions"))
        for statement in (
            f"delete from {MARTS_SCHEMA}.fct_user_actions",
            f"create table {MARTS_SCHEMA}.mine (one int)",
            "select * from analytics_intermediate.int_events",
            "select * from analytics_secrets.hash_salt",
            f"select * from {RAW_SCHEMA}.ai_user_action",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
        reader.close()
    finally:
        engine.execute("drop owned by analytics_reader")
        engine.execute("drop role analytics_reader")
        clear(engine)
