"""The build with progress: dbt's exit codes, one line at the end, a bar on a terminal only."""

from __future__ import annotations

import gc
import io
from collections import Counter
from types import SimpleNamespace

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from rich.console import Console
from rich.progress import Progress

from scripts import build_models
from scripts.warehouse import PROJECT_DIR
from tests.python.warehouses import Warehouse


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return a function that builds what is selected in a warehouse of its own."""
    warehouse = Warehouse(tmp_path)
    for name, value in warehouse.environment().items():
        monkeypatch.setenv(name, value)
    folders = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)]
    folders += ["--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs")]

    def run(*arguments):
        try:
            with warehouse.kept_parse():
                return build_models.main([*arguments, *folders, "--no-write-json"])
        finally:
            DuckDBConnectionManager.close_all_connections()
            gc.collect()

    return run


def test_one_line_without_a_terminal_and_the_exit_codes_of_dbt(build, capsys):
    assert build("--select", "status_words", "service_tiers") == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("Built and tested 2 seeds, ")
    assert " tests in " in line and line.endswith(" s")
    # its upstream tables are not there
    assert build("--select", "fct_user_actions", "--exclude-resource-type", "unit_test") == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("1 failed, 11 skipped")
    assert build("--no-such-flag") == 2
    assert "No such option" in capsys.readouterr().err


def event(name, kind="model", status="success", materialized="table", **data):
    """Return an event as dbt's callbacks get it."""
    node = SimpleNamespace(
        node_name="fct_[red]agent_runs",
        resource_type=kind,
        node_status=status,
        materialized=materialized,
    )
    return SimpleNamespace(
        info=SimpleNamespace(name=name), data=SimpleNamespace(node_info=node, **data)
    )


def test_a_terminal_shows_what_runs_and_how_much_is_left():
    screen = io.StringIO()
    progress = Progress(console=Console(file=screen, force_terminal=True, width=120))
    done = Counter()
    see = build_models.follow(progress, done)
    with progress:
        see(event("LogStartLine", index=3, total=12))
        [task] = progress.tasks
        assert (task.completed, task.total) == (2, 12)
    # a name is shown as it is
    assert "fct_[red]agent_runs" in screen.getvalue()


def test_what_ran_is_counted_by_kind():
    done = Counter()
    see = build_models.follow(Progress(), done)
    see(event("NodeFinished"))
    see(event("NodeFinished", status="error"))
    see(event("NodeFinished", materialized="ephemeral"))
    see(event("NodeFinished", kind="test", status="pass"))
    see(event("NodeFinished", kind="unit_test", status="fail"))
    see(event("NodeFinished", kind="test", status="skipped"))
    see(event("SQLQuery"))
    line = build_models.summary(done, 61.4)
    assert line == "Built and tested 2 models, 1 test, 1 unit test in 61 s; 2 failed, 1 skipped"
    assert build_models.summary(Counter(), 1) == "Built and tested nothing in 1 s"
