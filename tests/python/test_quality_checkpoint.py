"""The quality checkpoint: a sound warehouse passes, every kind of corruption is named.

The warehouse is made by hand from a few steps, without dbt, with the columns the suites read. All
checkpoints run in this process, because importing Great Expectations takes most of the time.
"""

from __future__ import annotations

import gc
import hashlib
import json
from pathlib import Path

import duckdb
import pytest

from scripts.quality import run_checkpoint
from tests.python.warehouses import damage

MARTS = "analytics_marts"

# 40 runs on ten days; each has two sessions of two agents, each session a model and a tool call.
SOUND_WAREHOUSE = """
create schema analytics_marts;
create schema analytics_audit;
create schema analytics_seeds;

create table analytics_seeds.model_pricing as
select
    'gpt-4o' as canonical_model,
    2.5::decimal(28, 9) as input_usd_per_million_tokens,
    10::decimal(28, 9) as output_usd_per_million_tokens,
    1.25::decimal(28, 9) as cache_read_usd_per_million_tokens,
    null::decimal(28, 9) as cache_write_usd_per_million_tokens,
    null::decimal(28, 9) as long_context_input_usd_per_million_tokens,
    null::decimal(28, 9) as long_context_output_usd_per_million_tokens,
    null::decimal(28, 9) as long_context_cache_read_usd_per_million_tokens,
    null::decimal(28, 9) as long_context_cache_write_usd_per_million_tokens,
    null::decimal(28, 9) as priority_multiplier;

create table analytics_marts.fct_agent_steps as
select
    'step ' || i as step_key,
    'session ' || i // 2 as agent_session_key,
    'run ' || i // 4 as run_key,
    case when i % 4 < 2 then 'planner' else 'worker' end as agent_name,
    case when i % 2 = 0 then 'llm_call' else 'tool_call' end as step_type,
    case when i % 2 = 1 then 'search' end as tool_name,
    'gpt-4o' as canonical_model,
    date '2026-01-01' + (i // 16)::integer as step_date,
    case when i % 2 = 0 then 100000 end as total_tokens,
    case when i % 2 = 0 then 0.3::decimal(28, 9) end as cost_usd,
    case when i % 2 = 0 and i % 8 < 4 then 0.3::decimal(28, 9) end as reported_cost_usd,
    case when i % 2 = 0 then 0.3::decimal(28, 9) end as list_cost_usd,
    case
        when i % 2 = 1 then 'none'
        when i % 8 < 4 then 'reported'
        else 'list_price'
    end as cost_basis,
    case when i % 16 = 1 then 'tool_timeout' end as failure_mode
from range(160) as numbers(i);

create table analytics_marts.fct_agent_sessions as
select
    agent_session_key,
    run_key,
    agent_name,
    'gpt-4o' as model_name,
    'success' as session_status,
    'session_events' as session_source,
    true as has_completed_event,
    null::varchar as response_match_method,
    cast(step_date as timestamp) as started_at,
    step_date as session_date,
    1000 as duration_ms,
    sum(total_tokens) as total_tokens,
    sum(cost_usd)::decimal(28, 9) as cost_usd,
    sum(reported_cost_usd)::decimal(28, 9) as reported_cost_usd,
    sum(list_cost_usd)::decimal(28, 9) as list_cost_usd,
    sum(cost_usd)::decimal(28, 9) as steps_cost_usd,
    'sum_of_steps' as cost_basis,
    false as cost_includes_children,
    count(*) as step_count,
    max(failure_mode) as failure_mode
from analytics_marts.fct_agent_steps
group by all;

create table analytics_marts.fct_user_actions as
select
    'action ' || i as action_key,
    'run ' || i as run_key,
    'feedback_given' as action_type,
    'thumbs' as feedback_type,
    (i % 2)::double as rating
from range(40) as numbers(i);

create table analytics_marts.fct_agent_runs as
select
    run_key,
    'support' as workflow_name,
    'user' as trigger_type,
    case when max(failure_mode) is null then 'success' else 'error' end as run_status,
    max(failure_mode) is null as is_successful,
    cast(min(session_date) as timestamp) as started_at,
    min(session_date) as run_date,
    2000 as duration_ms,
    sum(total_tokens) as total_tokens,
    sum(cost_usd)::decimal(28, 9) as cost_usd,
    sum(reported_cost_usd)::decimal(28, 9) as reported_cost_usd,
    sum(list_cost_usd)::decimal(28, 9) as list_cost_usd,
    sum(cost_usd)::decimal(28, 9) as sessions_cost_usd,
    sum(steps_cost_usd)::decimal(28, 9) as steps_cost_usd,
    case when max(failure_mode) is null then 0 else sum(cost_usd) end::decimal(28, 9)
        as wasted_cost_usd,
    case when count(reported_cost_usd) > 0 then 'reported' else 'list_price' end as cost_basis,
    count(*) as agent_session_count,
    sum(step_count) as step_count,
    1 as rating_count,
    max(failure_mode) as failure_mode
from analytics_marts.fct_agent_sessions
group by run_key;

create table analytics_marts.mart_cost_per_interaction as
select
    run_date,
    workflow_name,
    trigger_type,
    count(*) as n_all,
    count(*) as n_used,
    0 as n_unfinished,
    count(*) as run_count,
    count(*) filter (where is_successful) as successful_run_count,
    sum(cost_usd)::decimal(28, 9) as cost_usd,
    sum(wasted_cost_usd)::decimal(28, 9) as wasted_cost_usd,
    sum(total_tokens) as total_tokens,
    0.6 as p50_cost_usd,
    0.6 as p90_cost_usd,
    0.6 as p95_cost_usd,
    0.6 as p99_cost_usd
from analytics_marts.fct_agent_runs
group by all;

create table analytics_marts.mart_agent_latency as
select
    session_date,
    agent_name,
    count(*) as n_all,
    count(*) as n_used,
    0 as n_unfinished,
    avg(duration_ms) as mean_duration_ms,
    1000.0 as p50_duration_ms,
    1000.0 as p90_duration_ms,
    1000.0 as p95_duration_ms,
    1000.0 as p99_duration_ms,
    sum(duration_ms) as duration_ms,
    sum(duration_ms) as llm_ms,
    0 as tool_ms,
    0 as other_ms,
    0 as slo_breach_count,
    0 as critical_path_session_count
from analytics_marts.fct_agent_sessions
group by all;

create table analytics_marts.mart_failure_modes as
select
    run_date as failure_date,
    'run' as grain,
    failure_mode,
    count(*) as failure_count,
    sum(wasted_cost_usd) as wasted_cost_usd
from analytics_marts.fct_agent_runs
where failure_mode is not null
group by all
union all
select session_date, 'session', failure_mode, count(*), sum(cost_usd)
from analytics_marts.fct_agent_sessions
where failure_mode is not null
group by all
union all
select step_date, 'step', failure_mode, count(*), sum(cost_usd)
from analytics_marts.fct_agent_steps
where failure_mode is not null
group by all;

create table analytics_audit.audit_event_ledger as
from (
    values
        ('ai_user_prompt_created', 45, 40, 5),
        ('ai_interaction_completed', 40, 40, 0),
        ('ai_agent_session_completed', 80, 80, 0),
        ('ai_agent_step_completed', 160, 160, 0),
        ('ai_user_action', 40, 40, 0)
) as ledger(source_table, raw_rows, accepted_rows, quarantined_rows);

create table analytics_audit.audit_quarantined_events as
select
    'quarantined ' || i as quarantined_event_key,
    'ai_user_prompt_created' as source_table,
    case when i < 4 then 'missing_interaction_id' else 'missing_event_id' end as quarantine_reason
from range(5) as numbers(i);
"""

# Every raw row was quarantined, so nothing was built.
NOTHING_ACCEPTED = (
    "update analytics_audit.audit_event_ledger set accepted_rows = 0, quarantined_rows = raw_rows;"
    "insert into analytics_audit.audit_quarantined_events "
    "select 'q', 'ai_user_action', 'missing_conversation_id' from range(40);"
) + "".join(
    f"delete from analytics_marts.{table};"
    for table in (
        "fct_agent_runs",
        "fct_agent_sessions",
        "fct_agent_steps",
        "fct_user_actions",
        "mart_cost_per_interaction",
        "mart_agent_latency",
        "mart_failure_modes",
    )
)

MONEY = ("cost_usd", "reported_cost_usd", "list_cost_usd", "sessions_cost_usd", "steps_cost_usd")


def times_100(table, *columns):
    changes = ", ".join(f"{column} = {column} * 100" for column in columns)
    return f"update {MARTS}.{table} set {changes};"


# All figures of all levels a hundred times too high, as if a sender had switched to cents …
REPORTED_IN_CENTS = (
    times_100("fct_agent_steps", "cost_usd", "reported_cost_usd")
    + times_100("fct_agent_sessions", "cost_usd", "reported_cost_usd", "steps_cost_usd")
    + times_100(
        "fct_agent_runs",
        "cost_usd",
        "reported_cost_usd",
        "sessions_cost_usd",
        "steps_cost_usd",
        "wasted_cost_usd",
    )
    + times_100("mart_cost_per_interaction", "cost_usd", "wasted_cost_usd")
    + times_100("mart_failure_modes", "wasted_cost_usd")
)
# … and as if the price list were wrong by the same factor.
EVERYTHING_TIMES_100 = (
    REPORTED_IN_CENTS
    + times_100("fct_agent_steps", "list_cost_usd")
    + times_100("fct_agent_sessions", "list_cost_usd")
    + times_100("fct_agent_runs", "list_cost_usd")
)

# What is done to the sound warehouse, and the critical expectations that must notice.
CORRUPTIONS = {
    "everything quarantined": (
        NOTHING_ACCEPTED,
        {"fct_agent_runs_row_count_in_band", "quarantined_share_in_band"},
    ),
    "too many actions quarantined": (
        "update analytics_audit.audit_event_ledger set quarantined_rows = 10, accepted_rows = 30 "
        "where source_table = 'ai_user_action';",
        {"quarantined_share_in_band"},
    ),
    "run costs times 100": (
        times_100("fct_agent_runs", "cost_usd"),
        {
            "run_cost_comes_from_its_basis",
            "reported_run_cost_near_list_price",
            "mean_run_cost_in_band",
            "cost_mart_equals_runs",
        },
    ),
    "session costs times 100": (
        times_100("fct_agent_sessions", "cost_usd"),
        {
            "session_cost_comes_from_its_basis",
            "mean_session_cost_in_band",
            "run_parts_equal_its_sessions_and_steps",
        },
    ),
    "step costs times 100": (
        times_100("fct_agent_steps", "cost_usd"),
        {
            "step_cost_comes_from_its_basis",
            "reported_step_cost_near_list_price",
            "mean_step_cost_in_band",
            "session_parts_equal_its_steps",
            "run_parts_equal_its_sessions_and_steps",
        },
    ),
    "everything reported in cents": (
        REPORTED_IN_CENTS,
        {"reported_step_cost_near_list_price", "reported_run_cost_near_list_price"},
    ),
    "all money times 100": (
        EVERYTHING_TIMES_100,
        {"list_cost_within_the_prices_of_the_model"},
    ),
    "negative cost": (
        f"update {MARTS}.fct_agent_runs set cost_usd = -cost_usd, reported_cost_usd = -cost_usd "
        "where cost_basis = 'reported';",
        {"run_cost_comes_from_its_basis", "cost_mart_equals_runs"},
    ),
    "one run lost": (
        f"delete from {MARTS}.fct_agent_runs where run_key = 'run 7';",
        {"cost_mart_equals_runs"},
    ),
    "all runs lost": (
        f"delete from {MARTS}.fct_agent_runs;",
        {"fct_agent_runs_row_count_in_band", "cost_mart_equals_runs", "failure_mart_equals_runs"},
    ),
    "sessions fanned out": (
        f"insert into {MARTS}.fct_agent_sessions from {MARTS}.fct_agent_sessions;"
        f"insert into {MARTS}.fct_agent_sessions from {MARTS}.fct_agent_sessions;",
        {
            "fct_agent_sessions_row_count_in_band",
            "run_counts_equal_its_sessions_and_steps",
            "latency_mart_equals_sessions",
            "failure_mart_equals_sessions",
        },
    ),
    "one step twice": (
        f"insert into {MARTS}.fct_agent_steps from {MARTS}.fct_agent_steps limit 1;",
        {
            "fct_agent_steps_has_every_accepted_event",
            "session_parts_equal_its_steps",
            "run_counts_equal_its_sessions_and_steps",
        },
    ),
    "single actions lost and changed": (
        f"delete from {MARTS}.fct_user_actions where action_key = 'action 3';"
        f"update {MARTS}.fct_user_actions set rating = 5 where action_key = 'action 4';"
        f"update {MARTS}.fct_user_actions set rating = null where action_key = 'action 5';",
        {
            "fct_user_actions_has_every_accepted_event",
            "ratings_are_shares",
            "run_ratings_equal_actions",
        },
    ),
    "single values of facts missing": (
        f"update {MARTS}.fct_agent_runs set started_at = null where run_key = 'run 1';"
        f"update {MARTS}.fct_agent_runs set failure_mode = null where run_key = 'run 0';"
        f"update {MARTS}.fct_agent_sessions set started_at = null where run_key = 'run 1';",
        {
            "runs_know_when_they_started",
            "failed_runs_have_a_mode",
            "failure_mart_equals_runs",
            "sessions_know_when_they_started",
        },
    ),
    "marts not built from these facts": (
        f"delete from {MARTS}.mart_failure_modes where grain = 'step';"
        f"update {MARTS}.mart_cost_per_interaction set p50_cost_usd = 9;"
        f"update {MARTS}.mart_agent_latency set p99_duration_ms = 1;"
        f"update {MARTS}.fct_agent_sessions set duration_ms = 7 where agent_session_key "
        "= 'session 4';",
        {
            "failure_mart_equals_steps",
            "cost_mart_is_consistent",
            "latency_mart_is_consistent",
            "latency_mart_equals_sessions",
        },
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("quality") / "sound.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SOUND_WAREHOUSE)
    return path


def changed(sound, folder, sql):
    """Return a copy of the sound warehouse after some SQL."""
    path = folder / "changed.duckdb"
    path.write_bytes(sound.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)
    return path


def check(path, folder):
    """Run the checkpoint; return its exit code and its findings that are not met."""
    results = folder / "results" / "checkpoint.json"
    code = run_checkpoint.main(["--warehouse", str(path), "--results", str(results)])
    # DuckDB keeps a file open as long as anything refers to it
    gc.collect()
    content = json.loads(results.read_text())
    assert content["is_success"] == (code == 0)
    return code, [finding for finding in content["findings"] if not finding["is_met"]]


def names(findings, severity):
    return {finding["name"] for finding in findings if finding["severity"] == severity}


def test_sound_warehouse_passes_and_is_not_touched(sound, tmp_path, capsys):
    before = hashlib.sha256(sound.read_bytes()).hexdigest()
    code, findings = check(sound, tmp_path)
    assert (code, findings) == (0, [])
    assert "expectations, 0 not met, 0 warning(s)" in capsys.readouterr().out
    assert hashlib.sha256(sound.read_bytes()).hexdigest() == before
    assert not sound.with_name("sound.duckdb.wal").exists()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruption_stops_the_build_and_is_named(sound, tmp_path, capsys, name):
    sql, expected = CORRUPTIONS[name]
    code, findings = check(changed(sound, tmp_path, sql), tmp_path)
    assert code == 1
    found = names(findings, "critical")
    assert expected <= found
    assert [finding["error"] for finding in findings if finding["error"]] == []
    output = capsys.readouterr().err
    assert all(f"error: {expectation} (" in output for expectation in expected)


def test_offending_rows_and_column_are_printed(sound, tmp_path, capsys):
    sql = times_100("fct_agent_runs", "cost_usd") + ";"
    check(changed(sound, tmp_path, sql), tmp_path)
    output = capsys.readouterr().err
    assert "error: run_cost_comes_from_its_basis (fct_agent_runs.cost_usd)" in output
    assert (
        "run_key=run 0  cost_basis=reported  cost_usd=60  reported_cost_usd=0.6  list_cost_usd=0.6"
        in output
    )
    assert "… 40 in all" in output


def test_every_critical_expectation_is_shown_to_fail():
    expected = set().union(*(expectations for _, expectations in CORRUPTIONS.values()))
    critical = {
        expectation["meta"]["name"]
        for file in run_checkpoint.SUITES_FOLDER.glob("*.json")
        for expectation in run_checkpoint.read_suite(file)["expectations"]
        if expectation["severity"] == "critical"
    }
    assert critical == expected


def test_quarantine_is_said_by_table_with_its_commonest_reason(sound, tmp_path, capsys):
    check(changed(sound, tmp_path, NOTHING_ACCEPTED), tmp_path)
    lines = capsys.readouterr().err.splitlines()
    assert (
        "  source_table=ai_user_action  raw_rows=40  quarantined_rows=40  quarantined_share=1.0  "
        "commonest_reason=missing_conversation_id"
    ) in lines
    assert (
        "  source_table=ai_user_prompt_created  raw_rows=45  quarantined_rows=45  "
        "quarantined_share=1.0  commonest_reason=missing_interaction_id"
    ) in lines


def test_few_reported_costs_say_nothing_about_the_unit(sound, tmp_path):
    """One run, or one step, that cost more than its tokens is no wrong unit."""
    sql = "".join(
        f"update {MARTS}.{table} set cost_basis = 'list_price' where {key} != '{only}';"
        f"update {MARTS}.{table} set list_cost_usd = list_cost_usd / 1000 where {key} = '{only}';"
        for table, key, only in (
            ("fct_agent_runs", "run_key", "run 0"),
            ("fct_agent_steps", "step_key", "step 0"),
        )
    )
    _, findings = check(changed(sound, tmp_path, sql), tmp_path)
    assert not {name for name in names(findings, "critical") if "near_list_price" in name}


@pytest.mark.parametrize("name", ["it's 100 %41 #1 &a=b.duckdb", '$HOME ${HOME} "quoted".duckdb'])
def test_odd_file_names_are_read(sound, tmp_path, name):
    path = tmp_path / "a folder" / name
    path.parent.mkdir()
    path.write_bytes(sound.read_bytes())
    assert check(path, tmp_path) == (0, [])


def one_line_of(capsys, *arguments):
    """Run the checkpoint, expect it to stop, and return the one line that it says."""
    with pytest.raises(SystemExit) as stop:
        run_checkpoint.main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1, error
    return error


def test_what_cannot_be_read_or_written_gives_one_line(sound, tmp_path, capsys):
    """A damaged table, a warehouse that is none, a place where no results can be."""
    path = changed(
        sound,
        tmp_path,
        f"insert into {MARTS}.fct_user_actions by name "
        "select md5(i::varchar) as action_key from range(100000) as numbers(i)",
    )
    damage(path, f"{MARTS}.fct_user_actions")
    results = ("--results", tmp_path / "results.json")
    assert f"{path} cannot be read: " in one_line_of(capsys, "--warehouse", path, *results)
    folder = ("--warehouse", tmp_path)
    assert "cannot be opened as a DuckDB file" in one_line_of(capsys, *folder, *results)
    for name, place in (("a", path / "results.json"), ("b", tmp_path)):
        warehouse = tmp_path / f"{name}.duckdb"
        warehouse.write_bytes(sound.read_bytes())
        error = one_line_of(capsys, "--warehouse", warehouse, "--results", place)
        assert str(place) in error or str(place.parent) in error


def test_sessions_that_end_with_a_response_are_measured(sound, tmp_path):
    """A team may send starts and responses but no completions; the mart counts these sessions."""
    sql = (
        f"update {MARTS}.fct_agent_sessions set has_completed_event = false, "
        "response_match_method = 'by_time' where run_key = 'run 3';"
    )
    assert check(changed(sound, tmp_path, sql), tmp_path) == (0, [])


def test_warning_is_printed_and_does_not_stop(sound, tmp_path, capsys):
    sql = f"update {MARTS}.fct_agent_runs set duration_ms = null;"
    code, findings = check(changed(sound, tmp_path, sql), tmp_path)
    assert code == 0
    assert names(findings, "warning") == {"runs_know_how_long_they_took"}
    output = capsys.readouterr().out
    assert "warning: runs_know_how_long_they_took (fct_agent_runs.duration_ms)" in output
    assert "0 not met, 1 warning(s)" in output


def test_missing_day_of_volume_is_a_warning(sound, tmp_path):
    # 60 runs a day for 20 days, but one on the day before the newest
    sql = f"""
        delete from {MARTS}.fct_agent_runs;
        insert into {MARTS}.fct_agent_runs by name
        select 'run ' || d || '/' || i as run_key, date '2026-01-01' + d::integer as run_date
        from range(20) as days(d) cross join range(60) as numbers(i)
        where d != 18 or i = 0;
    """
    _, findings = check(changed(sound, tmp_path, sql), tmp_path)
    (finding,) = (f for f in findings if f["name"] == "newest_days_have_usual_volume")
    assert finding["rows"] == [
        {"run_date": "2026-01-19", "run_count": "1", "usual_run_count": "60.0"}
    ]


def test_empty_warehouse_passes(sound, tmp_path):
    with duckdb.connect(str(sound), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where schema_name in ('analytics_marts', 'analytics_audit')"
        ).fetchall()
    sql = "".join(f"delete from {table};" for (table,) in tables)
    assert check(changed(sound, tmp_path, sql), tmp_path) == (0, [])


def test_query_that_cannot_run_counts_as_critical(sound, tmp_path, capsys):
    sql = f"alter table {MARTS}.mart_agent_latency rename column n_used to used;"
    code, findings = check(changed(sound, tmp_path, sql), tmp_path)
    assert code == 1
    assert "latency_mart_equals_sessions" in names(findings, "critical")
    assert "could not be evaluated: " in capsys.readouterr().err


def test_missing_table_or_file_gives_one_line(sound, tmp_path, capsys):
    sql = f"drop table {MARTS}.fct_agent_steps;"
    with pytest.raises(SystemExit):
        check(changed(sound, tmp_path, sql), tmp_path)
    error = capsys.readouterr().err
    assert "has no table analytics_marts.fct_agent_steps: run `dbt build` first" in error
    assert error.count("\n") == 1
    with pytest.raises(SystemExit):
        check(tmp_path / "absent.duckdb", tmp_path)
    assert "no warehouse at" in capsys.readouterr().err


def test_suites_are_complete(tmp_path, capsys):
    files = sorted(run_checkpoint.SUITES_FOLDER.glob("*.json"))
    assert [file.stem for file in files] == [
        "fct_agent_runs",
        "fct_agent_sessions",
        "fct_agent_steps",
        "fct_user_actions",
    ]
    suites = [run_checkpoint.read_suite(file) for file in files]
    expectations = [expectation for suite in suites for expectation in suite["expectations"]]
    found = [expectation["meta"]["name"] for expectation in expectations]
    assert len(found) == len(set(found))
    assert all(expectation["description"].endswith(".") for expectation in expectations)
    assert {expectation["severity"] for expectation in expectations} == {"critical", "warning"}
    broken = tmp_path / "broken.json"
    broken.write_text('{"table": ')
    with pytest.raises(SystemExit):
        run_checkpoint.read_suite(broken)
    assert f"{broken} is not valid JSON" in capsys.readouterr().err
    broken.write_text(json.dumps({"table": "fct_agent_runs", "key": []}))
    with pytest.raises(SystemExit):
        run_checkpoint.read_suite(broken)
    assert "'expectations' is missing" in capsys.readouterr().err


def test_readme_names_the_suites_folder():
    readme = Path(run_checkpoint.__file__).with_name("README.md").read_text()
    assert "`suites/`" in readme
