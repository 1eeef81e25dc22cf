"""Publishing: a complete copy or none, the old file kept, readers undisturbed; and the summary."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from scripts import publish_marts, summarize
from scripts.quality import run_checkpoint
from scripts.warehouse import AUDIT_SCHEMA, MARTS_SCHEMA, STATE_SCHEMA
from tests.python.warehouses import damage

WHOLE = [("a", "whole", None), ("a", "end", True)]


@pytest.fixture
def files(tmp_path, monkeypatch):
    work = tmp_path / "warehouse" / "work.duckdb"
    published = tmp_path / "published folder" / "published.duckdb"
    work.parent.mkdir()
    monkeypatch.setenv("AGENT_ANALYTICS_DUCKDB_PATH", str(work))
    monkeypatch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(published))
    return work, published


def build(work, cost="1.25", rows=3):
    """Write a warehouse with two marts and two tables that must not be published."""
    with duckdb.connect(str(work)) as connection:
        connection.execute(
            f"""
            create schema if not exists {MARTS_SCHEMA};
            create schema if not exists analytics_staging;
            create or replace table {MARTS_SCHEMA}.fct_agent_runs as
                select 'run ' || i as run_key, {cost}::decimal(28, 9) as cost_usd,
                    timestamp '2026-01-01 23:30:00' as started_at
                from range({rows}) as numbers(i);
            create or replace table {MARTS_SCHEMA}."odd ""name" as select 1 as "a ""b";
            comment on table {MARTS_SCHEMA}.fct_agent_runs is 'One row per run; it''s tested.';
            comment on column {MARTS_SCHEMA}.fct_agent_runs.cost_usd is 'US dollars';
            create or replace table analytics_staging.secret as select 'text' as prompt_text;
            create or replace table {MARTS_SCHEMA}.notes_of_somebody as select 1 as note;
            create schema if not exists {AUDIT_SCHEMA};
            create or replace table {AUDIT_SCHEMA}.audit_quarantined_events as select 1 as event_id;
            """
        )
        create_audits(connection)
    record(work, WHOLE)


def create_audits(connection):
    """Create the audits that are published, with one row each."""
    for table in publish_marts.AUDIT_TABLES:
        connection.execute(
            f"create or replace table {AUDIT_SCHEMA}.{table} as select 'ok' as check_name"
        )


def record(work, invocations, tables=("fct_agent_runs", 'odd "name')):
    """Write down what dbt commands did, as dbt does: rows of invocation, kind and outcome."""
    with duckdb.connect(str(work)) as connection:
        connection.execute(
            f"""
            create schema if not exists {STATE_SCHEMA};
            create or replace table {STATE_SCHEMA}.state_invocations (
                invocation_id varchar, kind varchar, is_passed boolean, mart_tables varchar,
                recorded_at timestamp
            )
            """
        )
        if not invocations:
            return
        connection.executemany(
            f"insert into {STATE_SCHEMA}.state_invocations "
            "values (?, ?, ?, ?, timestamp '2026-01-01' + to_seconds(?))",
            [
                (invocation, kind, is_passed, "" if kind == "end" else "\n".join(tables), second)
                for second, (invocation, kind, is_passed) in enumerate(invocations)
            ],
        )


def refused(capsys):
    """Publish, expect a refusal, and return the one line that it says."""
    with pytest.raises(SystemExit) as stop:
        publish_marts.main([])
    assert stop.value.code in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1, error
    return error


def query(path, sql):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def leftovers(published):
    return [path.name for path in published.parent.iterdir() if path != published]


def test_tables_comments_and_record_are_published(files, capsys):
    work, published = files
    build(work)
    assert publish_marts.main([]) == 0
    assert "Published 11 tables with 12 rows" in capsys.readouterr().out
    assert query(published, f"select run_key, cost_usd from {MARTS_SCHEMA}.fct_agent_runs") == (
        query(work, f"select run_key, cost_usd from {MARTS_SCHEMA}.fct_agent_runs")
    )
    assert query(published, f'select "a ""b" from {MARTS_SCHEMA}."odd ""name"') == [(1,)]
    assert query(
        published, "select comment from duckdb_tables() where table_name = 'fct_agent_runs'"
    ) == [("One row per run; it's tested.",)]
    assert query(
        published, "select comment from duckdb_columns() where column_name = 'cost_usd'"
    ) == [("US dollars",)]
    assert query(
        published,
        f"select source_file, table_name, row_count from {MARTS_SCHEMA}.publication order by 2",
    ) == [
        *(("work.duckdb", table, 1) for table in publish_marts.AUDIT_TABLES),
        ("work.duckdb", "fct_agent_runs", 3),
        ("work.duckdb", 'odd "name', 1),
        ("work.duckdb", "quality_checkpoint", 0),
    ]
    # neither the notes, nor the secret, nor an audit whose rows are single events
    schemas = "select schema_name, count(*) from duckdb_tables() group by all"
    assert dict(query(published, schemas)) == {MARTS_SCHEMA: 3, AUDIT_SCHEMA: 9}
    assert leftovers(published) == []


def test_missing_audit_is_refused(files, capsys):
    work, published = files
    build(work)
    with duckdb.connect(str(work)) as connection:
        connection.execute(f"drop table {AUDIT_SCHEMA}.audit_event_ledger")
    assert f"no table {AUDIT_SCHEMA}.audit_event_ledger: run `dbt build`" in refused(capsys)
    assert not published.exists()


@pytest.mark.parametrize(
    ("warehouse", "expected"),
    [
        ("work.duckdb", [("2026-01-02 01:00:00", "ids_are_whole", False, 7)]),
        ("other.duckdb", []),
        (None, []),
    ],
)
def test_results_of_the_checkpoint_of_this_warehouse_are_published(
    files, monkeypatch, warehouse, expected
):
    """What was found, without the rows; of another warehouse, or unreadable, nothing."""
    work, published = files
    build(work)
    results = work.parent / "checkpoint.json"
    monkeypatch.setattr(publish_marts, "RESULTS_FILE", results)
    finding = run_checkpoint.Finding(
        "fct_agent_runs", "ids_are_whole", "", "warning", False, "says", "", 7, [{"key": "secret"}]
    )
    run_checkpoint.write_results(results, work.parent / str(warehouse), [finding])
    text = results.read_text("utf-8")
    [checked_at] = re.findall(r'"checked_at": "(.*?)"', text)
    text = text.replace(checked_at, "2026-01-02T02:00:00+01:00")
    results.write_text(text if warehouse else "{", "utf-8")
    publish_marts.main([])
    table = f"{AUDIT_SCHEMA}.quality_checkpoint"
    columns = "checked_at::varchar, expectation, is_met, row_count"
    assert query(published, f"select {columns} from {table}") == expected
    assert "secret" not in str(query(published, f"from {table}"))


def test_published_file_has_the_old_storage_format(files):
    work, published = files
    build(work)
    publish_marts.main([])
    with duckdb.connect(str(published), read_only=True) as connection:
        (tags,) = connection.execute(
            "select tags from duckdb_databases() where database_name = 'published'"
        ).fetchall()[0]
    assert tags["storage_version"].startswith("v1.0.0"), tags


def test_reader_keeps_the_old_figures_until_it_connects_again(files):
    work, published = files
    build(work, cost="1.25")
    publish_marts.main([])
    sql = f"select sum(cost_usd) from {MARTS_SCHEMA}.fct_agent_runs"
    with duckdb.connect(str(published), read_only=True) as reader:
        before = reader.execute(sql).fetchall()
        build(work, cost="2.50")
        assert publish_marts.main([]) == 0
        assert reader.execute(sql).fetchall() == before
    assert query(published, sql)[0][0] == 2 * before[0][0]


def test_warehouse_without_marts_is_refused_and_the_old_file_stays(files, capsys):
    work, published = files
    build(work)
    publish_marts.main([])
    before = published.read_bytes()
    with duckdb.connect(str(work)) as connection:
        connection.execute(f"drop schema {MARTS_SCHEMA} cascade")
    assert f"has no table {MARTS_SCHEMA}.fct_agent_runs: run `dbt build`" in refused(capsys)
    assert published.read_bytes() == before
    assert leftovers(published) == []


PART = [("b", "part", None), ("b", "end", True)]
FAILED = [("a", "whole", None), ("a", "end", False)]
RETRY = [("c", "retry", None), ("c", "end", True)]
FAILED_RETRY = [("d", "retry", None), ("d", "end", False)]
REFUSED_BUILDS = {
    "none": ([], "no build of all models is recorded"),
    "part only": (PART, "no build of all models is recorded"),
    "killed": ([*WHOLE, ("b", "part", None)], "has not ended or was killed"),
    "killed, then retried": ([("a", "whole", None), *RETRY], "has not ended or was killed"),
    "failed": (FAILED, "the last build failed"),
    "failed, then a part": ([*FAILED, *PART], "the last build failed"),
    "failed retry": ([*FAILED, *FAILED_RETRY], "the last build failed"),
    "part failed": ([*WHOLE, ("b", "part", None), ("b", "end", False)], "the last build failed"),
    "run": ([*WHOLE, ("b", "untested", None), ("b", "end", True)], "tested nothing"),
}
PUBLISHED_BUILDS = {
    "whole": WHOLE,
    "whole, then a part": [*WHOLE, *PART],
    "failed, then retried": [*FAILED, *RETRY],
    "failed twice, then retried": [*FAILED, *FAILED_RETRY, *RETRY],
    "retried, then a part": [*FAILED, *RETRY, *PART],
}


@pytest.mark.parametrize("name", REFUSED_BUILDS)
def test_only_a_build_that_ended_and_passed_is_published(files, capsys, name):
    work, published = files
    invocations, reason = REFUSED_BUILDS[name]
    build(work)
    record(work, invocations)
    error = refused(capsys)
    assert reason in error and "run `dbt build`" in error
    assert not published.exists()


@pytest.mark.parametrize("name", PUBLISHED_BUILDS)
def test_build_that_was_mended_or_added_to_is_published(files, name):
    work, _ = files
    build(work)
    record(work, PUBLISHED_BUILDS[name])
    assert publish_marts.main([]) == 0


def test_warehouse_of_an_older_release_is_refused(files, capsys):
    work, _ = files
    build(work)
    with duckdb.connect(str(work)) as connection:
        connection.execute(f"drop table {STATE_SCHEMA}.state_invocations")
    assert "no build is recorded; run `dbt build`" in refused(capsys)


@pytest.mark.parametrize("step", ["copy_comments", "compare", "record_publication"])
def test_failure_half_way_leaves_the_old_file(files, monkeypatch, capsys, step):
    work, published = files
    build(work)
    publish_marts.main([])
    before = published.read_bytes()
    build(work, rows=9)

    def break_down(*arguments):
        raise duckdb.IOException("disk is full")

    monkeypatch.setattr(publish_marts, step, break_down)
    with pytest.raises(SystemExit) as stop:
        publish_marts.main([])
    assert stop.value.code == 1
    assert "was not published: disk is full" in capsys.readouterr().err
    assert published.read_bytes() == before
    assert leftovers(published) == []


def test_incomplete_copy_is_noticed(files, capsys):
    work, _ = files
    build(work)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{work}' as source (read_only)")
        connection.execute("attach ':memory:' as draft")
        connection.execute(f"create schema draft.{MARTS_SCHEMA}")
        name = f"{MARTS_SCHEMA}.fct_agent_runs"
        connection.execute(f"create table draft.{name} as from source.{name} limit 2")
        with pytest.raises(SystemExit):
            publish_marts.compare(connection, name)
    assert "has 3 rows but its copy has 2" in capsys.readouterr().err


def test_missing_and_unusable_files_give_one_line(files, capsys):
    work, _ = files
    with pytest.raises(SystemExit):
        publish_marts.main([])
    assert "no warehouse at" in capsys.readouterr().err
    work.write_text("not a database")
    with pytest.raises(SystemExit):
        publish_marts.main([])
    assert "cannot be opened as a DuckDB file" in capsys.readouterr().err


def spellings(work):
    """Return other ways to write the path of the warehouse."""
    link, hard_link = (work.parent.parent / name for name in ("link.duckdb", "hard.duckdb"))
    folder = work.parent.parent / "folder"
    link.symlink_to(work)
    os.link(work, hard_link)
    folder.symlink_to(work.parent)
    return {
        "itself": work,
        "dots": work.parent / ".." / work.parent.name / work.name,
        "relative": Path(os.path.relpath(work)),
        "symlink": link,
        "hard link": hard_link,
        "symlinked folder": folder / work.name,
        "its log": Path(f"{work}.wal"),
        "its log by a symlinked folder": folder / f"{work.name}.wal",
    }


def test_warehouse_is_never_overwritten(files, capsys, monkeypatch):
    work, _ = files
    build(work)
    before = work.read_bytes()
    for name, target in spellings(work).items():
        monkeypatch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(target))
        assert "are the same file" in refused(capsys), name
        assert work.read_bytes() == before, name


OTHER_CONTENTS = {
    "a table of another schema": ("create table main.mine as select 1 as id", "main.mine"),
    "a view": ("create view mine as select 1 as id", "main.mine"),
    "marts that were built there": (
        f"create schema {MARTS_SCHEMA}; create table {MARTS_SCHEMA}.fct as select 1 as id",
        f"{MARTS_SCHEMA}.fct",
    ),
}


@pytest.mark.parametrize("name", OTHER_CONTENTS)
def test_file_that_holds_something_else_stays(files, capsys, name):
    work, published = files
    sql, found = OTHER_CONTENTS[name]
    build(work)
    published.parent.mkdir()
    with duckdb.connect(str(published)) as connection:
        connection.execute(sql)
    before = published.read_bytes()
    error = refused(capsys)
    assert f"{published} holds {found}, which was not published and would be lost" in error
    assert published.read_bytes() == before
    published.write_text("a letter")
    assert "cannot be opened as a DuckDB file" in refused(capsys)
    assert published.read_text() == "a letter"


def test_empty_database_and_link_to_a_published_file_are_written(files):
    work, published = files
    build(work)
    published.parent.mkdir()
    elsewhere = published.with_name("elsewhere.duckdb")
    duckdb.connect(str(elsewhere)).close()
    published.symlink_to(elsewhere)
    assert publish_marts.main([]) == 0
    assert published.is_symlink()
    assert query(elsewhere, f"select count(*) from {MARTS_SCHEMA}.fct_agent_runs") == [(3,)]


def test_drafts_of_killed_publishers_are_removed_and_no_others(files):
    work, published = files
    build(work)
    published.parent.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = [f"{published.name}.{ended.pid}.tmp", f"{published.name}.{ended.pid}.tmp.wal"]
    others = [
        f"{published.name}.{os.getppid()}.tmp",
        f"other.duckdb.{ended.pid}.tmp",
        f"{published.name}.mine.tmp",
    ]
    for name in own + others:
        (published.parent / name).touch()
    assert publish_marts.main([]) == 0
    assert sorted(leftovers(published)) == sorted(others)


@pytest.mark.parametrize("name", ["name", "{MARTS}", "temp", "source"])
def test_names_that_duckdb_cannot_tell_apart_are_refused(files, capsys, monkeypatch, name):
    work, published = files
    build(work)
    name = name.replace("{MARTS}", MARTS_SCHEMA)
    target = published.with_name(f"{name}.duckdb")
    monkeypatch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(target))
    if name == "name":
        assert publish_marts.main([]) == 0
    else:
        assert "must not be named like" in refused(capsys)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("file/published.duckdb", "cannot be created as a folder: File exists"),
        ("file/below/published.duckdb", "cannot be created as a folder: Not a directory"),
        ("folder", "cannot be opened as a DuckDB file"),
        ('it\'s 100 % "odd" #1.duckdb', None),
    ],
)
def test_places_where_no_file_can_be_give_one_line(files, capsys, monkeypatch, target, reason):
    work, _ = files
    build(work)
    work.with_name("file").write_text("a letter")
    work.with_name("folder").mkdir()
    monkeypatch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(work.parent / target))
    if reason is None:
        assert publish_marts.main([]) == 0
    else:
        assert reason in refused(capsys)


def test_damaged_table_gives_one_line(files, capsys):
    work, published = files
    build(work, rows=100_000)
    publish_marts.main([])
    before = published.read_bytes()
    damage(work, f"{MARTS_SCHEMA}.fct_agent_runs")
    assert "was not published: " in refused(capsys)
    assert published.read_bytes() == before
    assert leftovers(published) == []


# --- summary ------------------------------------------------------------------------------------


def build_facts(work, rows):
    """Write the facts and a raw table the summary reads; `rows` are runs."""
    with duckdb.connect(str(work)) as connection:
        connection.execute(
            f"""
            create schema {MARTS_SCHEMA};
            create schema rudderstack;
            create table rudderstack.ai_user_action as select range as id from range(1234);
            create table {MARTS_SCHEMA}.fct_agent_sessions as select range as id from range(7);
            create table {MARTS_SCHEMA}.fct_agent_steps as select range as id from range(21);
            create table {MARTS_SCHEMA}.fct_agent_runs (
                run_status varchar, is_final boolean, is_successful boolean,
                cost_usd decimal(28, 9),
                wasted_cost_usd decimal(28, 9), failure_mode varchar, failure_category varchar
            );
            create table {MARTS_SCHEMA}.mart_cost_per_interaction as select 42 as run_count;
            create schema {AUDIT_SCHEMA};
            create table {AUDIT_SCHEMA}.audit_quarantined_events
                (source_table varchar, quarantine_reason varchar);
            """
        )
        create_audits(connection)
        if rows:
            connection.executemany(
                f"insert into {MARTS_SCHEMA}.fct_agent_runs values (?, ?, ?, ?, ?, ?, ?)", rows
            )


RUNS = [
    ("success", True, True, "1.5", None, None, None),
    ("success", True, True, "2.25", None, None, None),
    ("error", True, False, "0.5", "0.5", "rate_limited", "model_error"),
    ("error", True, False, None, None, "rate_limited", "model_error"),
    ("in_progress", False, None, None, None, None, None),
]


def exported(folder):
    """Return the run keys of an export, read as a tool that knows Parquet would."""
    file = folder / "fct_agent_runs.parquet"
    return [key for (key,) in duckdb.execute(f"select run_key from '{file}' order by 1").fetchall()]


def test_parquet_has_every_published_table(files, tmp_path, capsys):
    work, published = files
    build(work)
    folder = tmp_path / "new" / "lake"
    assert publish_marts.main(["--parquet", str(folder)]) == 0
    names = sorted(path.name.removesuffix(".parquet") for path in folder.iterdir())
    assert {"fct_agent_runs", 'odd "name', "publication"} <= set(names)
    assert capsys.readouterr().out.endswith(f"Wrote {len(names)} Parquet files to {folder}\n")
    with duckdb.connect(str(published), read_only=True) as connection:
        tables = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
        assert names == sorted(name for (name,) in tables)
        for name in ("fct_agent_runs", "publication"):
            table = f"{MARTS_SCHEMA}.{name}"
            assert connection.execute(f"from '{folder / name}.parquet'").fetchall() == (
                connection.execute(f"from {table}").fetchall()
            )
            assert connection.execute(f"describe '{folder / name}.parquet'").fetchall() == (
                connection.execute(f"describe {table}").fetchall()
            )


def test_a_reader_of_parquet_keeps_its_copy_until_the_one_after_the_next(files, tmp_path):
    work, _ = files
    folder = tmp_path / "lake"
    copies = []
    for rows in (1, 2, 3):
        build(work, rows=rows)
        assert publish_marts.main(["--parquet", str(folder)]) == 0
        assert len(exported(folder)) == rows
        copies.append(folder.resolve())
    assert not copies[0].exists()
    assert len(exported(copies[1])) == 2
    assert sorted(tmp_path.glob("lake*")) == [folder, copies[1], copies[2]]


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_parquet_takes_the_place_of_nothing_else(files, tmp_path, capsys, kind):
    work, published = files
    build(work)
    folder = tmp_path / "mine"
    if kind == "folder":
        folder.mkdir()
        (folder / "thesis.txt").write_text("mine")
    elif kind == "file":
        folder.write_text("mine")
    else:
        folder.symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(SystemExit):
        publish_marts.main(["--parquet", str(folder)])
    assert "choose another --parquet DIR" in capsys.readouterr().err
    assert not published.exists()
    assert folder.exists()


def test_parquet_that_cannot_be_written_leaves_the_last_copy(files, tmp_path, capsys, monkeypatch):
    work, _ = files
    folder = tmp_path / "lake"
    build(work, rows=1)
    assert publish_marts.main(["--parquet", str(folder)]) == 0
    build(work, rows=2)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "symlink_to", full)
    with pytest.raises(SystemExit):
        publish_marts.main(["--parquet", str(folder)])
    assert "cannot be written: [Errno 28] No space left on device" in capsys.readouterr().err
    assert len(exported(folder)) == 1
    assert len(list(tmp_path.glob("lake*"))) == 2


def test_summary_gives_counts_cost_and_success_rate(files, capsys):
    work, _ = files
    build_facts(work, RUNS)
    assert summarize.main([]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "ai_user_action 1,234" in lines
    assert "Runs 5" in lines
    assert "Agent sessions 7" in lines
    assert "Steps 21" in lines
    assert "Cost 4.25 USD, 2 run(s) without a cost" in lines
    assert "Success rate 50.0 % of 4 ended runs" in lines
    assert "rate_limited model_error 2 0.50 USD" in lines
    assert not any("\x1b" in line or "│" in line for line in lines)


def test_summary_says_what_was_quarantined_and_why(files, capsys):
    work, _ = files
    build_facts(work, RUNS)
    with duckdb.connect(str(work)) as connection:
        connection.execute(
            f"insert into {AUDIT_SCHEMA}.audit_quarantined_events "
            "select 'ai_user_action', 'missing_conversation_id' from range(1200) "
            "union all select 'ai_user_prompt_created', 'missing_event_time' from range(7)"
        )
    assert summarize.main([]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    start = lines.index("Quarantined events, which no fact counts")
    assert lines[start + 1 : start + 4] == [
        "Reason Table Rows",
        "missing_conversation_id ai_user_action 1,200",
        "missing_event_time ai_user_prompt_created 7",
    ]


def test_summary_names_event_tables_that_no_model_reads(files, capsys):
    work, _ = files
    build_facts(work, RUNS)
    summarize.main([])
    assert "no model reads" not in capsys.readouterr().out
    with duckdb.connect(str(work)) as connection:
        connection.execute("create table rudderstack.ai_llm_response_received as from range(1500)")
        connection.execute("create table rudderstack.MCP_tool_called as from range(2)")
        connection.execute("create table rudderstack.order_completed as from range(3)")
        connection.execute("create table rudderstack.rudder_discards as from range(3)")
    assert summarize.main([]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    start = lines.index("Event tables that no model reads, see docs/raw_events.md")
    assert lines[start + 1 : start + 4] == [
        "MCP_tool_called 2",
        "ai_llm_response_received 1,500",
        "Results",
    ]


def test_summary_of_a_damaged_warehouse_is_one_line(files, capsys):
    work, _ = files
    build_facts(work, RUNS)
    damage(work, f"{MARTS_SCHEMA}.fct_agent_runs")
    with pytest.raises(SystemExit):
        summarize.main([])
    error = capsys.readouterr().err
    assert f"error: {work} cannot be read: " in error and error.count("\n") == 1


def test_summary_of_empty_facts(files, capsys):
    work, _ = files
    build_facts(work, [])
    assert summarize.main([]) == 0
    output = capsys.readouterr().out
    assert "Cost            not known, 0 run(s) without a cost" in output
    assert "no ended run" in output
    assert "Most frequent failures" not in output


def test_summary_names_the_published_file_and_a_command_that_opens_it(files, capsys):
    work, published = files
    build_facts(work, RUNS)
    record(work, WHOLE, ["fct_agent_runs", "mart_cost_per_interaction"])
    publish_marts.main([])
    capsys.readouterr()
    summarize.main([])
    lines = capsys.readouterr().out.splitlines()
    assert f"Published for BI tools: {published}" in lines
    assert "Next: make dashboard, to see it in a browser" in lines
    (command,) = (line for line in lines if line.startswith("Look inside: "))
    program = shlex.split(command.removeprefix("Look inside: "))
    found = subprocess.run(
        [sys.executable, *program[1:]], capture_output=True, text=True, check=True
    )
    assert "42" in found.stdout


def test_summary_before_a_build_gives_one_line(files, capsys):
    work, _ = files
    duckdb.connect(str(work)).close()
    with pytest.raises(SystemExit) as stop:
        summarize.main([])
    assert stop.value.code == 1
    assert "run `dbt build` first" in capsys.readouterr().err
