"""The dashboard: every number is that of the marts, every page works in a browser."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import duckdb
import pytest
import uvicorn
import yaml
from dbt_charts.agent_api import ProjectSession
from playwright.sync_api import sync_playwright

from scripts import write_dashboard
from scripts.dashboard.app import create_app
from scripts.dashboard.boards import PAGES, filters
from scripts.publish_marts import write_draft
from scripts.warehouse import MARTS_SCHEMA, PROJECT_DIR

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("generated_clean")]
in_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium on the PATH: apt-get install chromium"
)


@pytest.fixture(scope="module")
def published(built, tmp_path_factory):
    """Return a published file of the clean generated events."""
    warehouse = built("clean").folder.parent / "warehouse.duckdb"
    file = tmp_path_factory.mktemp("dashboard") / "published.duckdb"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = ?", [MARTS_SCHEMA]
        ).fetchall()
    # as scripts/publish_marts.py does it, once it knows that the build has passed
    write_draft(warehouse, file, sorted(name for (name,) in tables))
    before = os.environ.get("AGENT_ANALYTICS_PUBLISHED_PATH")
    os.environ["AGENT_ANALYTICS_PUBLISHED_PATH"] = str(file)
    yield file
    os.environ.pop("AGENT_ANALYTICS_PUBLISHED_PATH")
    if before is not None:
        os.environ["AGENT_ANALYTICS_PUBLISHED_PATH"] = before


@pytest.fixture(scope="module")
def marts(published):
    """Return a connection to the published file, with the runs and who and what took part."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{published}' as file (read_only)")
        connection.execute("set search_path = 'file.analytics_marts,memory.main'")
        connection.execute(
            """
            create temp view runs as
            select
                facts.*,
                coalesce(workflow_name, '(not set)') as workflow,
                parts.agents,
                parts.models
            from fct_agent_runs as facts
            left join (
                select run_key, list((agent_name, canonical_model)) as pairs,
                    list(agent_name) as agents, list(canonical_model) as models
                from fct_agent_sessions
                group by run_key
            ) as parts using (run_key)
            """
        )
        yield connection


@pytest.fixture(scope="module")
def session(published):
    """Return dbt-charts' own runner of the named queries of a page."""
    with ProjectSession.open(PROJECT_DIR) as opened:
        yield opened


def asked(session, page, query, variables=None):
    """Return the only row of a query of a page."""
    file = PROJECT_DIR / "charts" / f"{page}.yml"
    own = yaml.safe_load(file.read_text("utf-8")).get("variables", {})
    chosen = dict.fromkeys([*filters(), *own]) | (variables or {})
    result = session.query_board(query, file, vars=chosen, limit=500)
    assert result.success, result.errors
    [row] = result.data
    return row


# Each filter with a value, and the rows of `runs` that it leaves.
SELECTIONS = {
    "none": ({}, "true"),
    "workflow": ({"workflow": "customer_support"}, "workflow = 'customer_support'"),
    "no workflow": ({"workflow": "(not set)"}, "workflow_name is null"),
    "agent": ({"agent": "web_researcher"}, "list_contains(agents, 'web_researcher')"),
    "model": ({"model": "gpt-4.1-mini"}, "list_contains(models, 'gpt-4.1-mini')"),
    "trigger": ({"trigger": "schedule"}, "trigger_type = 'schedule'"),
    "status": ({"status": "success"}, "run_status = 'success'"),
    "user": ({"user": "{user}"}, "user_id = '{user}'"),
    "from": ({"from_date": "{day}"}, "run_date >= date '{day}'"),
    "to": ({"to_date": "{day}"}, "run_date <= date '{day}'"),
}

# What the marts say, for the filters that they have; else the same from the facts.
COSTS = "mart_cost_per_interaction"
OF_MARTS = {
    ("overview", "run_count"): f"sum(run_count) from {COSTS}",
    (
        "overview",
        "success_rate",
    ): "sum(successful_run_count) / sum(n_used) from mart_workflow_health where level = 'workflow'",
    ("overview", "cost_usd"): f"sum(cost_usd) from {COSTS}",
    ("overview", "cost_per_run_usd"): f"sum(ended_cost_usd) / sum(n_used) from {COSTS}",
    ("cost", "wasted_cost_usd"): f"sum(wasted_cost_usd) from {COSTS}",
    ("cost", "unpriced_run_count"): f"sum(n_unpriced) from {COSTS}",
    ("runs", "run_count"): "sum(run_count) from mart_run_volume",
    ("runs", "failed_run_count"): f"sum(failed_run_count) from {COSTS}",
}
OF_FACTS = {
    ("overview", "run_count"): "count(*)",
    ("overview", "success_rate"): "avg(is_successful::int)",
    ("overview", "cost_usd"): "sum(cost_usd)",
    ("overview", "cost_per_run_usd"): "avg(case when is_final then cost_usd end)",
    (
        "overview",
        "p95_duration_s",
    ): "quantile_cont(case when is_final then duration_ms end, 0.95) / 1000",
    ("cost", "cost_per_success_usd"): "sum(case when is_final then cost_usd end) / "
    "sum((is_final and is_successful and cost_usd is not null)::int)",
    ("cost", "wasted_cost_usd"): "sum(wasted_cost_usd)",
    ("runs", "run_count"): "count(*)",
    ("runs", "user_count"): "count(distinct user_id)",
}


def same(found, expected):
    """Fail unless two numbers are the same but for the last digits."""
    assert (found is None) == (expected is None), (found, expected)
    if expected is not None:
        assert float(found) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("page", "column"), OF_MARTS)
def test_headline_is_that_of_the_marts(session, marts, page, column):
    expected = marts.execute(f"select {OF_MARTS[page, column]}").fetchall()[0][0]
    assert expected is not None
    same(asked(session, page, "headline")[column], expected)


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize(("page", "column"), OF_FACTS)
def test_every_filter_changes_every_headline(session, marts, page, column, selection):
    user, day = marts.execute(
        "select mode(user_id), quantile_disc(run_date, 0.5) from runs where is_successful"
    ).fetchall()[0]
    variables, condition = SELECTIONS[selection]
    variables = {name: value.format(user=user, day=day) for name, value in variables.items()}
    condition = condition.format(user=user, day=day)
    expected, count, of_all = marts.execute(
        f"select {OF_FACTS[page, column]}, count(*), (select count(*) from runs) "
        f"from runs where {condition}"
    ).fetchall()[0]
    assert (0 < count < of_all) == bool(variables)
    same(asked(session, page, "headline", variables)[column], expected)


def test_every_filter_is_tried():
    tried = {name for variables, _ in SELECTIONS.values() for name in variables}
    assert tried == set(filters())


@pytest.fixture(scope="module")
def address(published, tmp_path_factory):
    """Return the address of one server for all tests."""
    app = create_app(published, tmp_path_factory.mktemp("pages"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser():
    """Return one browser for all tests."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    """Return a tab that notes what goes wrong and what is asked of others."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.troubles = []
    page.on("console", lambda m: page.troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1:", "file:", "data:"))
            else page.troubles.append(request.url)
        ),
    )
    yield page
    page.close()


@in_browser
@pytest.mark.parametrize("page", PAGES)
def test_page_renders_without_trouble(address, tab, page):
    response = tab.goto(f"{address}/{page}")
    assert response.status == 200
    text = tab.inner_text("main")
    assert PAGES[page] in text
    assert "ERR-" not in text
    assert tab.locator(".aa-bar a[aria-current]").inner_text() == PAGES[page]
    assert tab.troubles == []


@in_browser
def test_run_is_found_from_the_overview(address, tab):
    """From a page to the runs behind it, and from there to one run, with the filters."""
    tab.goto(f"{address}/overview?workflow=customer_support")
    tab.click(".aa-bar a >> text=Runs")
    assert "workflow=customer_support" in tab.url
    tab.locator(".dbt-table-row a").first.click()
    tab.wait_for_url("**/run?**")
    assert "workflow=customer_support" in tab.url
    assert "Timeline" in tab.inner_text("main")
    assert tab.troubles == []


@in_browser
def test_static_folder_opens_from_the_disk(published, tab, tmp_path):
    out = tmp_path / "static"
    assert write_dashboard.main(["--out", str(out), "--runs", "1", "--looks", "light-wide"]) == 0
    tab.goto(f"file://{out}/index.html")
    tab.wait_for_url("**/light-wide/overview.html")
    tab.click(".aa-bar a >> text=Cost")
    assert "Cost per run" in tab.inner_text("main")
    [run] = Path(out, "light-wide").glob("run-*.html")
    tab.goto(f"file://{run}")
    assert "Timeline" in tab.inner_text("main")
    assert tab.troubles == []
