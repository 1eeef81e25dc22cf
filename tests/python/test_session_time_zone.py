"""A profile that says nothing of time zones, on a machine in New York, gives what UTC gives."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import yaml

from scripts.warehouse import PROJECT_DIR
from tests.python.layouts import layout_text
from tests.python.loads import contents, differences
from tests.python.warehouses import UP_TO_FACTS, Warehouse, copy_of_project, story

MODELS = (
    *("--resource-type", "seed", "--resource-type", "model"),
    *(*UP_TO_FACTS, "+audit_build_log"),
)

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("session_time_zone")]


@pytest.fixture
def warehouse(tmp_path):
    """Return a warehouse with times as text, without offset too, and a time as an argument."""
    project = copy_of_project(tmp_path / "project")
    warehouse = Warehouse(tmp_path, project)
    for table, rows in story().items():
        written = []
        for row in rows:
            text = layout_text(table, row)
            # as some senders write it: a blank, and nothing that says UTC
            text["timestamp"] = text["timestamp"].replace("T", " ").removesuffix("Z")
            text["tool_input_since"] = row["timestamp"]
            written.append(text)
        warehouse.create(table, written)
    return warehouse


def build(warehouse, zone):
    """Build in a process of its own: a process knows one zone for as long as it lives."""
    command = [
        *(str(PROJECT_DIR / ".venv/bin/dbt"), "build", *MODELS, "--quiet"),
        *("--project-dir", str(warehouse.project), "--profiles-dir", str(warehouse.project)),
        *("--target-path", str(warehouse.folder / "target")),
        *("--log-path", str(warehouse.folder / "logs")),
    ]
    environment = {**os.environ, **warehouse.environment(), "TZ": zone}
    with warehouse.kept_parse():
        subprocess.run(command, env=environment, check=True)
    return contents(warehouse.path)


def test_times_do_not_depend_on_the_zone_of_the_session(warehouse, tmp_path):
    raw = tmp_path / "raw"
    shutil.copyfile(warehouse.path, raw)
    in_utc = build(warehouse, "UTC")
    profiles = warehouse.project / "profiles.yml"
    profile = yaml.safe_load(profiles.read_text("utf-8"))
    del profile["agent_analytics"]["outputs"]["duckdb"]["settings"]
    profiles.write_text(yaml.safe_dump(profile), "utf-8")
    shutil.copyfile(raw, warehouse.path)
    in_new_york = build(warehouse, "America/New_York")
    assert differences(in_utc, in_new_york) == []
    ((started_at, text_hash),) = warehouse.query(
        "select started_at, (select tool_input_hash from analytics_marts.fct_agent_steps "
        "where tool_name = 'search') from analytics_marts.fct_agent_runs"
    )
    assert str(started_at) == "2026-03-01 12:00:00"
    assert text_hash
    finished = "select finished_at > now() at time zone 'UTC' - interval 1 hour "
    assert warehouse.query(f"{finished} from analytics_audit.audit_build_log limit 1") == [(True,)]
