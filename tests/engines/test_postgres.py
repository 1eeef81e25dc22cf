"""What only Postgres shows: whether the planner knows the tables it joins."""

import pytest

from scripts.warehouse import TARGET_SCHEMA

pytestmark = pytest.mark.timeout(600)


def test_tables_are_counted_when_built(engine, on_engine):
    """Every table has statistics before the next model reads it, not when Postgres finds time."""
    if engine.name != "postgres":
        pytest.skip(f"{engine.name} counts while it writes")
    # What another test built, of other raw schemas, cannot be added to.
    engine.drop_schemas(TARGET_SCHEMA)
    selection = "+int_models_resolved"
    run = on_engine.dbt("build", "--select", selection, "--resource-type", "seed", "model")
    assert run.succeeded, run.tail()
    # Postgres writes -1 where it has never counted.
    counted = engine.query(
        "select c.reltuples >= 0 from pg_class c join pg_namespace n on c.relnamespace = n.oid "
        f"where n.nspname = '{TARGET_SCHEMA}_working' and c.relkind = 'r'"
    )
    assert counted
    assert all(is_counted for (is_counted,) in counted)
