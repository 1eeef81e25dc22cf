"""What `make build` loads before dbt runs: given files, what is there, or a generated sample."""

from __future__ import annotations

import json
import os
import threading

import pytest

from scripts import generate_events, prepare_events
from scripts.warehouse import connect
from tests.python.loads import contents, differences
from tests.python.warehouses import FACTS, UP_TO_FACTS, Warehouse, errors_of

pytestmark = pytest.mark.xdist_group("prepare_events")


@pytest.fixture
def warehouse(tmp_path, monkeypatch):
    """Return a warehouse that the script finds, with a small sample to come."""
    found = Warehouse(tmp_path / "warehouse")
    found.folder.mkdir()
    monkeypatch.setenv("AGENT_ANALYTICS_DUCKDB_PATH", str(found.path))
    monkeypatch.setattr(prepare_events, "SAMPLE_ARGUMENTS", ["--runs", "20", "--seed", "1"])
    return found


@pytest.fixture
def given(tmp_path):
    """Return a file of other events than those of the sample."""
    folder = tmp_path / "given"
    assert generate_events.main(["--out", str(folder), "--runs", "10", "--seed", "2"]) == 0
    return folder / "events.ndjson"


def build(warehouse, *arguments):
    """Build the facts and the ledger."""
    result = warehouse.dbt("run", *UP_TO_FACTS, "+audit_event_ledger", *arguments)
    assert result.success, errors_of(result)


def test_nothing_of_the_sample_stays_beside_given_events(warehouse, given):
    """Facts and audit are what they would be if there had never been a sample."""
    warehouse.fresh()
    assert prepare_events.main([]) == 0
    build(warehouse)
    sample_runs = warehouse.query("select count(*) from analytics_marts.fct_agent_runs")
    with connect(warehouse.path) as connection:
        connection.execute("create schema analyticsother")
        connection.execute("create table analyticsother.mine as select 1 as kept")
    assert prepare_events.main([str(given)]) == 0
    build(warehouse)
    lines = given.read_text(encoding="utf-8").splitlines()
    expected = {json.loads(line)["properties"]["interaction_id"] for line in lines}
    for fact in FACTS:
        found = warehouse.query(f"select distinct interaction_id from analytics_marts.{fact}")
        assert {identity for (identity,) in found} <= expected, fact
    runs = warehouse.query("select count(*) from analytics_marts.fct_agent_runs")
    assert runs == [(len(expected),)] and runs != sample_runs
    assert warehouse.query("select kept from analyticsother.mine") == [(1,)]
    before = contents(warehouse.path)
    build(warehouse, "--full-refresh")
    assert differences(before, contents(warehouse.path)) == []


def test_sample_and_what_was_built_come_back_when_files_do_not_load(warehouse, tmp_path):
    """A file that cannot be read leaves the warehouse as it was."""
    assert prepare_events.main([]) == 0
    with connect(warehouse.path) as connection:
        connection.execute("create schema analytics_marts")
        connection.execute("create table analytics_marts.fct_agent_runs as select 1 as built")
        prompts = connection.execute(
            "select count(*) from rudderstack.ai_user_prompt_created"
        ).fetchall()
    broken = tmp_path / "broken.ndjson.gz"
    broken.write_text("no gzip")
    with pytest.raises(SystemExit):
        prepare_events.main([str(broken)])
    assert warehouse.query("select built from analytics_marts.fct_agent_runs") == [(1,)]
    assert warehouse.query("select count(*) from rudderstack.ai_user_prompt_created") == prompts
    assert prepare_events.sample_marker(warehouse.path).exists()


def test_sample_comes_back_when_no_event_is_accepted(warehouse, tmp_path, capsys):
    """Events without a user replace nothing: yesterday's marts stay."""
    assert prepare_events.main([]) == 0
    with connect(warehouse.path) as connection:
        connection.execute("create schema analytics_marts")
        connection.execute("create table analytics_marts.fct_agent_runs as select 1 as built")
    useless = tmp_path / "useless.ndjson"
    useless.write_text('{"type": "track", "event": "ai_user_action"}\n')
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        prepare_events.main([str(useless)])
    assert stop.value.code == 1
    output, error = capsys.readouterr()
    assert "rejected 1: neither userId nor anonymousId is given" in output
    assert error.startswith("error: no event was accepted")
    assert "the generated sample is there again" in output
    assert warehouse.query("select built from analytics_marts.fct_agent_runs") == [(1,)]
    assert prepare_events.sample_marker(warehouse.path).exists()


def test_rejects_alone_are_no_events_to_keep(warehouse, tmp_path):
    """A first load that accepted nothing does not stand in the way of the sample."""
    useless = tmp_path / "useless.ndjson"
    useless.write_text("no event\n")
    with pytest.raises(SystemExit):
        prepare_events.main([str(useless)])
    assert prepare_events.main([]) == 0
    assert prepare_events.sample_marker(warehouse.path).exists()


def test_pipe_is_loaded_and_directory_and_missing_file_are_named(
    warehouse, given, tmp_path, capsys
):
    """What cannot be loaded is said before the sample is touched."""
    assert prepare_events.main([]) == 0
    before = warehouse.path.stat().st_mtime_ns
    for name, reason in (
        (tmp_path, "is a directory: name the NDJSON files in it"),
        (tmp_path / "*.gz", "no such file: check the path"),
    ):
        with pytest.raises(SystemExit):
            prepare_events.main([str(name)])
        error = capsys.readouterr().err
        assert error.startswith("error: ") and reason in error and error.count("\n") == 1
    assert warehouse.path.stat().st_mtime_ns == before
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(given.read_bytes()))
    writer.start()
    assert prepare_events.main([str(pipe)]) == 0
    writer.join()
    assert not prepare_events.sample_marker(warehouse.path).exists()
