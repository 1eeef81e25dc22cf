"""What only a cluster shows: how it splits the work, and what losing a machine does to a build."""

import re
import subprocess
import sys
import threading
import time

import pytest

from scripts import generate_events
from scripts.ci.engines.project_runs import ProjectRuns
from scripts.ci.engines.raw_tables import copy_raw_tables
from scripts.warehouse import PROJECT_DIR, RAW_SCHEMA
from tests.engines.test_engine import WITHOUT_TESTS, assert_same_answer, clear, load

pytestmark = pytest.mark.timeout(3600)

TABLES_BEFORE_KILL = 12
BUILT_TABLE = re.compile(r"OK created sql table model")


@pytest.fixture
def cluster(engine):
    """Return the engine when it is a cluster."""
    if not hasattr(engine, "kill_worker"):
        pytest.skip(f"{engine.name} runs on one machine")
    return engine


def test_plans_split_the_work(cluster):
    """No model built so far compared every row with every other, or sorted all rows in one task."""
    script = PROJECT_DIR / "scripts" / "ci" / "check_spark_plans.py"
    directory = cluster.event_logs.parent
    check = subprocess.run(
        [sys.executable, str(script), str(directory)], capture_output=True, text=True, check=False
    )
    if "no model was built" in check.stderr:
        pytest.skip("no test before this one built a model")
    assert check.returncode == 0, check.stderr


@pytest.mark.slow
def test_worker_dies_during_a_build(cluster, on_engine, tmp_path, report):
    """The build ends well without the worker or says why not; another one gives the same answer.

    The last test of all: afterwards one worker is left.
    """
    events, warehouse = tmp_path / "events", tmp_path / "raw.duckdb"
    arguments = ["--out", str(events), "--runs", "300", "--seed", "33", "--dirt-all"]
    assert generate_events.main(arguments) == 0
    load([events / "events.ndjson"], warehouse, RAW_SCHEMA)
    clear(cluster)
    copy_raw_tables(warehouse, RAW_SCHEMA, cluster)
    on_duckdb = ProjectRuns(tmp_path / "duckdb", warehouse=warehouse, report=report)
    run = on_duckdb.dbt("build", *WITHOUT_TESTS)
    assert run.succeeded, run.tail()

    runs = []
    interrupted = ProjectRuns(tmp_path / "interrupted", cluster, report=report)
    build = threading.Thread(
        target=lambda: runs.append(interrupted.dbt("build", *WITHOUT_TESTS)), daemon=True
    )
    build.start()
    built = 0
    while build.is_alive() and built < TABLES_BEFORE_KILL:
        time.sleep(0.2)
        for log in (tmp_path / "interrupted").glob("*.log"):
            built = len(BUILT_TABLE.findall(log.read_text("utf-8", errors="replace")))
    assert build.is_alive(), "the build ended before a worker could be killed"
    cluster.kill_worker(2)
    build.join()
    report(f"{cluster.name}: worker killed after {built} tables; succeeded: {runs[0].succeeded}")
    if not runs[0].succeeded:
        report(runs[0].tail())
        assert re.search(r"ExecutorLostFailure|FetchFailed|worker lost", runs[0].output), runs[
            0
        ].tail()
        repaired = on_engine.dbt("build", *WITHOUT_TESTS)
        assert repaired.succeeded, repaired.tail()
    assert_same_answer(warehouse, cluster, tmp_path, report)
