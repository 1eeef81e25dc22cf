"""What Superset imports: complete, refused in one line where it cannot be, and accepted by it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile

import duckdb
import pytest
import yaml

from scripts import generate_events, load_events, publish_marts, superset_bundle
from scripts.warehouse import MARTS_SCHEMA, PROJECT_DIR
from tests.python.warehouses import WITHOUT_UNIT_TESTS, Warehouse, errors_of

BOARD = {
    "title": "Board",
    "slug": "board",
    "filters": [{"title": "Day", "table": "mart_one", "column": "run_date"}],
    "rows": [
        [
            {
                "title": "Cost",
                "table": "mart_one",
                "kind": "bars",
                "metric": {"label": "Cost", "sql": "sum(cost_usd)"},
                "by": ["agent_name"],
                "width": 6,
            }
        ]
    ],
}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Write a published file of one table, and a dashboard of one chart of it."""
    path = tmp_path / "published.duckdb"
    monkeypatch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(path))
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"""
            create schema {MARTS_SCHEMA};
            create table {MARTS_SCHEMA}.mart_one (
                window_start_date date, run_date date, agent_name varchar, cost_usd decimal(28, 9)
            );
            comment on table {MARTS_SCHEMA}.mart_one is 'One row per day.';
            comment on column {MARTS_SCHEMA}.mart_one.cost_usd is 'Cost: "all" of it';
            """
        )
    file = PROJECT_DIR / "dashboards/superset/board of a test.yml"
    monkeypatch.setattr(superset_bundle, "DASHBOARD_FILE", file)

    def write(**changes):
        board = json.loads(json.dumps(BOARD))
        board["rows"][0][0] |= changes
        monkeypatch.setattr(type(file), "read_text", reading_instead(file, yaml.safe_dump(board)))

    write()
    return write


def reading_instead(file, text):
    """Return a `Path.read_text` that finds `text` in `file`."""
    real = type(file).read_text
    return lambda path, *rest: text if path == file else real(path, *rest)


def test_the_bundle_has_descriptions_types_and_the_address(published, tmp_path, capsys):
    target = tmp_path / "new" / "bundle.zip"
    assert superset_bundle.main(["--out", str(target), "--uri", "postgresql://reader@host/x"]) == 0
    assert "1 datasets and a dashboard of 1 charts" in capsys.readouterr().out
    with zipfile.ZipFile(target) as archive:
        files = {name: yaml.safe_load(archive.read(name)) for name in archive.namelist()}
    dataset = files["bundle/datasets/agent_analytics/mart_one.yaml"]
    assert dataset["description"] == "One row per day."
    # a window is no day to cut by
    assert dataset["main_dttm_col"] == "run_date"
    columns = {column["column_name"]: column for column in dataset["columns"]}
    assert columns["cost_usd"]["description"] == 'Cost: "all" of it'
    assert columns["cost_usd"]["is_dttm"] is False
    assert columns["run_date"]["is_dttm"] is True
    database = files["bundle/databases/agent_analytics.yaml"]
    assert database["sqlalchemy_uri"] == "postgresql://reader@host/x"
    assert "engine_params" not in database["extra"]


def test_a_duckdb_file_is_opened_to_be_read_only():
    extra = superset_bundle.database("duckdb:////a/published.duckdb")["extra"]
    assert extra["engine_params"] == {"connect_args": {"read_only": True}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"table": "mart_two"}, "chart 'Cost' reads mart_two, which is not published"),
        ({"by": ["agent"]}, "chart 'Cost' names agent, which mart_one does not have"),
        ({"metric": "runs"}, "chart 'Cost' names the metric runs, which mart_one does not have"),
    ],
)
def test_a_dashboard_that_names_what_is_not_there_is_refused(
    published, tmp_path, capsys, changes, words
):
    published(**changes)
    with pytest.raises(SystemExit):
        superset_bundle.main(["--out", str(tmp_path / "bundle.zip")])
    line = capsys.readouterr().err
    assert line.startswith("error: dashboards/superset/")
    assert words in line
    assert not (tmp_path / "bundle.zip").exists()


class Superset:
    """A Superset of its own, asked by its interface for programs."""

    def __init__(self, folder):
        self.folder = folder
        self.password = secrets.token_hex(8)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "superset_config.py").write_text(
            f"SECRET_KEY = {secrets.token_hex(24)!r}\n"
            f"SQLALCHEMY_DATABASE_URI = 'sqlite:///{folder}/superset.db'\n"
        )
        self.environment = os.environ | {
            "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
            "SUPERSET_HOME": str(folder),
            "FLASK_APP": "superset",
            "SCARF_ANALYTICS": "false",
        }
        self.token = None

    def command(self, *arguments):
        """Run one of its commands to its end."""
        program = PROJECT_DIR / ".venv-superset/bin/superset"
        done = subprocess.run(
            [program, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def start(self):
        """Make its database and an administrator, and start its server."""
        self.command("db", "upgrade")
        person = ["--username", "admin", "--firstname", "a", "--lastname", "b"]
        person += ["--email", "admin@example.com", "--password", self.password]
        self.command("fab", "create-admin", *person)
        self.command("init")
        self.server = subprocess.Popen(
            [PROJECT_DIR / ".venv-superset/bin/superset", "run", "-p", str(self.port)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        login = {"username": "admin", "password": self.password, "provider": "db"}
        deadline = time.monotonic() + 120
        while True:
            try:
                self.token = self.ask("security/login", login)["access_token"]
                return
            except urllib.error.URLError:
                assert time.monotonic() < deadline, "Superset did not start"
                time.sleep(1)

    def ask(self, path, body=None):
        """Return the answer to a question."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def rows(self, dataset, metrics):
        """Return the only row of a query of metrics over a dataset."""
        query = {"columns": [], "metrics": metrics, "row_limit": 10}
        source = {"id": dataset, "type": "table"}
        [result] = self.ask("chart/data", {"datasource": source, "queries": [query]})["result"]
        [row] = result["data"]
        return row


@pytest.fixture(scope="module")
def superset(tmp_path_factory):
    """Return a Superset into which the bundle of a generated sample was imported, and the file."""
    folder = tmp_path_factory.mktemp("superset")
    subprocess.run(["scripts/ci/prepare_environment", "superset"], cwd=PROJECT_DIR, check=True)
    warehouse = Warehouse(folder)
    assert generate_events.main(["--out", str(folder / "events"), "--runs", "150"]) == 0
    arguments = [str(folder / "events/events.ndjson"), "--warehouse", str(warehouse.path)]
    assert load_events.main(arguments) == 0
    result = warehouse.dbt("build", *WITHOUT_UNIT_TESTS)
    assert result.success, errors_of(result)
    published = folder / "published.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENT_ANALYTICS_DUCKDB_PATH", str(warehouse.path))
        patch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(published))
        assert publish_marts.main([]) == 0
        assert superset_bundle.main(["--out", str(folder / "bundle.zip")]) == 0
    running = Superset(folder)
    try:
        running.start()
        for _ in range(2):  # importing again changes nothing
            running.command("import-dashboards", "-p", str(folder / "bundle.zip"), "-u", "admin")
        yield running, published
    finally:
        running.server.terminate()
        running.server.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.xdist_group("superset")
def test_superset_says_what_the_published_file_says(superset):
    running, published = superset
    datasets = running.ask("dataset/?q=(page_size:100)")["result"]
    with duckdb.connect(str(published), read_only=True) as connection:
        names = connection.execute("select table_name from duckdb_tables()").fetchall()
        assert sorted(d["table_name"] for d in datasets) == sorted(name for (name,) in names)
        for dataset in datasets:
            name = f"{dataset['schema']}.{dataset['table_name']}"
            found = running.ask(f"dataset/{dataset['id']}")["result"]
            metrics = {m["metric_name"]: m["expression"] for m in found["metrics"]}
            count = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "row_count"}
            row = running.rows(dataset["id"], [count, *metrics])
            asked = ", ".join(("count(*)", *metrics.values()))
            expected = connection.execute(f"select {asked} from {name}").fetchone()
            assert [None if x is None else float(x) for x in row.values()] == pytest.approx(
                [None if x is None else float(x) for x in expected]
            ), name


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.xdist_group("superset")
def test_every_chart_of_the_dashboard_has_an_answer(superset):
    running, _ = superset
    board = yaml.safe_load(superset_bundle.DASHBOARD_FILE.read_text("utf-8"))
    titles = [chart["title"] for row in board["rows"] for chart in row]
    shown = running.ask(f"dashboard/{board['slug']}/charts")["result"]
    assert sorted(chart["slice_name"] for chart in shown) == sorted(titles)
