"""Builds in several steps equal one build of everything, row for row.

The events of one dirty data set arrive in a random number of loads, in any order, some tables one
load behind the others. Between the loads rows are replaced in place and load days deleted, and dbt
runs as people run it: all models, one, a folder, what depends on one, a retry of what broke off, or
not at all. After the last load and one more build every table of marts and audit equals a full
refresh. Several splits of the events, told apart by a prefix of their ids, arrive beside each
other: a build takes its time for the number of models, not of rows.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pytest

from scripts import generate_events, load_events
from scripts.warehouse import PROJECT_DIR, quote_literal
from tests.python.commands import (
    Command,
    draw_commands,
    give,
    read_project,
    seed_columns,
)
from tests.python.loads import (
    Arrivals,
    contents,
    delete_load_day,
    differences,
    load,
    replace_rows,
)
from tests.python.warehouses import Warehouse, errors_of, story

# Splits that are tried; so many in CI, which is one round.
IN_CI = 6
EXAMPLES = int(os.environ.get("AGENT_ANALYTICS_EXAMPLES", IN_CI))
# So many of them at a time.
TOGETHER = 13 if EXAMPLES > IN_CI else IN_CI
# The most loads of a split; in CI each costs half a minute.
MOST_LOADS = 8 if EXAMPLES > IN_CI else 3
# Decides what is drawn; a failure prints it. CI draws the same each time, the nightly run anew.
SEED = os.environ.get("AGENT_ANALYTICS_SEED", "" if EXAMPLES > IN_CI else "14")
# Moments at which a build is killed.
MOMENTS = int(os.environ.get("AGENT_ANALYTICS_MOMENTS", "1"))
SCHEMAS = ("rudderstack", "rudderstack_second")
VARIABLES = {"rudderstack_schemas": list(SCHEMAS)}
LOOKBACK_DAYS = 3
DAYS = 30
# Below zero: what comes later says that it was loaded earlier.
HOURS_BETWEEN = (-100, -1, 0, 1, 24, 100)
FIRST_LOAD = datetime(2026, 3, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("incremental")]


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory):
    """Generate events with every kind of dirt; the second schema holds what arrived twice."""
    folder = tmp_path_factory.mktemp("arrivals")
    events = folder / "events"
    arguments = ["--out", str(events), "--runs", "40", "--days", str(DAYS), "--seed", "5"]
    assert generate_events.main([*arguments, "--dirt-all"]) == 0
    source = folder / "source.duckdb"
    for file, schema in zip(("events", "events_redelivered"), SCHEMAS, strict=True):
        arguments = [str(events / f"{file}.ndjson"), "--warehouse", str(source)]
        assert load_events.main([*arguments, "--schema", schema, "--mode", "append"]) == 0
    return Arrivals(str(source), SCHEMAS)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """Return a warehouse that is built again and again."""
    return Warehouse(tmp_path_factory.mktemp("incremental"), keeps_artifacts=True)


def run(warehouse, *arguments):
    """Build all models, from schemas that are there from the beginning."""
    for schema in SCHEMAS:
        warehouse.query(f"create schema if not exists {schema}")
    result = warehouse.dbt("run", *arguments, variables=VARIABLES)
    assert result.success, errors_of(result)


def run_or_refuse(warehouse, *arguments):
    """Run a dbt command, which a refusal may stop and nothing else; say whether it succeeded."""
    outcome = give(warehouse, read_project(warehouse), Command(arguments), VARIABLES)
    print(f"dbt {' '.join(arguments)}: {outcome}", flush=True)
    assert not outcome.failures
    return outcome.succeeded


def draw_split(rng):
    """Draw how many loads there are, which events come with which, and which tables lag behind."""
    count = rng.randint(2, MOST_LOADS)
    return {
        "count": count,
        "order": rng.sample(range(count), count),
        # Of ten events so many come with any load; the others in the order they were received in.
        "late_tenths": rng.randint(0, 10),
        "salt": rng.randrange(1_000_000),
        "lagging": set(rng.sample(range(16), rng.randint(0, 16))),
    }


def part_of(schema, table, split):
    """Return SQL that says with which part of the events a row of a raw table comes."""
    count = split["count"]
    identity = "row_id" if table == "rudder_discards" else "id"
    number = f"hash({identity}, {split['salt']})"
    first = f"(select min(received_at) from arriving.{schema}.{table})"
    in_order = f"floor({count} * (epoch(received_at) - epoch({first})) / {DAYS * 86400})"
    is_late = f"{number} % 10 < {split['late_tenths']}"
    return (
        f"coalesce(case when {is_late} then ({number} // 10) % {count} "
        f"else least({count - 1}, cast({in_order} as int)) end, 0)"
    )


# a third of the file's time, so that another process may take it
@pytest.mark.xdist_group("incremental_splits")
@pytest.mark.parametrize("number", range(-(-EXAMPLES // TOGETHER)))
def test_any_split_into_loads_equals_one_build(number, arrivals, warehouse):
    """Whatever arrives when and is run when, the build after it equals a full refresh."""
    seed = int(SEED) if SEED else random.SystemRandom().randrange(1_000_000)
    rng = random.Random(seed)
    drawn = [draw_split(rng) for _ in range(TOGETHER)]
    time_between = timedelta(hours=rng.choice(HOURS_BETWEEN))
    warehouse.fresh()
    project = read_project(warehouse)
    steps = max(split["count"] for split in drawn) + 1
    plan = draw_commands(rng, project, seed_columns(warehouse, project), steps)
    deleted = Counter()
    # Shown when the test fails.
    print(f"drawn with AGENT_ANALYTICS_SEED={seed}; loads {time_between} apart")
    for step, commands in enumerate(plan):
        for prefix, split in enumerate(drawn):
            load(
                warehouse,
                arrivals,
                partial(condition, arrivals, split, step),
                FIRST_LOAD + step * time_between,
                prefix=f"{prefix}-",
            )
        print(f"load {step + 1} of {steps}", flush=True)
        deleted.update(change_what_is_there(rng, arrivals, warehouse, step, time_between))
        for command in commands:
            outcome = give(warehouse, project, command, VARIABLES)
            print(f"  {command}: {outcome}", flush=True)
            assert not outcome.failures
    run(warehouse)
    assert_everything_arrived(warehouse, arrivals, deleted)
    assert_equals_full_refresh(warehouse)


def change_what_is_there(rng, arrivals, warehouse, step, time_between):
    """Replace rows in place, or delete a load day, or neither; return deleted rows by table."""
    move = rng.choice(("none", "in place", "in place", "loaded again", "load day"))
    if move == "load day":
        deleted = delete_load_day(warehouse, arrivals, rng)
        print(f"  deleted a load day: {sum(deleted.values())} rows", flush=True)
        return deleted
    if move != "none":
        moment = FIRST_LOAD + step * time_between if move == "loaded again" else None
        done = replace_rows(warehouse, arrivals, rng, LOOKBACK_DAYS, moment)
        print(f"  {done}", flush=True)
    return {}


def is_in_half(half, _schema, table):
    """Return SQL that says which rows of a raw table are in the first or second half."""
    identity = "row_id" if table == "rudder_discards" else "id"
    return f"hash(coalesce(cast({identity} as varchar), '')) % 2 = {half}"


def condition(arrivals, split, step, schema, table):
    """Return SQL that says which rows of a raw table come with a load, None when none do."""
    number = step - (arrivals.tables().index((schema, table)) in split["lagging"])
    if not 0 <= number < split["count"]:
        return None
    return f"{part_of(schema, table, split)} = {split['order'][number]}"


def assert_everything_arrived(warehouse, arrivals, deleted):
    """Compare the raw rows in the warehouse with those of all splits that were not deleted."""
    with duckdb.connect(arrivals.source, read_only=True) as connection:
        for schema, table in arrivals.tables():
            count = f"select count(*) from {schema}.{table}"
            (sent,) = connection.execute(count).fetchone()
            assert warehouse.query(count) == [(TOGETHER * sent - deleted[schema, table],)]


def assert_equals_full_refresh(warehouse, *arguments):
    """Compare what is there with what a full refresh makes of the same raw tables.

    Arguments are those of the builds before.
    """
    incremental = contents(warehouse.path)
    # To look into when the comparison fails.
    shutil.copyfile(warehouse.path, warehouse.path.with_name("incremental.duckdb"))
    run(warehouse, "--full-refresh", *arguments)
    assert differences(incremental, contents(warehouse.path)) == []


@pytest.fixture(scope="module")
def built_file(warehouse, arrivals):
    """Return a copy of a warehouse with all events, built."""
    warehouse.fresh()
    load(warehouse, arrivals, lambda *_: "true", FIRST_LOAD)
    run(warehouse)
    copy = warehouse.path.with_name("built.duckdb")
    shutil.copyfile(warehouse.path, copy)
    return copy


@pytest.fixture
def built(warehouse, built_file):
    """Return the warehouse with all events, built."""
    shutil.copyfile(built_file, warehouse.path)
    return warehouse


@pytest.fixture(scope="module")
def built_twice_file(warehouse, built_file):
    """Return a copy of a warehouse with all events, built once more without new ones."""
    shutil.copyfile(built_file, warehouse.path)
    run(warehouse)
    copy = warehouse.path.with_name("built_twice.duckdb")
    shutil.copyfile(warehouse.path, copy)
    return copy


@pytest.fixture
def built_twice(warehouse, built_twice_file):
    """Return the warehouse with all events, of which the last build replaced none."""
    shutil.copyfile(built_twice_file, warehouse.path)
    return warehouse


def affected(warehouse):
    """Return how many runs the last build replaced, by reason."""
    rows = warehouse.query(
        "select affected_because, count(*) from analytics_working.int_runs_affected group by all"
    )
    return dict(rows)


SEED_CHANGES = {
    "price": "update analytics_seeds.model_pricing set input_usd_per_million_tokens = 2 * "
    "input_usd_per_million_tokens where canonical_model = {model}",
    "alias": "delete from analytics_seeds.model_aliases where canonical_model = {model}",
    "convention": "update analytics_seeds.provider_token_conventions set "
    "prompt_tokens_include_cache_read = not prompt_tokens_include_cache_read",
    "failure rule": "update analytics_seeds.failure_mode_rules set failure_mode = 'renamed' "
    "where match_field = 'error_message'",
    "failure rule on answers": "update analytics_seeds.failure_mode_rules set pattern = 'the', "
    "match_type = 'contains' where match_field = 'response_text'",
    "feedback scale": "delete from analytics_seeds.feedback_scales",
}


# Both at once in CI; each of all by itself in `make test-incremental`.
OFTEN_CHANGED = ("price", "failure rule on answers")


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(OFTEN_CHANGED, id=" and ".join(OFTEN_CHANGED)),
        *(pytest.param((name,), id=name, marks=pytest.mark.slow) for name in SEED_CHANGES),
    ],
)
def test_changed_seed_is_followed(names, built):
    """Rows that a changed seed concerns are rebuilt, without a full refresh."""
    model = built.query(
        "select canonical_model from analytics_marts.fct_agent_steps "
        "where cost_basis = 'list_price' group by all order by count(*) desc limit 1"
    )[0][0]
    before = contents(built.path)
    for name in names:
        built.query(SEED_CHANGES[name].format(model=quote_literal(model)))
    run(built)
    assert contents(built.path) != before
    assert_equals_full_refresh(built)


CATALOGUE_CHANGES = {
    "objective of agents": "update analytics_seeds.agent_catalog set latency_slo_ms = 1",
    "role": "update analytics_seeds.agent_catalog set role = 'planner'",
    "objective of workflows": "update analytics_seeds.workflow_catalog set latency_slo_ms = 1",
    "rate of tools": "update analytics_seeds.tool_rate_card set usd_per_call = 1",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE_CHANGES)
def test_changed_catalogue_is_followed(name, built):
    """What people say of agents, workflows and tools is part of all runs."""
    before = contents(built.path)
    built.query(CATALOGUE_CHANGES[name])
    run(built)
    assert affected(built) == {}
    assert contents(built.path) != before
    assert_equals_full_refresh(built)


def test_nothing_new_affects_nothing(built_file, built_twice):
    """A build without new rows replaces no run and changes no table."""
    assert affected(built_twice) == {}
    assert differences(contents(built_file), contents(built_twice.path)) == []


def test_changed_setting_asks_for_a_full_refresh(built):
    """A setting that every row depends on cannot change between two builds."""
    before = contents(built.path)
    result = built.dbt("run", variables={**VARIABLES, "reporting_timezone": "Asia/Tokyo"})
    assert not result.success
    assert any(
        "reporting_timezone" in node.message and "--full-refresh" in node.message
        for node in result.result
        if node.status == "error"
    )
    assert differences(before, contents(built.path)) == []


@pytest.mark.slow
def test_what_was_built_from_purged_load_days_stays_where_asked_for(warehouse, arrivals):
    """Raw tables may forget old load days; facts keep them, and the ledger says what they were."""
    warehouse.fresh()
    for part in (0, 1):
        load(warehouse, arrivals, partial(is_in_half, part), FIRST_LOAD + timedelta(days=10 * part))
        run(warehouse)
    before = contents(warehouse.path)
    for schema, table in arrivals.tables():
        moment = quote_literal(str(FIRST_LOAD + timedelta(days=5)))
        warehouse.query(f"delete from {schema}.{table} where uuid_ts < {moment}::timestamptz")
    variables = {**VARIABLES, "keep_purged_load_days": True}
    result = warehouse.dbt("run", variables=variables)
    assert result.success, errors_of(result)
    after = contents(warehouse.path)
    # Rebuilt from its raw table, which holds what could not be loaded and no events.
    for tables in (before, after):
        del tables["analytics_audit.audit_rudder_discards"]
    assert differences(before, after) == []
    ledger = ["--select", "assert_event_ledger_equals_raw_tables"]
    assert warehouse.dbt("test", *ledger, variables=variables).success
    # without the setting the ledger has to equal the raw tables, and a build makes it so
    assert not warehouse.dbt("test", *ledger, variables=VARIABLES).success
    run(warehouse)
    assert warehouse.dbt("test", *ledger, variables=VARIABLES).success
    schema, table = arrivals.tables()[0]
    warehouse.query(f"insert into {schema}.{table} select * from {schema}.{table}")
    for settings in (VARIABLES, variables):
        assert not warehouse.dbt("test", *ledger, variables=settings).success
    run(warehouse)
    assert_equals_full_refresh(warehouse)


@pytest.mark.slow
def test_run_that_starts_before_its_first_event_is_in_the_rollups(warehouse):
    """An end less a duration is earlier than all that arrived, and may be on a day of its own."""
    warehouse.fresh()
    for table, rows in story().items():
        warehouse.create(table, rows)
    run(warehouse)
    days_later = ", ".join(
        f'"{column}" + interval 4 day as "{column}"'
        for column in ("timestamp", "original_timestamp", "sent_at", "received_at", "uuid_ts")
    )
    warehouse.query(
        "insert into rudderstack.ai_interaction_completed by name select * replace "
        f"('late' as id, 'late' as interaction_id, 86400000 as duration_ms, {days_later}) "
        "from rudderstack.ai_interaction_completed"
    )
    run(warehouse)
    rollup = warehouse.query(
        "select cast(run_date as varchar), n_all from analytics_marts.mart_cost_per_interaction"
    )
    assert sorted(rollup) == [("2026-03-01", 1), ("2026-03-04", 1)]
    assert_equals_full_refresh(warehouse)


@pytest.mark.slow
def test_second_delivery_is_ranked_with_the_first(warehouse):
    """All deliveries of an event are read again, also those older than what else is new."""
    warehouse.fresh()
    for table, rows in story().items():
        warehouse.create(table, rows)
    run(warehouse)
    for days, other in ((1, ""), (2, "'new' as id, 'new' as interaction_id, ")):
        later = ", ".join(
            f"{column} + interval {days} day as {column}" for column in ("received_at", "uuid_ts")
        )
        warehouse.query(
            "insert into rudderstack.ai_user_prompt_created by name "
            f"select * replace ({other}{later}) from rudderstack.ai_user_prompt_created limit 1"
        )
    run(warehouse)
    dispositions = warehouse.query(
        "select event_disposition, count(*) "
        "from analytics_intermediate.int_events "
        "where source_table = 'ai_user_prompt_created' group by all order by all"
    )
    assert dispositions == [("accepted", 2), ("duplicate", 1)]
    assert_equals_full_refresh(warehouse)


def model_files(folder):
    """Return the files of all models below a folder of `models`, relative to `models`."""
    models = PROJECT_DIR / "models"
    return sorted(path.relative_to(models) for path in (models / folder).rglob("*.sql"))


def test_rebuilt_fact_is_whole(built_twice):
    """Working tables hold the runs of the last build only; a fact never has just these.

    One fact is rebuilt alone, another one is dropped before the next build.
    """
    assert affected(built_twice) == {}
    before = contents(built_twice.path)
    if not run_or_refuse(built_twice, "run", "--full-refresh", "--select", "fct_agent_runs"):
        assert differences(before, contents(built_twice.path)) == []
    built_twice.query("drop table analytics_marts.fct_agent_steps")
    run(built_twice)
    assert differences(before, contents(built_twice.path)) == []


@pytest.mark.slow
def test_selected_fact_is_neither_doubled_nor_emptied(built):
    """A fact that is selected alone holds what it held, after a full build and however often."""
    before = contents(built.path)
    for _ in range(2):
        run_or_refuse(built, "run", "--select", "fct_agent_runs")
        assert differences(before, contents(built.path)) == []


@pytest.mark.slow
@pytest.mark.parametrize("mart", [path.stem for path in model_files("marts")])
def test_dropped_mart_is_rebuilt(mart, built_twice):
    """The next build makes the table whole again, without a full refresh."""
    assert affected(built_twice) == {}
    before = contents(built_twice.path)
    built_twice.query(f"drop table analytics_marts.{mart}")
    run(built_twice)
    assert differences(before, contents(built_twice.path)) == []


@pytest.mark.slow
def test_selected_folders_lose_nothing(two_loads, warehouse):
    """Each folder is run alone, in any order, and one build catches up with what is left."""
    states, expected, _ = two_loads
    restore(states["incremental"], warehouse)
    folders = sorted({path.parts[0] for path in model_files("")})
    for folder in random.sample(folders, len(folders)):
        run_or_refuse(warehouse, "run", "--select", f"path:models/{folder}")
    run(warehouse)
    assert differences(expected, contents(warehouse.path)) == []


@pytest.fixture(scope="module")
def two_loads(warehouse, arrivals):
    """Return, by kind of build, a file to start from and how long the build takes; and its result.

    All events are there in each file; built is the first half, or nothing.
    """
    warehouse.fresh()
    load(warehouse, arrivals, partial(is_in_half, 0), FIRST_LOAD)
    whole = timed_run(warehouse)
    load(warehouse, arrivals, partial(is_in_half, 1), FIRST_LOAD + A_DAY)
    half_built = warehouse.path.with_name("half_built.duckdb")
    shutil.copyfile(warehouse.path, half_built)
    seconds = {"incremental": timed_run(warehouse), "first": whole, "full refresh": whole}
    expected = contents(warehouse.path)
    for (schema,) in warehouse.query(
        "select distinct table_schema from information_schema.tables "
        "where table_schema like 'analytics_%' and table_schema != 'analytics_seeds'"
    ):
        warehouse.query(f"drop schema {schema} cascade")
    not_built = warehouse.path.with_name("not_built.duckdb")
    shutil.copyfile(warehouse.path, not_built)
    states = {"incremental": half_built, "full refresh": half_built, "first": not_built}
    return states, expected, seconds


def restore(state, warehouse):
    """Let the warehouse be what a file holds."""
    shutil.copyfile(state, warehouse.path)
    Path(f"{warehouse.path}.wal").unlink(missing_ok=True)


def timed_run(warehouse):
    """Build all models in a process of its own and return how many seconds that takes."""
    started = time.monotonic()
    assert interrupted_run(warehouse, None) == 0
    return time.monotonic() - started


def interrupted_run(warehouse, seconds, *arguments):
    """Run dbt in a process of its own and kill it after so many seconds; without, let it end."""
    command = [sys.executable, "-m", "dbt.cli.main", "run", *arguments, "--quiet"]
    command += ["--vars", json.dumps(VARIABLES)]
    command += ["--target-path", str(warehouse.folder / "target")]
    environment = {
        **os.environ,
        **warehouse.environment(),
        "DBT_PROFILES_DIR": str(warehouse.project),
        "DBT_LOG_PATH": str(warehouse.folder / "logs"),
    }
    process = subprocess.Popen(command, cwd=warehouse.project, env=environment)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode


@pytest.mark.slow
def test_no_build_depends_on_the_log(built):
    """The log of builds is for people; without it the next build adds to nothing twice."""
    before = contents(built.path)
    built.query("drop table analytics_audit.audit_build_log")
    run(built)
    assert differences(before, contents(built.path)) == []


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_build_is_finished_by_the_next(moment, two_loads, warehouse):
    """A build that dies leaves each table old or new; the next one equals one that never died.

    Killed is in turn a build that adds to an earlier one, a full refresh, and the first of all.
    """
    states, expected, seconds = two_loads
    kind = list(states)[moment % len(states)]
    restore(states[kind], warehouse)
    # Spread over the build, at another place of each part in every session.
    parts = -(-MOMENTS // len(states))
    after = seconds[kind] * (moment // len(states) + random.random()) / parts
    print(f"kind of build: {kind}, killed after {after:.2f} of {seconds[kind]:.2f} seconds")
    interrupted_run(warehouse, after, *(["--full-refresh"] if kind == "full refresh" else []))
    run(warehouse)
    assert differences(expected, contents(warehouse.path)) == []
