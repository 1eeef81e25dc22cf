"""The generator: same bytes for the same arguments, real events, every knob's dirt, exact truth."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from scripts import generate_events, load_events
from scripts.generator import mart_truth
from scripts.generator.catalog import AGENTS, ERROR_KINDS, MODELS, TOOLS, WORKFLOWS
from scripts.generator.events import TABLES
from scripts.generator.knobs import KNOBS, PATTERNS, parse_dirt
from scripts.generator.patterns import OUTCOMES
from scripts.generator.plan import Settings, make_plan
from scripts.generator.prices import load_price_list
from scripts.generator.randomness import Stream, keyed_uniform, scramble, uuid_text
from scripts.generator.simulate import MAX_SLOTS
from scripts.generator.truth import believable, token_classes

RUNS = 400
END = "2026-11-20T15:00:00Z"
SENSITIVE = ("prompt_text", "response_text", "final_response_text")
STANDARD_COLUMNS = {
    "id", "anonymous_id", "user_id", "received_at", "sent_at", "original_timestamp", "timestamp",
    "channel", "event", "event_text", "context_library_name", "context_library_version",
    "context_source_id", "uuid_ts",
}  # fmt: skip


def generate(folder: Path, *arguments: str, runs: int = RUNS) -> Path:
    """Run the command and return its folder."""
    options = ["--out", str(folder), "--runs", str(runs), "--days", "10", "--seed", "11"]
    assert generate_events.main([*options, *arguments]) == 0
    return folder


def payloads(folder: Path) -> list[dict]:
    """Return all payloads in the order of the files."""
    lines = []
    for name in ("events.ndjson", "events_redelivered.ndjson"):
        if (folder / name).exists():
            lines += (folder / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def truth(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a truth file."""
    with (folder / "truth" / f"{name}.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def clean_events(clean) -> list[dict]:
    return payloads(clean)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("dirty"), "--dirt-all")


@pytest.fixture(scope="module")
def dirty_parquet(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dirty_parquet")
    return generate(folder, "--dirt-all", "--format", "parquet")


def of_table(events: list[dict], table: str) -> list[dict]:
    return [event for event in events if event["event"] == table]


def timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text)


# the same bytes, always --------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_same_arguments_write_the_same_bytes(tmp_path, form):
    first = generate(tmp_path / "a", "--dirt-all", "--format", form, runs=120)
    second = generate(tmp_path / "b", "--dirt-all", "--format", form, runs=120)
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    assert len(files) == (9 if form == "ndjson" else 14)
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_another_seed_writes_other_events(clean, tmp_path):
    options = ["--out", str(tmp_path), "--runs", str(RUNS), "--days", "10", "--seed", "12"]
    assert generate_events.main(options) == 0
    assert (tmp_path / "events.ndjson").read_bytes() != (clean / "events.ndjson").read_bytes()


def test_random_numbers_never_change():
    """The same on every Python and NumPy version, or the same seed would write other events."""
    keys = np.array([1, 2], dtype=np.uint64)
    assert uuid_text(keys, 7)[0].tobytes() == b"cc89189c-d09e-4aaf-afcd-81a07523ba6b"
    assert keyed_uniform(keys, 7, "x").tolist() == [0.7595630184846025, 0.36988147843977526]
    assert Stream(7, "plan").uniform(2).tolist() == [0.43473665509264925, 0.9877123361549603]


def test_event_ids_are_unique_over_many_keys():
    keys = np.arange(300_000, dtype=np.uint64) << np.uint64(16)
    assert len(np.unique(uuid_text(keys, 3).view("S36"))) == 300_000
    assert len(np.unique(scramble(keys))) == 300_000


def test_dirt_changes_nothing_but_what_it_spoils(clean_events, tmp_path):
    spoiled = payloads(generate(tmp_path, "--dirt", "missing_prompt=0.5"))
    ids = {event["messageId"] for event in spoiled}
    lost = [event for event in clean_events if event["messageId"] not in ids]
    assert {event["event"] for event in lost} == {"ai_user_prompt_created"}
    kept = {event["messageId"]: event for event in clean_events}
    assert all(kept[event["messageId"]] == event for event in spoiled)


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_patterns_write_the_same_bytes(tmp_path, form):
    arguments = ("--days", "60", "--pattern-all", "--format", form)
    first = generate(tmp_path / "a", *arguments, runs=250)
    second = generate(tmp_path / "b", *arguments, runs=250)
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    assert {Path("truth") / f"{name}.csv" for name in mart_truth.FILES} <= set(files)
    assert (Path("tracks.parquet") in files) == (form == "parquet")
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_plans_and_outcomes_change_nothing_else(clean_events, tmp_path):
    """Events gain the plan, and there are events of outcomes: everything else stays as it was."""
    events = payloads(generate(tmp_path, "--pattern", "plans", "--pattern", "outcomes=0.5"))
    outcomes = [event for event in events if event["event"] in OUTCOMES]
    assert len(outcomes) > 50
    assert all(event["userId"] and event["properties"] == {} for event in outcomes)
    rest = [event for event in events if event["event"] not in OUTCOMES]
    plans = {event["properties"].pop("plan_name", None) for event in rest}
    assert plans == {"starter", "pro", None}
    assert rest == clean_events


def test_returning_users_follow_the_planned_rates(tmp_path):
    """Every week has new users, and of those of full weeks about 45 % come back a week later."""
    arguments = ("--days", "70", "--pattern", "retention", "--seed", "3")
    folder = generate(tmp_path, *arguments, runs=3000)
    rows = truth(folder, "mart_user_retention")
    cohorts = {row["cohort_week"] for row in rows}
    assert len(cohorts) == 11
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    newest = max(cohorts)
    for row in rows:
        week = timestamp(row["cohort_week"]) + timedelta(weeks=int(row["week_number"]))
        # the newest week has not ended
        if str(week.date()) < newest:
            sums[int(row["week_number"])][0] += int(row["active_user_count"])
            sums[int(row["week_number"])][1] += int(row["cohort_user_count"])
    rates = [active / users for active, users in (sums[number] for number in range(4))]
    assert rates[0] == 1.0
    # some who come back are not logged in, and are no users in any week
    for found, planned in zip(rates[1:], (0.45, 0.36, 0.288), strict=True):
        assert abs(found - planned) < 0.1, rates


# the command line --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--out is missing"),
        (["--out", "OUT", "--runs", "0"], "--runs 0: must lie between 1 and"),
        (["--out", "OUT", "--days", "0"], "--days 0: must lie between 1 and"),
        (["--out", "OUT", "--seed", "-1"], "--seed -1: must lie between 0 and"),
        (["--out", "OUT", "--end-date", "yesterday"], "--end-date 'yesterday' is no date"),
        (["--out", "OUT", "--end-date", "0001-01-01"], "the year must lie between"),
        (["--out", "OUT", "--dirt", "mud"], "no kind of dirt is called 'mud'"),
        (["--out", "OUT", "--dirt", "duplicates=many"], "the rate 'many' is no number"),
        (["--out", "OUT", "--dirt", "duplicates=1.5"], "must lie between 0 and 1"),
        (["--out", "OUT", "--dirt", "duplicates=nan"], "must lie between 0 and 1"),
        (["--out", "OUT", "--pattern", "luck"], "no pattern is called 'luck'"),
        (["--out", "OUT", "--pattern", "loops=2"], "must lie between 0 and 1"),
        (["--out", "OUT", "--pattern", "anomalies"], "--pattern anomalies needs a longer history"),
        (["--out", "FILE"], "cannot be written"),
    ],
)
def test_bad_arguments_give_one_clear_line(tmp_path, capsys, arguments, message):
    (tmp_path / "file").write_text("x")
    places = {"OUT": str(tmp_path / "out"), "FILE": str(tmp_path / "file")}
    with pytest.raises(SystemExit) as stop:
        generate_events.main([places.get(argument, argument) for argument in arguments])
    lines = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert not (tmp_path / "out" / "events.ndjson").exists()


def test_event_files_of_others_are_not_overwritten(tmp_path, capsys):
    (tmp_path / "ai_user_action.parquet").write_bytes(b"real data")
    with pytest.raises(SystemExit):
        generate(tmp_path, runs=5)
    assert "ai_user_action.parquet was not written by this command" in capsys.readouterr().err
    assert (tmp_path / "ai_user_action.parquet").read_bytes() == b"real data"


def test_a_second_call_replaces_what_the_first_one_wrote(tmp_path):
    generate(tmp_path, "--dirt", "duplicates=0.5", runs=30)
    assert (tmp_path / "events_redelivered.ndjson").exists()
    generate(tmp_path, "--format", "parquet", runs=30)
    assert not list(tmp_path.glob("*.ndjson"))
    generate(tmp_path, runs=30)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["events.ndjson"]


def test_a_broken_price_seed_is_named(tmp_path, capsys):
    prices = tmp_path / "model_pricing.csv"
    prices.write_text(
        "provider,canonical_model,valid_from,valid_to,input_usd_per_million_tokens,"
        "output_usd_per_million_tokens,cache_read_usd_per_million_tokens,"
        "cache_write_usd_per_million_tokens\nopenai,gpt-4o,01/02/2024,,1,2,,\n"
    )
    with pytest.raises(SystemExit):
        load_price_list(prices)
    line = capsys.readouterr().err
    assert "line 2, column valid_from: '01/02/2024' is no date" in line


def test_list_dirt_names_every_knob(capsys):
    assert generate_events.main(["--list-dirt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == list(KNOBS)


def test_list_pattern_names_every_pattern(capsys):
    assert generate_events.main(["--list-pattern"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == list(PATTERNS)


def test_dirt_all_starts_with_every_knob_and_single_rates_win():
    rates = parse_dirt(["duplicates=0.5", "pii_canaries=0"], True)
    assert rates["duplicates"] == 0.5
    assert set(KNOBS) - set(rates) == {"pii_canaries"}


def test_prints_where_and_what_next(tmp_path, capsys):
    generate(tmp_path, runs=5)
    printed = capsys.readouterr().out
    assert f"to {tmp_path}" in printed
    assert f"next: python scripts/load_events.py {tmp_path}/events.ndjson" in printed


# the events --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 31])
def test_writes_exactly_the_runs_asked_for(tmp_path, count):
    folder = generate(tmp_path, runs=count)
    assert len(truth(folder, "runs")) == count
    folder = generate(tmp_path, "--days", "60", "--pattern-all", runs=count)
    assert len(truth(folder, "runs")) == count
    plan = make_plan(Settings(count, 10, 11, 1_795_186_800_000, {}))
    assert plan.first_run[-1] == count


def test_payloads_are_what_the_gateway_requires(clean_events):
    for event in clean_events:
        assert event["type"] == "track"
        assert event["event"] in TABLES
        assert event["anonymousId"]
        assert timestamp(event["timestamp"]) <= timestamp(event["receivedAt"])
        assert event["properties"]["conversation_id"]
        assert event["properties"]["interaction_id"]
    assert {event["event"] for event in clean_events} == set(TABLES)
    assert len({event["messageId"] for event in clean_events}) == len(clean_events)


def test_data_ends_with_the_end_date(clean_events):
    last = max(timestamp(event["timestamp"]) for event in clean_events)
    assert last == timestamp(END)
    assert max(timestamp(event["receivedAt"]) for event in clean_events) == timestamp(END)
    first = min(timestamp(event["timestamp"]) for event in clean_events)
    assert first >= timestamp(END) - timedelta(days=10)


def test_responses_repeat_session_completions(clean_events):
    """The same execution is reported twice on purpose."""
    shared = ("cost", "tokens_used", "duration_ms", "model_used", "agent_name", "steps_count")
    groups: dict[str, list[Counter]] = {}
    for table in ("ai_agent_session_completed", "ai_agent_response_received"):
        rows = [event["properties"] for event in of_table(clean_events, table)]
        groups[table] = Counter(
            (row["interaction_id"], json.dumps([row.get(name) for name in shared])) for row in rows
        )
    completions, responses = groups.values()
    # At the very end of the data one of the two may not have arrived yet.
    assert len(completions) > 900
    assert sum(((completions - responses) + (responses - completions)).values()) <= 3


def test_products_are_varied(clean, clean_events):
    sessions = truth(clean, "agent_sessions")
    steps = truth(clean, "steps")
    runs = truth(clean, "runs")
    assert {row["agent_name"] for row in sessions} == {agent.name for agent in AGENTS}
    assert {row["tool_name"] for row in steps} - {""} == {tool.name for tool in TOOLS}
    assert {row["depth"] for row in sessions} >= {"0", "1", "2"}
    statuses = {row["run_status"] for row in runs}
    assert statuses >= {"success", "error", "timeout", "cancelled", "partial_success"}
    assert statuses >= {"abandoned", "in_progress"}
    assert {row["trigger_type"] for row in runs} == {"user", "schedule", "agent", "unknown"}
    assert {row["step_type"] for row in steps} == {
        "llm_call", "tool_call", "planning", "validation",
    }  # fmt: skip
    assert any(row["is_retry"] == "true" for row in steps)
    assert any(row["is_fallback"] == "true" for row in steps)
    assert {row["price_status"] for row in steps} == {"reported", "priced", "unpriced", "no_usage"}
    names = {e["properties"].get("model_used") for e in clean_events} - {None}
    unknown = {model.sent_name for model in MODELS if model.family == "unknown"}
    assert names == {model.sent_name for model in MODELS} - unknown
    actions = {row["action_type"] for row in truth(clean, "user_actions")}
    assert actions == {"copied", "shared", "regenerated", "feedback_given"}
    children = [e for e in clean_events if "parent_interaction_id" in e["properties"]]
    assert children
    ids = {e["properties"]["interaction_id"] for e in clean_events}
    assert {e["properties"]["parent_interaction_id"] for e in children} <= ids


def test_sessions_run_in_parallel(clean_events):
    spans = defaultdict(list)
    for event in of_table(clean_events, "ai_agent_session_completed"):
        row = event["properties"]
        if row["agent_name"] == "web_researcher":
            end = timestamp(event["timestamp"])
            start = end - timedelta(milliseconds=row["duration_ms"])
            spans[row["interaction_id"]].append((start, end))
    several = [sorted(times) for times in spans.values() if len(times) > 1]
    assert len(several) > 10
    assert all(times[1][0] < times[0][1] for times in several)


def test_steps_lie_inside_their_sessions(clean_events):
    begins, ends = {}, {}
    for event in clean_events:
        key = event["properties"].get("agent_session_id")
        if event["event"] == "ai_agent_session_started":
            begins[key] = timestamp(event["timestamp"])
        if event["event"] == "ai_agent_session_completed":
            ends[key] = timestamp(event["timestamp"])
    steps = of_table(clean_events, "ai_agent_step_completed")
    for event in steps:
        end = timestamp(event["timestamp"])
        start = end - timedelta(milliseconds=event["properties"]["duration_ms"])
        key = event["properties"]["agent_session_id"]
        assert begins.get(key, start) <= start
        assert end <= ends.get(key, end)


def test_a_price_changes_within_the_default_history(tmp_path):
    prices = load_price_list()
    end = timestamp(generate_events.DEFAULT_END)
    changes = [datetime.fromtimestamp(ms / 1000, tz=end.tzinfo) for ms in prices.change_times()]
    inside = [day for day in changes if end - timedelta(days=30) < day < end]
    assert inside
    options = ["--out", str(tmp_path), "--runs", "900"]
    assert generate_events.main(options) == 0
    inside_ms = {int(day.timestamp() * 1000) for day in inside}
    number = next(
        i for i in range(len(MODELS)) if inside_ms & {int(ms) for ms in prices.starts_ms[i][1:]}
    )
    by_rate: dict[tuple[float, ...], int] = Counter()
    times = {e["messageId"]: timestamp(e["timestamp"]) for e in payloads(tmp_path)}
    rows = [r for r in truth(tmp_path, "steps") if r["cost_basis"] == "list_price"]
    for row in rows:
        if row["canonical_model"] != MODELS[number].canonical_model:
            continue
        at = int(times[row["step_id"]].timestamp() * 1000)
        interval = max(int(np.searchsorted(prices.starts_ms[number], at, side="right")) - 1, 0)
        rate = prices.rates[number][interval]
        expected = (int(row["input_tokens"]) * rate[0] + int(row["output_tokens"]) * rate[1]) / 1e6
        assert float(row["cost_usd"]) == pytest.approx(expected, abs=1e-9)
        by_rate[tuple(rate[:2])] += 1
    assert len(by_rate) > 1


def test_error_messages_name_both_kinds_of_failure(clean_events):
    steps = [e["properties"] for e in of_table(clean_events, "ai_agent_step_completed")]
    failed = [row for row in steps if row["status"] != "success"]
    messages = {row.get("error_message") for row in failed} - {None}
    assert len(messages) > 10
    assert messages <= {kind.message for kind in ERROR_KINDS}
    assert not any("error_message" in row for row in steps if row["status"] == "success")


# raw tables and payloads agree -------------------------------------------------------------------


def _rows(connection, relation: str, columns: list[str]) -> list[tuple]:
    names = ", ".join(f'"{name}"' for name in columns)
    return connection.execute(f"select {names} from {relation} order by id").fetchall()


@pytest.mark.parametrize("dirt", [(), ("--dirt", "wrong_types=0.3", "--dirt", "clock_skew=0.1")])
def test_parquet_holds_what_the_loader_makes_of_the_payloads(tmp_path, dirt):
    ndjson = generate(tmp_path / "ndjson", *dirt, runs=150)
    parquet = generate(tmp_path / "parquet", *dirt, "--format", "parquet", runs=150)
    warehouse = tmp_path / "raw.duckdb"
    assert load_events.main([str(ndjson / "events.ndjson"), "--warehouse", str(warehouse)]) == 0
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in TABLES:
            file = f"read_parquet('{parquet / table}.parquet')"
            described = connection.execute(f"describe select * from {file}").fetchall()
            loaded = connection.execute(f"describe rudderstack.{table}").fetchall()
            types = {row[0]: row[1] for row in described}
            # A column nothing was ever sent in does not exist in the warehouse.
            empty = {
                name
                for name in types
                if connection.execute(f'select count("{name}") from {file}').fetchone() == (0,)
            }
            assert {row[0]: row[1] for row in loaded} == {
                name: kind for name, kind in types.items() if name not in empty
            }
            # uuid_ts is the time of loading, in the one as in the other.
            columns = sorted(set(types) - empty - {"uuid_ts"})
            assert set(columns) | {"uuid_ts"} >= STANDARD_COLUMNS
            left = _rows(connection, f"rudderstack.{table}", columns)
            assert left == _rows(connection, file, columns), table


def test_both_formats_have_the_same_events(dirty, dirty_parquet):
    counts = Counter(event["event"] for event in payloads(dirty))
    for table in TABLES:
        file = dirty_parquet / f"{table}.parquet"
        rows = duckdb.sql(f"select count(*) from read_parquet('{file}')").fetchall()
        assert rows == [(counts[table],)]
    for name in ("user_actions", "steps"):
        ids = {row[f"{name.removeprefix('user_')[:-1]}_id"] for row in truth(dirty, name)}
        other = {row[f"{name.removeprefix('user_')[:-1]}_id"] for row in truth(dirty_parquet, name)}
        # Only Parquet can lack event ids, which quarantines those rows.
        assert other <= ids
        assert len(other) < len(ids) or name == "user_actions"


# truth -------------------------------------------------------------------------------------------


def test_truth_of_clean_data_equals_a_plain_count(clean, clean_events):
    """The truth files against a count of the payloads that knows nothing of the simulation."""
    steps, failed = Counter(), Counter()
    sessions = defaultdict(set)
    completions = {}
    for event in clean_events:
        row = event["properties"]
        key = (row["conversation_id"], row["interaction_id"])
        if "agent_session_id" in row:
            sessions[key].add(row["agent_session_id"])
        if event["event"] == "ai_agent_step_completed":
            steps[key] += 1
            failed[key] += row["status"] != "success"
        if event["event"] == "ai_interaction_completed":
            completions[key] = row
    for row in truth(clean, "runs"):
        key = (row["conversation_id"], row["interaction_id"])
        assert int(row["step_count"]) == steps[key]
        assert int(row["failed_step_count"]) == failed[key]
        assert int(row["agent_session_count"]) == len(sessions[key])
        done = completions.get(key)
        assert (row["run_status"] in ("in_progress", "abandoned")) == (done is None)
        if done is None:
            continue
        assert row["run_status"] == done["status"].replace("user_cancelled", "cancelled")
        assert int(row["duration_ms"]) == done["duration_ms"]
        cost = done.get("total_cost")
        assert float(row["reported_cost_usd"] or "nan") == pytest.approx(
            float("nan") if cost is None else cost, nan_ok=True
        )


@pytest.mark.parametrize("fixture", ["dirty", "dirty_parquet", "clean"])
def test_ledger_adds_up_against_the_written_files(fixture, request):
    folder = request.getfixturevalue(fixture)
    ledger = truth(folder, "ledger")
    raw = Counter()
    if fixture == "dirty_parquet":
        for table in TABLES:
            file = folder / f"{table}.parquet"
            raw[table] = duckdb.sql(f"select count(*) from read_parquet('{file}')").fetchall()[0][0]
    else:
        raw.update(event["event"] for event in payloads(folder))
    for table in TABLES:
        assert (
            sum(int(row["raw_rows"]) for row in ledger if row["source_table"] == table)
            == raw[table]
        )
    for row in ledger:
        parts = ("accepted_rows", "duplicate_rows", "quarantined_rows")
        assert int(row["raw_rows"]) == sum(int(row[part]) for part in parts)
    lost = Counter(row["source_table"] for row in truth(folder, "quarantined"))
    kept = Counter()
    for row in ledger:
        kept[row["source_table"]] += int(row["quarantined_rows"])
    assert lost == +kept
    accepted = defaultdict(int)
    for row in ledger:
        accepted[row["source_table"]] += int(row["accepted_rows"])
    assert accepted["ai_agent_step_completed"] == len(truth(folder, "steps"))
    assert accepted["ai_user_action"] == len(truth(folder, "user_actions"))
    assert bool(lost) == (fixture != "clean")


def test_second_deliveries_are_counted_as_duplicates(dirty):
    first = (dirty / "events.ndjson").read_text(encoding="utf-8").splitlines()
    again = (dirty / "events_redelivered.ndjson").read_text(encoding="utf-8").splitlines()
    known = {json.loads(line)["messageId"]: json.loads(line) for line in first}
    assert len(known) == len(first)
    for line in again:
        event = json.loads(line)
        before = known[event["messageId"]]
        assert timestamp(event.pop("receivedAt")) > timestamp(before["receivedAt"])
        assert event == {name: value for name, value in before.items() if name != "receivedAt"}
    counted = sum(int(row["duplicate_rows"]) for row in truth(dirty, "ledger"))
    assert counted == len(again) > 50


@pytest.mark.parametrize("name", ["runs", "agent_sessions", "steps"])
def test_costs_come_from_where_their_basis_says(dirty, name):
    bases = Counter()
    for row in truth(dirty, name):
        bases[row["cost_basis"]] += 1
        reported = float(row["reported_cost_usd"] or "nan")
        tokens = int(row["total_tokens"] or 0)
        if row["cost_basis"] == "reported":
            assert float(row["cost_usd"]) == reported
            assert reported > 0 or tokens == 0
            continue
        assert not reported > 0, "a possible figure of the sender must be taken"
        assert (row["cost_usd"] == "") == (row["cost_basis"] == "none")
        if row["price_status"] == "no_usage":
            assert row["cost_usd"] == ""
    assert bases["reported"] > 100
    assert sum(bases[basis] for basis in ("list_price", "sum_of_steps", "sum_of_sessions")) > 40
    assert bases["none"] > 10


def test_totals_of_runs_equal_those_of_sessions_and_steps(dirty):
    counts = ("step_count", "llm_call_count", "tool_call_count", "failed_step_count")
    sums: dict[str, Counter] = {name: Counter() for name in counts}
    sessions = Counter()
    for row in truth(dirty, "agent_sessions"):
        key = (row["conversation_id"], row["interaction_id"])
        sessions[key] += 1
        for name in counts:
            sums[name][key] += int(row[name])
    steps = Counter((r["conversation_id"], r["interaction_id"]) for r in truth(dirty, "steps"))
    for row in truth(dirty, "runs"):
        key = (row["conversation_id"], row["interaction_id"])
        assert int(row["agent_session_count"]) == sessions[key]
        assert int(row["step_count"]) == steps[key]
        for name in counts:
            assert int(row[name]) == sums[name][key]


@pytest.mark.parametrize(
    ("sent", "includes", "expected"),
    [
        ((100, 10, -1, -1), (False, False), (100, 10, -1, -1)),
        ((100, 10, 40, -1), (False, False), (100, 10, 40, -1)),
        ((100, 10, 40, -1), (True, False), (60, 10, 40, -1)),
        ((100, 10, 40, 30), (True, True), (30, 10, 40, 30)),
        ((100, 10, 40, 30), (True, False), (60, 10, 40, 30)),
        ((150, 95, 245, 12236), (True, True), (150, 95, 245, 12236)),
        ((-1, 10, 40, -1), (True, False), (-1, 10, 40, -1)),
    ],
)
def test_token_classes_are_disjoint(sent, includes, expected):
    rows = np.array([sent])
    flags = (np.array([includes[0]]), np.array([includes[1]]))
    assert token_classes(rows, *flags).tolist() == [list(expected)]


@pytest.mark.parametrize(
    ("cost", "zero_is_fine", "expected"),
    [(0.5, False, 0.5), (0.0, False, None), (0.0, True, 0.0), (-0.1, True, None)],
)
def test_only_possible_costs_are_believed(cost, zero_is_fine, expected):
    value = believable(np.array([cost]), np.array([zero_is_fine]))[0]
    assert (None if np.isnan(value) else value) == expected


# every knob makes its dirt, at about its rate ----------------------------------------------------


@pytest.fixture(scope="module")
def measures(clean_events) -> dict[str, Callable[[Path], tuple[int, int]]]:
    """Return, per knob, how many things are dirty and how many could be."""
    known = {event["messageId"]: event for event in clean_events}
    total = len(clean_events)

    def lost(table: str) -> Callable[[Path], tuple[int, int]]:
        def measure(folder: Path) -> tuple[int, int]:
            left = len(of_table(payloads(folder), table))
            before = len(of_table(clean_events, table))
            return before - left, before

        return measure

    def changed(test: Callable[[dict, dict], bool], of: int = total) -> Callable:
        def measure(folder: Path) -> tuple[int, int]:
            events = payloads(folder)
            pairs = [(known[e["messageId"]], e) for e in events if e["messageId"] in known]
            assert pairs
            return sum(test(before, after) for before, after in pairs), of

        return measure

    def without(name: str) -> Callable:
        return changed(lambda _, after: name not in after["properties"])

    def late(before: dict, after: dict) -> bool:
        return before["receivedAt"] != after["receivedAt"]

    def skewed(before: dict, after: dict) -> bool:
        return before["timestamp"] != after["timestamp"]

    def blank(_: dict, after: dict) -> bool:
        ids = ("conversation_id", "interaction_id", "agent_session_id")
        return any(after["properties"].get(name, "x").strip() == "" for name in ids)

    def second_completions(folder: Path) -> tuple[int, int]:
        tables = ("ai_interaction_completed", "ai_agent_session_completed")
        events = [e for e in payloads(folder) if e["event"] in tables]
        return len([e for e in events if e["messageId"] not in known]), sum(
            len(of_table(clean_events, table)) for table in tables
        )

    def duplicates(folder: Path) -> tuple[int, int]:
        counts = Counter(event["messageId"] for event in payloads(folder))
        return sum(count - 1 for count in counts.values()), total

    def displaced(folder: Path) -> tuple[int, int]:
        places = {e["messageId"]: n for n, e in enumerate(clean_events)}
        order = [places[event["messageId"]] for event in payloads(folder)]
        return sum(abs(n - place) > total // 10 for n, place in enumerate(order)), total

    def standard_only(folder: Path) -> tuple[int, int]:
        key = "interaction_id"
        steps = of_table(payloads(folder), "ai_agent_step_completed")
        left = {event["properties"][key] for event in steps}
        before = of_table(clean_events, "ai_agent_step_completed")
        all_runs = {event["properties"][key] for event in before}
        return len(all_runs - left), len(all_runs)

    def orphans(folder: Path) -> tuple[int, int]:
        events = payloads(folder)
        tables = ("ai_agent_session_started", "ai_agent_session_completed")
        told = {e["properties"]["agent_session_id"] for e in events if e["event"] in tables}
        steps = of_table(events, "ai_agent_step_completed")
        stepping = {e["properties"]["agent_session_id"] for e in steps}
        return len(stepping - told), len(stepping)

    def unknown_models(folder: Path) -> tuple[int, int]:
        starts = of_table(payloads(folder), "ai_agent_session_started")
        unknown = {model.sent_name for model in MODELS if model.family == "unknown"}
        return sum(e["properties"]["model_used"] in unknown for e in starts), len(starts)

    def cached(folder: Path) -> tuple[int, int]:
        # Senders that count cached tokens among the prompt tokens cannot have more of them.
        caching = {m.sent_name for m in MODELS if m.caches and m.family in ("openai", "google")}
        rows = [e["properties"] for e in of_table(payloads(folder), "ai_agent_session_completed")]
        rows = [row for row in rows if row["model_used"] in caching and "tokens_used" in row]
        counts = [row["tokens_used"] for row in rows]
        return sum(c["cache_read"] > c["prompt_tokens"] for c in counts), len(rows)

    def reused(folder: Path) -> tuple[int, int]:
        ids = {
            (e["properties"]["conversation_id"], e["properties"]["interaction_id"])
            for e in payloads(folder)
        }
        conversations = {conversation for conversation, _ in ids}
        restarting = {conversation for conversation, run in ids if run.startswith("int_")}
        return len(restarting), len(conversations)

    def text_costs(folder: Path) -> tuple[int, int]:
        rows = [e["properties"] for e in payloads(folder)]
        costs = [row["cost"] for row in rows if "cost" in row]
        return sum(isinstance(cost, str) for cost in costs), len(costs)

    def costs(test: Callable[[float], bool]) -> Callable:
        def measure(folder: Path) -> tuple[int, int]:
            rows = [e["properties"] for e in of_table(payloads(folder), "ai_agent_step_completed")]
            values = [row["cost"] for row in rows if "cost" in row]
            return sum(test(value) for value in values), len(values)

        return measure

    def canaries(folder: Path) -> tuple[int, int]:
        found = sum("CANARY-" in json.dumps(e["properties"]) for e in payloads(folder))
        return found, total

    return {
        "duplicates": duplicates,
        "late_arrival": changed(late),
        "out_of_order": displaced,
        "missing_session_started": lost("ai_agent_session_started"),
        "missing_session_completed": lost("ai_agent_session_completed"),
        "missing_interaction_completed": lost("ai_interaction_completed"),
        "missing_prompt": lost("ai_user_prompt_created"),
        "standard_events_only": standard_only,
        "missing_conversation_id": without("conversation_id"),
        "missing_interaction_id": without("interaction_id"),
        "orphan_steps": orphans,
        "conflicting_completions": second_completions,
        "clock_skew": changed(skewed),
        "unknown_models": unknown_models,
        "cached_token_conventions": cached,
        "reused_ids": reused,
        "wrong_types": text_costs,
        "zero_cost_with_tokens": costs(lambda cost: cost == 0),
        "negative_cost": costs(lambda cost: cost < 0),
        "pii_canaries": canaries,
        "blank_ids": changed(blank),
    }


# Shares that lie below the rate by construction: copies and shares bear no canary, half of the late
# events of ten days have not arrived by their end, places drawn at random may be near, and some
# blank ids would hit something that the event does not have.
EXPECTED_SHARE = {
    "pii_canaries": 0.9,
    "late_arrival": 0.5,
    "out_of_order": 0.8,
    "blank_ids": 0.8,
}


@pytest.mark.parametrize("knob", list(KNOBS))
def test_each_knob_makes_its_dirt_at_its_rate(knob, measures, tmp_path, clean, clean_events):
    rate = 0.3
    measure = measures[knob]
    folder = generate(tmp_path, "--dirt", f"{knob}={rate}")
    dirty_count, possible = measure(folder)
    expected = rate * EXPECTED_SHARE.get(knob, 1.0) * possible
    slack = 5 * (possible * rate * (1 - rate)) ** 0.5 + 0.05 * expected
    assert abs(dirty_count - expected) < slack, (dirty_count, expected, possible)
    clean_count, _ = measure(clean)
    assert clean_count <= 0.02 * possible, "clean data must not have this dirt"


def test_quarantine_reasons_all_occur(tmp_path):
    folder = generate(
        tmp_path,
        "--format", "parquet",
        "--dirt", "blank_ids=0.3",
        "--dirt", "missing_conversation_id=0.5",
        "--dirt", "missing_interaction_id=0.1",
        "--dirt", "reused_ids=0.3",
        runs=200,
    )  # fmt: skip
    reasons = {row["quarantine_reason"] for row in truth(folder, "quarantined")}
    assert reasons == {
        "missing_event_id",
        "missing_agent_session_id",
        "missing_interaction_id",
        "ambiguous_interaction_id",
        "ambiguous_conversation_id",
        "missing_conversation_id",
    }


def test_lost_ids_are_repaired_where_one_place_is_known(tmp_path):
    """Recomputed from the payloads alone, with the rule of docs/semantics.md."""
    folder = generate(
        tmp_path,
        "--dirt", "missing_conversation_id=0.5",
        "--dirt", "missing_interaction_id=0.2",
        "--dirt", "reused_ids=0.3",
    )  # fmt: skip
    events = payloads(folder)
    conversations, places = defaultdict(set), defaultdict(set)
    for event in events:
        row = event["properties"]
        ids = tuple(row.get(f"{n}_id") for n in ("conversation", "interaction", "agent_session"))
        if ids[0] and ids[1]:
            conversations[ids[1]].add(ids[0])
            if ids[2]:
                places[ids[2]].add(ids[:2])
    expected = {}
    for event in events:
        row = event["properties"]
        conversation, run = row.get("conversation_id"), row.get("interaction_id")
        session = row.get("agent_session_id")
        if run is None:
            found = (
                {p for p in places[session] if conversation in (None, p[0])} if session else set()
            )
            reason = "ambiguous_interaction_id" if len(found) > 1 else "missing_interaction_id"
            if len(found) != 1:
                expected[event["messageId"]] = reason
        elif conversation is None and len(conversations[run]) != 1:
            several = len(conversations[run]) > 1
            reason = "ambiguous_conversation_id" if several else "missing_conversation_id"
            expected[event["messageId"]] = reason
    found = {row["event_id"]: row["quarantine_reason"] for row in truth(folder, "quarantined")}
    assert found == expected
    assert set(expected.values()) == {
        "ambiguous_interaction_id", "missing_interaction_id",
        "ambiguous_conversation_id", "missing_conversation_id",
    }  # fmt: skip


def test_canaries_sit_in_sensitive_text_only(dirty):
    listed = (dirty / "truth" / "canaries.txt").read_text().split()
    assert len(listed) == len(set(listed)) > 50
    found = Counter()
    fields = set()

    def look(value, name):
        if isinstance(value, dict):
            for key, inner in value.items():
                look(inner, name if name.startswith("tool_") else key)
        elif isinstance(value, str) and "CANARY-" in value:
            found[value[value.index("CANARY-") :]] += 1
            fields.add(name)

    events = {event["messageId"]: event for event in payloads(dirty)}
    for event in events.values():
        look(event, "")
    assert set(found) == set(listed)
    assert set(found.values()) == {1}
    assert fields == {*SENSITIVE, "feedback_text", "tool_input", "tool_output"}


def test_discarded_values_are_missing_in_truth(tmp_path):
    """Cost sent as text reaches no number column, so no fact may report it."""
    folder = generate(tmp_path, "--dirt", "wrong_types=0.3")
    steps = of_table(payloads(folder), "ai_agent_step_completed")
    costs = {event["messageId"]: event["properties"].get("cost") for event in steps}
    assert sum(isinstance(cost, str) for cost in costs.values()) > 100
    for row in truth(folder, "steps"):
        cost = costs[row["step_id"]]
        if isinstance(cost, float):
            assert float(row["reported_cost_usd"]) == pytest.approx(cost)
        else:
            assert row["reported_cost_usd"] == ""


def test_first_values_decide_column_types_well(dirty):
    """Text and decimals come first, so that RudderStack's typing loses nothing else."""
    first: dict[str, object] = {}
    for event in payloads(dirty):
        for name, value in event["properties"].items():
            first.setdefault(f"{event['event']}.{name}", value)
        details = event["properties"].get("action_details", {})
        if "feedback_value" in details:
            first.setdefault("feedback_value", details["feedback_value"])
    for name in ("ai_agent_step_completed.cost", "ai_agent_session_completed.cost"):
        assert isinstance(first[name], float)
        assert not first[name].is_integer()
    assert isinstance(first["ai_interaction_completed.total_cost"], float)
    assert isinstance(first["ai_interaction_completed.duration_ms"], int)
    assert isinstance(first["ai_user_prompt_created.conversation_id"], str)
    assert isinstance(first["feedback_value"], str)


def test_workflow_slots_are_well_formed():
    names = {agent.name for agent in AGENTS}
    for workflow in WORKFLOWS:
        slots = (*workflow.slots, *workflow.circle)
        assert len(slots) <= MAX_SLOTS
        for position, slot in enumerate(slots):
            assert slot.agent in names
            assert slot.parent is None or slot.parent < position
            assert slot.parent is None or slots[slot.parent].probability == 1.0
    assert sum(workflow.share for workflow in WORKFLOWS) == pytest.approx(1.0)
