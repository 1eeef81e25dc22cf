"""Raw rows that are replaced, deleted or loaded again: the next build equals a full refresh.

Merge loads, corrections, replays, deletions on request and growing exports change rows that were
built already. Facts follow them, and the ledger counts what the raw tables hold.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from scripts import generate_events, prepare_events
from scripts.warehouse import AUDIT_SCHEMA, MARTS_SCHEMA, RAW_SCHEMA, connect
from tests.python.loads import contents, differences
from tests.python.warehouses import EVENT_TABLES, NOON, Warehouse, errors_of, event, story

INTEGRITY = ("test", "--select", "path:tests/integrity", "resource_type:test,int_events")
KEEPING = {"keep_purged_load_days": True}

pytestmark = [
    pytest.mark.timeout(0),
    pytest.mark.xdist_group("changed_raw_tables"),
    # of a library inside dbt
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a warehouse with ten runs, one loaded each day, built once; and a copy of its file."""
    warehouse = Warehouse(tmp_path_factory.mktemp("changed_raw_tables"))
    warehouse.fresh()
    rows = {table: [] for table in EVENT_TABLES}
    for day in range(10):
        told = story(f"d{day}-", f"c{day}", f"i{day}", f"s{day}")
        for table, events in told.items():
            rows[table] += [later(row, days=day) for row in events]
    # Day 9 repairs what was sent on day 8 without ids.
    rows["ai_user_action"].append(
        later(event("repaired", 70, interaction_id="i9", action_type="copied_response"), days=8)
    )
    for table, events in rows.items():
        warehouse.create(table, events)
    run(warehouse)
    copy = warehouse.path.with_name("built.duckdb")
    copy.write_bytes(warehouse.path.read_bytes())
    return warehouse, copy


@pytest.fixture
def warehouse(built):
    """Return the built warehouse as it was when it was built."""
    found, copy = built
    found.path.write_bytes(copy.read_bytes())
    found.path.with_name(found.path.name + ".wal").unlink(missing_ok=True)
    return found


def later(row, **time):
    """Return a raw row of some days later."""
    return {
        name: value + timedelta(**time) if hasattr(value, "tzinfo") else value
        for name, value in row.items()
    }


def run(warehouse, *arguments, variables=None):
    """Build all models."""
    result = warehouse.dbt("run", *arguments, variables=variables)
    assert result.success, errors_of(result)


def assert_follows(warehouse):
    """Build twice; fail unless that equals a full refresh and the ledger equals the raw tables."""
    before = contents(warehouse.path)
    run(warehouse)
    assert_ledger_equals_raw_tables(warehouse)
    followed = contents(warehouse.path)
    assert followed != before
    run(warehouse)
    assert differences(followed, contents(warehouse.path)) == []
    assert warehouse.query("from analytics_working.int_runs_affected") == []
    run(warehouse, "--full-refresh")
    assert differences(followed, contents(warehouse.path)) == []


def assert_ledger_equals_raw_tables(warehouse):
    """Count both, and run the data tests that say the same."""
    ledger = warehouse.query(
        "select source_table, sum(raw_rows), sum(accepted_rows + duplicate_rows + quarantined_rows)"
        f" from {AUDIT_SCHEMA}.audit_event_ledger group by all order by all"
    )
    raw = []
    for table in sorted(EVENT_TABLES):
        [(count,)] = warehouse.query(f"select count(*) from {RAW_SCHEMA}.{table}")
        raw += [(table, count, count)] if count else []
    assert ledger == raw
    result = warehouse.dbt(*INTEGRITY)
    assert result.success, errors_of(result)


NEWEST = "conversation_id = 'c9'"
OLDEST = "conversation_id = 'c0'"
# Rows of the last three days, replaced or deleted; their load time stays, or is a new one.
CHANGES = {
    "cost corrected": (
        f"update rudderstack.ai_interaction_completed set total_cost = 0.5 where {NEWEST}",
    ),
    "replayed with a new load time": (
        "update rudderstack.ai_agent_step_completed set error_message = 'disk full', "
        f"uuid_ts = uuid_ts + interval 1 hour where {NEWEST}",
    ),
    "moved to another run": (
        "update rudderstack.ai_agent_step_completed set conversation_id = 'c8', "
        f"interaction_id = 'i8', agent_session_id = 's8' where {NEWEST} and status = 'error'",
    ),
    "moved to another day": (
        'update rudderstack.ai_user_action set "timestamp" = "timestamp" - interval 2 day, '
        f"original_timestamp = original_timestamp - interval 2 day where {NEWEST}",
    ),
    "deleted on request": tuple(
        f"delete from rudderstack.{table} where {NEWEST}" for table in EVENT_TABLES
    ),
    "one delivery of two deleted, with another cost": (
        "insert into rudderstack.ai_interaction_completed by name select * replace "
        "(0.7 as total_cost, uuid_ts + interval 1 minute as uuid_ts) "
        f"from rudderstack.ai_interaction_completed where {OLDEST} or {NEWEST}",
        None,
        "delete from rudderstack.ai_interaction_completed where total_cost = 0.7",
    ),
    "answer no longer one that says it failed": (
        "update rudderstack.ai_interaction_completed set final_response_text = "
        f"'Agent stopped due to iteration limit or time limit.' where {NEWEST}",
        None,
        f"update rudderstack.ai_interaction_completed set final_response_text = 'Yes.' "
        f"where {NEWEST}",
    ),
    "newest run deleted, so that the clock goes back": (
        f"delete from rudderstack.ai_interaction_completed where {NEWEST} or "
        "conversation_id = 'c8'",
        None,
        *(f"delete from rudderstack.{table} where {NEWEST}" for table in EVENT_TABLES),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_replaced_and_deleted_rows_are_followed(name, warehouse):
    """Facts equal the raw tables, and no delivery that has gone stays in the ledger."""
    for statement in CHANGES[name]:
        if statement:
            warehouse.query(statement)
        else:
            run(warehouse)
    assert_follows(warehouse)


def test_event_that_lost_the_one_it_was_repaired_by_is_quarantined(warehouse):
    """Ids found for an event go with the events that told them."""
    where = f"from {AUDIT_SCHEMA}.audit_quarantined_events where event_id = 'repaired'"
    assert warehouse.query(f"select quarantine_reason {where}") == []
    for table in EVENT_TABLES:
        warehouse.query(f"delete from rudderstack.{table} where {NEWEST}")
    assert_follows(warehouse)
    assert warehouse.query(f"select quarantine_reason {where}") == [("missing_conversation_id",)]


def test_parent_in_another_run_loses_the_cost_of_a_child_that_has_gone(warehouse):
    """A session costs with all below it; what named it as parent names another or is deleted."""
    for child, parent in ((9, 4), (8, 4), (7, 3)):
        warehouse.query(
            "alter table rudderstack.ai_agent_session_completed "
            "add column if not exists parent_agent_session_id varchar"
        )
        warehouse.query(
            "update rudderstack.ai_agent_session_completed "
            f"set parent_agent_session_id = 's{parent}' where agent_session_id = 's{child}'"
        )
    run(warehouse)
    inclusive = (
        f"select inclusive_cost_usd / cost_usd from {MARTS_SCHEMA}.fct_agent_sessions "
        "where agent_session_id = 's4'"
    )
    assert warehouse.query(inclusive) == [(3,)]
    warehouse.query(
        "delete from rudderstack.ai_agent_session_completed where agent_session_id = 's9'"
    )
    warehouse.query(
        "update rudderstack.ai_agent_session_completed set parent_agent_session_id = 's2' "
        "where agent_session_id = 's8'"
    )
    assert_follows(warehouse)
    assert warehouse.query(inclusive) == [(1,)]


# What happens to rows that were loaded long before the window; counts per table stay equal.
OLD_CHANGES = {
    "a row deleted beside an older one that arrives": (
        "delete from rudderstack.ai_user_action where conversation_id = 'c1'",
        "insert into rudderstack.ai_user_action by name select * replace ('new' as id, "
        "uuid_ts - interval 3 day as uuid_ts) from rudderstack.ai_user_action limit 1",
    ),
    "a row exchanged for another of the same load time": (
        "insert into rudderstack.ai_agent_step_completed by name select * replace ('new' as id, "
        'received_at + interval 1 second as received_at, "timestamp" + interval 1 second as '
        "\"timestamp\") from rudderstack.ai_agent_step_completed where id = 'd2-e4'",
        "delete from rudderstack.ai_agent_step_completed where id = 'd2-e4'",
    ),
    "a load day deleted, another loaded again": (
        *(f"delete from rudderstack.{table} where {OLDEST}" for table in EVENT_TABLES),
        *(
            f"insert into rudderstack.{table} by name select * replace "
            f"(uuid_ts + interval 2 day as uuid_ts) from rudderstack.{table} "
            "where conversation_id = 'c1'"
            for table in EVENT_TABLES
        ),
    ),
}


@pytest.mark.parametrize("name", OLD_CHANGES)
def test_load_days_that_changed_are_read_again(name, warehouse):
    """Rows that came are read although as many have gone."""
    for statement in OLD_CHANGES[name]:
        warehouse.query(statement)
    assert_follows(warehouse)


def test_only_load_days_that_changed_are_read_again(warehouse):
    """One row of the first day does not make a build read the days after it."""
    warehouse.query("delete from rudderstack.ai_user_action where conversation_id = 'c0'")
    run(warehouse)
    [written] = warehouse.query(
        "select count(*), max(build_number) from analytics_intermediate.int_events "
        "where build_number > 1"
    )
    assert written == (0, None)
    statement = (
        warehouse.folder / "target/compiled/agent_analytics/models/intermediate/events"
    ) / "int_events.sql"
    text = statement.read_text("utf-8")
    assert "loaded_at >= cast('2026-03-01' as TIMESTAMP)" in text
    assert "loaded_at < cast('2026-03-02' as TIMESTAMP)" in text
    assert "'2026-03-03'" not in text


def reload_later(warehouse):
    """Truncate every raw table and load the same rows with a new load time."""
    for table in EVENT_TABLES:
        name = f"rudderstack.{table}"
        warehouse.query(f"create table kept as from {name}")
        warehouse.query(f"truncate {name}")
        moment = NOON + timedelta(days=11)
        warehouse.query(
            f"insert into {name} select * replace ('{moment}'::timestamptz as uuid_ts) from kept"
        )
        warehouse.query("drop table kept")


def reload_once_more_than_once(warehouse):
    """Load everything again twice; once without a load time."""
    reload_later(warehouse)
    run(warehouse)
    for table in EVENT_TABLES:
        warehouse.query(f"update rudderstack.{table} set uuid_ts = null")


def empty_one_table(warehouse):
    """Truncate a raw table that is not loaded again."""
    warehouse.query("truncate rudderstack.ai_agent_step_completed")


@pytest.mark.parametrize("change", [reload_later, reload_once_more_than_once, empty_one_table])
def test_raw_table_that_was_truncated_is_followed(change, warehouse):
    """Rows count once, under the load time that they have now."""
    change(warehouse)
    assert_follows(warehouse)


def test_purged_load_days_stay_where_that_is_asked_for(warehouse):
    """With the setting, days of loading without a raw row keep what was built from them."""
    before = contents(warehouse.path)
    for table in EVENT_TABLES:
        warehouse.query(
            f"delete from rudderstack.{table} where uuid_ts < '2026-03-05' "
            "or cast(uuid_ts as date) = '2026-03-09'"
        )
    for _ in range(2):
        run(warehouse, variables=KEEPING)
        after = contents(warehouse.path)
        assert differences(before, after) == []
    # what is left on other days is followed all the same
    warehouse.query(f"delete from rudderstack.ai_user_action where {NEWEST}")
    warehouse.query("delete from rudderstack.ai_agent_step_completed where id = 'd6-e4'")
    run(warehouse, variables=KEEPING)
    assert warehouse.counts()["fct_user_actions"] == 11
    assert warehouse.counts()["fct_agent_steps"] == 29
    result = warehouse.dbt(*INTEGRITY, variables=KEEPING)
    assert result.success, errors_of(result)
    assert_follows(warehouse)
    assert warehouse.counts()["fct_agent_runs"] == 5


@pytest.mark.parametrize(
    "seed", [3, pytest.param(8, marks=pytest.mark.slow), pytest.param(21, marks=pytest.mark.slow)]
)
def test_growing_export_loaded_again_each_day_is_green(seed, tmp_path, monkeypatch):
    """The commands of `make build EVENTS="exports/*"` on three days, every data test included."""
    warehouse = Warehouse(tmp_path / "warehouse")
    warehouse.folder.mkdir()
    monkeypatch.setenv("AGENT_ANALYTICS_DUCKDB_PATH", str(warehouse.path))
    arguments = ["--runs", "30", "--days", "30", "--seed", str(seed), "--dirt-all"]
    assert generate_events.main(["--out", str(tmp_path / "all"), *arguments]) == 0
    lines = (tmp_path / "all" / "events.ndjson").read_text("utf-8").splitlines(keepends=True)
    lines.sort(key=lambda line: json.loads(line).get("receivedAt") or "")
    exports = tmp_path / "exports"
    exports.mkdir()
    for day in (1, 2, 3):
        part = lines[: len(lines) * day // 3]
        (exports / "events.ndjson").write_text("".join(part), "utf-8")
        assert prepare_events.main([str(exports / "events.ndjson")]) == 0
        # the loader takes the time of day; the days between are what matters here
        with connect(warehouse.path) as connection:
            for (table,) in connection.execute(
                "select table_name from information_schema.columns "
                "where table_schema = 'rudderstack' and column_name = 'uuid_ts'"
            ).fetchall():
                connection.execute(
                    f"update rudderstack.{table} set uuid_ts = uuid_ts + to_days({5 * day} - 60) "
                    f"where uuid_ts > now() - interval 20 day"
                )
        result = warehouse.dbt("build", "--exclude-resource-type", "unit_test")
        assert result.success, errors_of(result)
    incremental = contents(warehouse.path)
    run(warehouse, "--full-refresh")
    assert differences(incremental, contents(warehouse.path)) == []
