"""Raw rows that are replaced, deleted or loaded again: the next build equals a full refresh.

Merge loads, corrections, replays, deletions on request and growing exports change rows that were
built already, and events that arrive late change what was said of other runs. Facts follow them,
and the ledger counts what the raw tables hold. A build takes its time for the number of models, so
all changes share a warehouse, each with runs of its own.
"""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest

from scripts import generate_events, prepare_events
from scripts.warehouse import AUDIT_SCHEMA, MARTS_SCHEMA, RAW_SCHEMA, connect
from tests.python.loads import contents, differences
from tests.python.warehouses import EVENT_TABLES, NOON, Warehouse, at, errors_of, event, story

INTEGRITY = ("test", "--select", "path:tests/integrity", "int_events", "int_rows_staged_daily")
KEEPING = {"keep_purged_load_days": True}
# Days after the first load: builds compare contents in the last days, and count before them.
RECENT, OLD = 9, 1

pytestmark = [
    pytest.mark.timeout(0),
    pytest.mark.xdist_group("changed_raw_tables"),
    # of a library inside dbt
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),
]


@dataclass(frozen=True)
class Change:
    """What happens to the raw rows of a run, before the second build and before the third.

    `{run}` in a statement is a condition on its rows. `query` asks the marts; `before`, `between`
    and `after` are its answers after the three builds, `between` is None where it is one of the
    others. `affected` says for which reasons the second build replaces how many runs.
    """

    day: int
    query: str
    before: list
    after: list
    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    between: list | None = None
    affected: dict | None = None


def again(table, event, minutes, **changes):
    """Return SQL that adds a raw row once more, later and with some columns changed."""
    replaced = [f"'{value}' as {column}" for column, value in changes.items()]
    replaced += [
        f'"{column}" + interval {minutes} minute as "{column}"'
        for column in ("timestamp", "original_timestamp", "sent_at", "received_at", "uuid_ts")
    ]
    return (
        f"insert into rudderstack.{table} by name select * replace ({', '.join(replaced)}) "
        f"from rudderstack.{table} where id = '{event}'"
    )


def of_all_tables(statement):
    """Return a statement once for every raw table, which it names as `{table}`."""
    return tuple(statement.replace("{table}", f"rudderstack.{table}") for table in EVENT_TABLES)


COST = "select cost_usd from {marts}.fct_agent_runs where {run}"
ACTIONS = "select action_id from {marts}.fct_user_actions where {run} order by all"
STEPS = "select step_id from {marts}.fct_agent_steps where {run} order by all"
RUNS = "select count(*) from {marts}.fct_agent_runs where {run}"
INCLUSIVE = (
    "select cast(inclusive_cost_usd / cost_usd as integer) from {marts}.fct_agent_sessions "
    "where {run}"
)
COMPLETED = "rudderstack.ai_interaction_completed"
CHANGES = {
    # rows of the last days, replaced or deleted
    "corrected": Change(
        RECENT,
        COST,
        [(Decimal("0.02"),)],
        [(Decimal("0.5"),)],
        (f"update {COMPLETED} set total_cost = 0.5 where {{run}}",),
    ),
    "replayed": Change(
        RECENT,
        "select failed_step_count from {marts}.fct_agent_runs where {run}",
        [(1,)],
        [(0,)],
        (
            "update rudderstack.ai_agent_step_completed set status = 'success', error_message = "
            "null, http_status = null, tool_output_error = null, tool_output_failed = null, "
            "tool_output_ok = true, uuid_ts = uuid_ts + interval 1 hour where {run}",
        ),
    ),
    "moved": Change(
        RECENT,
        STEPS,
        [("moved-e3",), ("moved-e4",), ("moved-e5",)],
        [("moved-e3",), ("moved-e4",)],
        (
            "update rudderstack.ai_agent_step_completed set conversation_id = 'taker', "
            "interaction_id = 'taker', agent_session_id = 'taker' where id = 'moved-e5'",
        ),
    ),
    "taker": Change(RECENT, f"select count(*) from ({STEPS})", [(3,)], [(4,)]),
    "moved_day": Change(
        RECENT,
        "select action_date from {marts}.fct_user_actions where {run}",
        [(date(2026, 3, 10),)],
        [(date(2026, 3, 8),)],
        (
            'update rudderstack.ai_user_action set "timestamp" = "timestamp" - interval 2 day '
            "where {run}",
        ),
    ),
    "deleted": Change(
        RECENT, RUNS, [(1,)], [(0,)], of_all_tables("delete from {table} where {run}")
    ),
    "delivered_twice": Change(
        RECENT,
        COST,
        [(Decimal("0.02"),)],
        [(Decimal("0.02"),)],
        (
            f"insert into {COMPLETED} by name select * replace (0.7 as total_cost, "
            f"uuid_ts + interval 1 minute as uuid_ts) from {COMPLETED} where {{run}}",
        ),
        (f"delete from {COMPLETED} where {{run}} and total_cost = 0.7",),
        between=[(Decimal("0.7"),)],
    ),
    "answered": Change(
        RECENT,
        "select count(*) from analytics_intermediate.int_response_texts_classified "
        "where event_id = 'answered-e8'",
        [(1,)],
        [(0,)],
        (f"update {COMPLETED} set final_response_text = 'Tomorrow.' where {{run}}",),
    ),
    # deleted with the events that told the ids of another
    "told": Change(
        RECENT,
        f"select quarantine_reason from {AUDIT_SCHEMA}.audit_quarantined_events "
        "where event_id = 'repaired'",
        [],
        [("missing_conversation_id",)],
        of_all_tables("delete from {table} where {run}"),
    ),
    # a session costs with all below it, in other runs too
    "parent": Change(RECENT, INCLUSIVE, [(3,)], [(1,)]),
    "child": Change(
        RECENT,
        RUNS,
        [(1,)],
        [(1,)],
        ("delete from rudderstack.ai_agent_session_completed where {run}",),
    ),
    "other_child": Change(
        RECENT,
        RUNS,
        [(1,)],
        [(1,)],
        (
            "update rudderstack.ai_agent_session_completed set parent_agent_session_id = 'taker' "
            "where {run}",
        ),
    ),
    # a run is abandoned when the newest event is an hour later, and no more when that has gone
    "unfinished": Change(
        RECENT,
        "select run_status from {marts}.fct_agent_runs where {run}",
        [("abandoned",)],
        [("in_progress",)],
    ),
    "newest": Change(
        RECENT, RUNS, [(1,)], [(0,)], (), of_all_tables("delete from {table} where {run}")
    ),
    # and abandoned when events of others show that time has passed
    "waiting": Change(
        RECENT,
        "select run_status from {marts}.fct_agent_runs where {run} order by started_at",
        [("in_progress",)],
        [],
        (
            again(
                "ai_user_prompt_created",
                "waiting-e1",
                120,
                id="waiting-later",
                interaction_id="later",
            ),
        ),
        of_all_tables("delete from {table} where {run}"),
        between=[("abandoned",), ("in_progress",)],
        affected={"event": 1, "status": 1},
    ),
    # a failure is friction where the user left after it, and not once a run follows
    "failed": Change(
        RECENT - 1,
        "select friction_count from {marts}.fct_agent_runs where {run} order by started_at",
        [(1,)],
        [(1,)],
        tuple(
            again(
                "ai_user_prompt_created",
                "failed-e1",
                minutes,
                id=f"failed-{name}",
                interaction_id=name,
                prompt_text=name,
            )
            for minutes, name in ((20, "second"), (40, "third"))
        ),
        ("delete from rudderstack.ai_user_prompt_created where {run} and id != 'failed-e1'",),
        between=[(0,), (0,), (0,)],
        affected={"event": 2, "conversation": 1},
    ),
    # the one open session hands over; a second one that arrives later leaves nobody to name
    "above": Change(
        RECENT,
        "select is_inferred, is_cross_run from {marts}.fct_agent_handoffs where {run}",
        [(True, True)],
        [],
        (
            again(
                "ai_agent_session_completed",
                "above-e6",
                1,
                id="above-beside",
                agent_session_id="beside",
                duration_ms=120000,
            ),
        ),
    ),
    # rows that were loaded long before; the number of rows per table stays what it was
    "older_arrives": Change(
        OLD,
        ACTIONS,
        [("older_arrives-e9",)],
        [("older",)],
        (
            "insert into rudderstack.ai_user_action by name select * replace ('older' as id, "
            "uuid_ts - interval 5 day as uuid_ts) from rudderstack.ai_user_action where {run}",
            "delete from rudderstack.ai_user_action where id = 'older_arrives-e9'",
        ),
    ),
    "exchanged": Change(
        OLD,
        STEPS,
        [("exchanged-e3",), ("exchanged-e4",), ("exchanged-e5",)],
        [("exchanged-e3",), ("exchanged-e5",), ("new",)],
        (
            "insert into rudderstack.ai_agent_step_completed by name select * replace ('new' as "
            "id, received_at + interval 1 second as received_at) "
            "from rudderstack.ai_agent_step_completed where id = 'exchanged-e4'",
            "delete from rudderstack.ai_agent_step_completed where id = 'exchanged-e4'",
        ),
    ),
    "day_deleted": Change(
        OLD + 2, RUNS, [(1,)], [(0,)], of_all_tables("delete from {table} where {run}")
    ),
    "day_loaded_again": Change(
        OLD + 4,
        f"select count(*) from ({STEPS})",
        [(3,)],
        [(3,)],
        of_all_tables(
            "insert into {table} by name select * replace (uuid_ts + interval 1 day as uuid_ts) "
            "from {table} where {run}"
        ),
        of_all_tables(
            "delete from {table} where {run} and cast(uuid_ts as date) = date '2026-03-06'"
        ),
    ),
}


def family(rng, name):
    """Return sessions that name one another across runs, and before which build each is loaded.

    Ids repeat, so that a parent is found, becomes one of two, moves into the run of its child.
    """
    for number in range(rng.randint(3, 6)):
        own = f"s{rng.randint(1, 4)}"
        above = rng.choice([None, *(f"s{n}" for n in range(1, 5))])
        sent = event(
            f"{name}-{number}",
            number,
            conversation_id=f"{name}-c{rng.randint(1, 2)}",
            interaction_id=f"i{rng.randint(1, 3)}",
            # the same ids in other families would make every parent one of many
            agent_session_id=f"{name}-{own}",
            parent_agent_session_id=above and f"{name}-{above}",
            agent_name="agent",
            status="success",
            cost=round(rng.uniform(0.01, 1), 2),
        )
        # the day before: on the last one the clock has all of them built again
        yield rng.randint(0, 2), later(sent, days=RECENT - 1)


def families():
    """Return, for each of three builds, the sessions of families that are loaded before it."""
    rng = random.Random(14)
    loads = ([], [], [])
    for number in range(150):
        for place, row in family(rng, f"f{number}"):
            loads[place].append(row)
    return loads


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


def load_stories(warehouse):
    """Load the runs of each change, and an event that lacks an id which one of them tells."""
    rows = {table: [] for table in EVENT_TABLES}
    for name, change in CHANGES.items():
        told = story(f"{name}-", name, name, name)
        if name in ("child", "other_child"):
            told["ai_agent_session_completed"][0]["parent_agent_session_id"] = "parent"
        if name == "answered":
            answer = "Agent stopped due to iteration limit or time limit."
            told["ai_interaction_completed"][0]["final_response_text"] = answer
        if name in ("unfinished", "waiting"):
            del told["ai_interaction_completed"]
        if name == "failed":
            del told["ai_user_action"]
            told["ai_interaction_completed"][0]["status"] = "error"
        if name == "above":
            below = story(f"{name}-below-", name, "below", "below")
            # while the session of the run above is open
            below["ai_agent_session_started"][0] |= {"timestamp": at(3)}
            for table, events in below.items():
                told[table] += [{**row, "parent_interaction_id": name} for row in events]
        hours = 2 if name in ("newest", "waiting") else 0
        for table, events in told.items():
            rows[table] += [later(row, days=change.day, hours=hours) for row in events]
    action = event("repaired", 70, interaction_id="told", action_type="copied_response")
    rows["ai_user_action"].append(later(action, days=RECENT - 1))
    rows["ai_agent_session_completed"] += families()[0]
    for table, events in rows.items():
        warehouse.create(table, events)


def answers(warehouse):
    """Return what the query of every change answers."""
    return {
        name: warehouse.query(
            change.query.format(marts=MARTS_SCHEMA, run=f"conversation_id = '{name}'")
        )
        for name, change in CHANGES.items()
    }


def load_families(warehouse, place):
    """Load what arrives of the families before one of the builds, the first being 0."""
    rows = families()[place]
    columns = ", ".join(f'"{column}"' for column in rows[0])
    with connect(warehouse.path) as connection:
        connection.executemany(
            f"insert into rudderstack.ai_agent_session_completed ({columns}) "
            f"values ({', '.join('?' * len(rows[0]))})",
            [list(row.values()) for row in rows],
        )


def reasons(warehouse):
    """Return, for every change, how many of its runs the last build replaced, by reason."""
    found = {name: {} for name in CHANGES}
    for name, reason, count in warehouse.query(
        "select conversation_id, affected_because, count(*) "
        "from analytics_working.int_runs_affected "
        f"inner join {MARTS_SCHEMA}.fct_agent_runs using (run_key) group by all"
    ):
        found.setdefault(name, {})[reason] = count
    return found


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


def assert_equals_full_refresh(warehouse):
    """Compare what is there with what a full refresh makes of the same raw tables."""
    incremental = contents(warehouse.path)
    run(warehouse, "--full-refresh")
    assert differences(incremental, contents(warehouse.path)) == []


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """Return a warehouse built before, between and after all changes, the answers, and reasons."""
    warehouse = Warehouse(tmp_path_factory.mktemp("changed_raw_tables"))
    warehouse.fresh()
    load_stories(warehouse)
    run(warehouse)
    answered = [answers(warehouse)]
    for place, stage in enumerate(("first", "second"), start=1):
        for name, change in CHANGES.items():
            for statement in getattr(change, stage):
                warehouse.query(statement.format(run=f"conversation_id = '{name}'"))
        load_families(warehouse, place)
        run(warehouse)
        answered.append(answers(warehouse))
        if stage == "first":
            replaced = reasons(warehouse)
            between = warehouse.folder / "between.duckdb"
            shutil.copyfile(warehouse.path, between)
            # what the second changes take back has to be right here, too
            assert_equals_full_refresh(warehouse)
            shutil.copyfile(between, warehouse.path)
    return warehouse, answered, replaced


@pytest.mark.parametrize("name", CHANGES)
def test_changed_rows_are_followed(name, changed):
    """What the marts say of a run is what its raw rows say now."""
    _, (before, between, after), _ = changed
    change = CHANGES[name]
    assert (before[name], after[name]) == (change.before, change.after)
    assert between[name] in (change.before, change.after, change.between)
    assert change.between in (None, between[name])


@pytest.mark.parametrize("name", [name for name in CHANGES if CHANGES[name].affected])
def test_runs_are_replaced_for_what_others_did(name, changed):
    """A run is built again for its own events, for the time that passed, for what follows it."""
    _, _, replaced = changed
    assert replaced[name] == CHANGES[name].affected


def test_parents_in_other_runs_are_found(changed):
    """Sessions above one another in several runs are there, whatever of them arrived first."""
    warehouse, *_ = changed
    [(crossing,)] = warehouse.query(
        f"select count(*) from {MARTS_SCHEMA}.fct_agent_sessions as children "
        f"inner join {MARTS_SCHEMA}.fct_agent_sessions as parents "
        "on children.parent_agent_session_key = parents.agent_session_key "
        "where children.run_key != parents.run_key and children.conversation_id like 'f%-c%'"
    )
    assert crossing > 20


def test_all_changes_together_equal_a_full_refresh(changed):
    """No delivery that has gone stays in the ledger, and no row that was made of it in a mart."""
    warehouse, *_ = changed
    assert_ledger_equals_raw_tables(warehouse)
    assert_equals_full_refresh(warehouse)


def test_only_load_days_that_changed_are_read_again(changed):
    """A row that goes on one day before the window lets the build read that day and the window."""
    warehouse, *_ = changed
    # one of two actions on that day
    warehouse.query("delete from rudderstack.ai_user_action where id = 'exchanged-e9'")
    run(warehouse)
    compiled = warehouse.folder / "target/compiled/agent_analytics/models/intermediate/events"
    [line] = {
        line.strip()
        for line in (compiled / "int_events.sql").read_text("utf-8").splitlines()
        if "from (select * from" in line and "source_table = 'ai_user_action'" in line
    }
    days = [day for day in (f"2026-03-{number:02}" for number in range(1, 32)) if day in line]
    assert days == ["2026-03-02", "2026-03-03", "2026-03-07"]
    assert_ledger_equals_raw_tables(warehouse)


@pytest.mark.slow
def test_truncated_and_loaded_again_rows_count_once(changed):
    """The same rows come with a new load time, those of one table without any."""
    warehouse, *_ = changed
    for number, table in enumerate(EVENT_TABLES):
        moment = f"timestamptz '{NOON + timedelta(days=11)}'" if number else "null"
        warehouse.query(
            f"create or replace table rudderstack.{table} as "
            f"select * replace (cast({moment} as timestamptz) as uuid_ts) from rudderstack.{table}"
        )
    run(warehouse)
    assert_ledger_equals_raw_tables(warehouse)
    assert_equals_full_refresh(warehouse)


@pytest.mark.slow
def test_purged_load_days_stay_where_that_is_asked_for(tmp_path):
    """With the setting, days of loading without a raw row keep what was built from them."""
    warehouse = Warehouse(tmp_path)
    warehouse.fresh()
    load_stories(warehouse)
    run(warehouse)
    before = contents(warehouse.path)
    for table in EVENT_TABLES:
        # one of them before the window, one in it
        warehouse.query(
            f"delete from rudderstack.{table} where uuid_ts < '2026-03-05' "
            "or cast(uuid_ts as date) = '2026-03-09'"
        )
    for _ in range(2):
        run(warehouse, variables=KEEPING)
        assert differences(before, contents(warehouse.path)) == []
    # what is left on other days is followed all the same
    warehouse.query("delete from rudderstack.ai_user_action where conversation_id = 'told'")
    warehouse.query("delete from rudderstack.ai_user_action where conversation_id = 'parent'")
    run(warehouse, variables=KEEPING)
    actions = len(before[f"{MARTS_SCHEMA}.fct_user_actions"][1])
    assert warehouse.counts()["fct_user_actions"] == actions - 2
    result = warehouse.dbt(*INTEGRITY, variables=KEEPING)
    assert result.success, errors_of(result)
    # and without the setting they go
    run(warehouse)
    assert_ledger_equals_raw_tables(warehouse)
    assert_equals_full_refresh(warehouse)


# CI has rows that are loaded again among its splits.
@pytest.mark.slow
@pytest.mark.parametrize(("seed", "days"), [(3, 2), (3, 3), (8, 3), (21, 3)])
def test_growing_export_loaded_again_each_day_is_green(seed, days, tmp_path, monkeypatch):
    """`make build EVENTS="exports/*"` loads every row again, with the time of the load."""
    warehouse = Warehouse(tmp_path / "warehouse")
    warehouse.folder.mkdir()
    monkeypatch.setenv("AGENT_ANALYTICS_DUCKDB_PATH", str(warehouse.path))
    warehouse.fresh()
    arguments = ["--runs", "30", "--days", "30", "--seed", str(seed), "--dirt-all"]
    assert generate_events.main(["--out", str(tmp_path / "all"), *arguments]) == 0
    lines = (tmp_path / "all" / "events.ndjson").read_text("utf-8").splitlines(keepends=True)
    lines.sort(key=lambda line: json.loads(line).get("receivedAt") or "")
    export = tmp_path / "export.ndjson"
    for day in range(1, days + 1):
        export.write_text("".join(lines[: len(lines) * day // days]), "utf-8")
        assert prepare_events.main([str(export)]) == 0
        let_days_pass(warehouse, 30 - 10 * day)
        run(warehouse)
        assert_ledger_equals_raw_tables(warehouse)
    assert_equals_full_refresh(warehouse)


def let_days_pass(warehouse, days):
    """Let what was loaded just now be loaded so many days ago: the loader takes today's time."""
    with connect(warehouse.path) as connection:
        for (table,) in connection.execute(
            "select table_name from information_schema.columns "
            f"where table_schema = '{RAW_SCHEMA}' and column_name = 'uuid_ts'"
        ).fetchall():
            connection.execute(
                f"update {RAW_SCHEMA}.{table} set uuid_ts = uuid_ts - to_days({days}) "
                "where uuid_ts > now() - interval 1 hour"
            )
