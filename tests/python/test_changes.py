"""What a change does to the tables: the comparison by hand, and one change really built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import duckdb
import pytest

from scripts.ci import changes
from scripts.ci.changes import State, Table, comparison
from scripts.reporting.numbers import Headline
from scripts.warehouse import MARTS_SCHEMA, PROJECT_DIR
from tests.python.warehouses import PROJECT_FILES, PROJECT_FOLDERS, Warehouse, errors_of, story


def state(cost, **tables):
    return State(
        {name: Table(rows, frozenset(columns), values) for name, (rows, columns, values) in
         tables.items()},
        [Headline("Runs", 4, None, "count"), Headline("Cost", cost, None, "usd")],
    )  # fmt: skip


def test_each_kind_of_change_has_its_line():
    before = state(
        1.5, same=(3, ["a"], 7), gone=(1, ["a"], 1), rows=(1200, ["a"], 1), values=(3, ["a"], 1),
        columns=(3, ["a", "b"], 1),
    )  # fmt: skip
    after = state(
        2.5, same=(3, ["a"], 7), new=(2, ["a"], 1), rows=(1300, ["a"], 2), values=(3, ["a"], 2),
        columns=(3, ["a", "c"], 2),
    )  # fmt: skip
    lines = comparison(before, after).splitlines()
    assert "| Runs | 4 | 4 |" in lines
    assert "| Cost | 1.50 USD | **2.50 USD** |" in lines
    assert lines[lines.index("| table | rows before | rows now | what changed |") + 2 :] == [
        "| columns | 3 | 3 | + c, - b |",
        "| gone | 1 |  | gone |",
        "| new |  | 2 | new table |",
        "| rows | 1,200 | 1,300 | rows |",
        "| values | 3 | 3 | values |",
        "",
        "1 tables are the same, row for row.",
    ]


def test_values_are_compared_whatever_the_order_of_rows(tmp_path):
    found = []
    contents = ["(1, 'a'), (2, 'b')", "(2, 'b'), (1, 'a')", "(1, 'b'), (2, 'a')"]
    contents += ["(3, 'c'), (3, 'c')", "(4, 'd'), (4, 'd')"]
    for number, rows in enumerate(contents):
        path = tmp_path / f"{number}.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"create schema {MARTS_SCHEMA}")
            connection.execute(
                f"create table {MARTS_SCHEMA}.t as from (values {rows}) as v(number, name)"
            )
            found.append(
                changes.read_table(connection, MARTS_SCHEMA, "t", ["number BIGINT", "name VARCHAR"])
            )
    assert found[0] == found[1]
    assert len(set(found)) == 4
    assert found[0].rows == 2


@pytest.mark.parametrize("action", ["save", "build"])
def test_a_missing_build_is_one_line(tmp_path, monkeypatch, capsys, action):
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("AGENT_ANALYTICS_DUCKDB_PATH", str(tmp_path / "none.duckdb"))
    with pytest.raises(SystemExit):
        changes.main([action, str(tmp_path / "production")])
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}") and "is not there: run " in line


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_only_what_changed_is_built_and_its_effect_is_said(tmp_path):
    """A rule is changed in a copy of the project; production stays as it was."""
    project = tmp_path / "project"
    for name in (*PROJECT_FOLDERS, "scripts"):
        shutil.copytree(PROJECT_DIR / name, project / name)
    for name in PROJECT_FILES:
        shutil.copyfile(PROJECT_DIR / name, project / name)
    warehouse = Warehouse(tmp_path, project, keeps_artifacts=True)
    warehouse.path = tmp_path / "agent_analytics.duckdb"
    for table, rows in story().items():
        warehouse.create(table, rows)
    result = warehouse.dbt("build", "--resource-type", "seed", "--resource-type", "model")
    assert result.success, errors_of(result)
    production = tmp_path / "production"
    production.mkdir()
    shutil.copyfile(tmp_path / "target/manifest.json", production / "manifest.json")
    shutil.copyfile(warehouse.path, production / warehouse.path.name)

    mart = project / "models/marts/quality/mart_quality.sql"
    text = mart.read_text("utf-8")
    mart.write_text(text.replace("cast(count(*) as ", "cast(count(*) + 1 as "))
    assert mart.read_text("utf-8") != text
    comment = tmp_path / "changes.md"
    done = subprocess.run(
        [sys.executable, "scripts/ci/changes.py", "build", production, "--comment", comment],
        cwd=project,
        env=os.environ | {"AGENT_ANALYTICS_DUCKDB_PATH": str(warehouse.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in comment.read_text("utf-8").splitlines() if "| analytics_" in line]
    assert lines == ["| analytics_marts.mart_quality | 1 | 1 | values |"], done.stdout + done.stderr
    with duckdb.connect(str(production / warehouse.path.name), read_only=True) as connection:
        assert connection.execute(
            f"select sum(run_count) from {MARTS_SCHEMA}.mart_quality"
        ).fetchall() == [(1,)]
