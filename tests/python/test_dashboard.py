"""The dashboard: every number is that of the marts, every page works in a browser."""

from __future__ import annotations

import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import Request, urlopen

import duckdb
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from dbt_charts.agent_api import ProjectSession, query
from playwright.sync_api import sync_playwright

from scripts import serve_dashboard, write_dashboard
from scripts.benchmark.dashboard import MEASURED, measured, multiply
from scripts.dashboard import app, boards, drawing
from scripts.dashboard.app import serving
from scripts.dashboard.boards import PAGES, filters
from scripts.dashboard.page import DRAWING
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
                parts.models,
                parts.pairs
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
def ask(published):
    """Return a function that runs a named query of a page as dbt-charts does it, and its row."""
    answers = {}
    with pytest.MonkeyPatch.context() as patched, ProjectSession.open(PROJECT_DIR) as session:
        # a page is compiled once for all its queries
        patched.setattr(query, "_load_board_query", cache(query._load_board_query))

        def row(page, name, variables=None):
            file = PROJECT_DIR / "charts" / f"{page}.yml"
            key = (page, name, *sorted((variables or {}).items()))
            if key not in answers:
                own = yaml.safe_load(file.read_text("utf-8")).get("variables", {})
                chosen = dict.fromkeys([*filters(), *own]) | (variables or {})
                result = session.query_board(name, file, vars=chosen, limit=500)
                assert result.success, result.errors
                [answers[key]] = result.data
            return answers[key]

        yield row


# Each filter with a value, and the rows of `runs` that it leaves.
SELECTIONS = {
    "none": ({}, "true"),
    "workflow": ({"workflow": "customer_support"}, "workflow = 'customer_support'"),
    "no workflow": ({"workflow": "(not set)"}, "workflow_name is null"),
    "agent": ({"agent": "web_researcher"}, "list_contains(agents, 'web_researcher')"),
    "model": ({"model": "gpt-4.1-mini"}, "list_contains(models, 'gpt-4.1-mini')"),
    "trigger": ({"trigger": "schedule"}, "trigger_type = 'schedule'"),
    "status": ({"status": "success"}, "run_status = 'success'"),
    "failed": ({"status": "failed"}, "run_status in ('error', 'timeout')"),
    "user": ({"user": "{user}"}, "user_id = '{user}'"),
    "from": ({"from_date": "{day}"}, "run_date >= date '{day}'"),
    "to": ({"to_date": "{day}"}, "run_date <= date '{day}'"),
}

COSTS = "mart_cost_per_interaction"
HEALTH = "mart_workflow_health where level = 'workflow'"
QUALITY = "mart_quality"
VOLUME = "mart_run_volume"
LEDGER = "file.analytics_audit.audit_event_ledger"
# Page, query and column -> what the marts say without a filter.
OF_MARTS = {
    ("overview", "headline", "run_count"): f"sum(run_count) from {COSTS}",
    (
        "overview",
        "headline",
        "success_rate",
    ): f"sum(successful_run_count) / sum(n_used) from {HEALTH}",
    ("overview", "headline", "cost_usd"): f"sum(cost_usd) from {COSTS}",
    ("overview", "headline", "cost_per_run_usd"): f"sum(ended_cost_usd) / sum(n_used) from {COSTS}",
    ("cost", "headline", "cost_usd"): f"sum(cost_usd) from {HEALTH}",
    ("cost", "headline", "wasted_cost_usd"): f"sum(wasted_cost_usd) from {COSTS}",
    ("cost", "headline", "unpriced_run_count"): f"sum(n_unpriced) from {COSTS}",
    ("latency", "headline", "slo_breach_count"): f"sum(slo_breach_count) from {HEALTH}",
    ("latency", "headline", "run_with_slo_count"): f"sum(n_with_slo) from {HEALTH}",
    ("latency", "headline", "gap_share"): f"sum(gap_ms) / sum(gap_base_ms) from {HEALTH}",
    (
        "latency",
        "headline",
        "parallelism",
    ): "sum(busy_ms) / sum(covered_ms) from mart_orchestration",
    ("failures", "headline", "failed_run_count"): f"sum(failed_run_count) from {HEALTH}",
    ("failures", "headline", "wasted_cost_usd"): f"sum(wasted_cost_usd) from {COSTS}",
    (
        "failures",
        "headline",
        "unclassified_run_count",
    ): f"sum(unclassified_run_count) from {HEALTH}",
    ("failures", "attempts", "retry_count"): "sum(retry_count) from mart_retry_rates",
    ("failures", "attempts", "retry_rate"): "sum(retried_operation_count) / sum(operation_count) "
    "from mart_retry_rates",
    ("quality", "headline", "rated_run_count"): f"sum(rated_run_count) from {QUALITY}",
    (
        "quality",
        "headline",
        "feedback_coverage",
    ): f"sum(rated_run_count) / sum(n_all) from {QUALITY}",
    ("quality", "headline", "mean_rating"): "sum(mean_rating * rated_run_count) / "
    f"sum(rated_run_count) from {QUALITY}",
    (
        "quality",
        "headline",
        "implicit_coverage",
    ): f"sum(signalled_run_count) / sum(n_all) from {QUALITY}",
    ("quality", "headline", "success_useless_count"): f"sum(success_useless_count) from {QUALITY}",
    ("usage", "headline", "run_count"): f"sum(run_count) from {VOLUME}",
    ("usage", "headline", "run_without_user_count"): f"sum(run_without_user_count) from {VOLUME}",
    (
        "usage",
        "headline",
        "headless_share",
    ): f"sum(run_without_user_count) / sum(n_all) from {VOLUME}",
    ("usage", "headline", "user_count"): "count(*) from dim_users where run_count > 0",
    ("usage", "headline", "conversation_count"): "count(*) from fct_conversations",
    ("usage", "newcomers", "new_user_count"): f"sum(new_user_count) from {VOLUME}",
    ("runs", "headline", "run_count"): f"sum(run_count) from {VOLUME}",
    ("runs", "headline", "failed_run_count"): f"sum(failed_run_count) from {COSTS}",
    ("data_health", "newest", "unpriced_run_count"): f"sum(n_unpriced) from {COSTS}",
    ("data_health", "newest", "partial_run_count"): f"sum(n_partial) from {COSTS}",
    ("data_health", "newest", "unfinished_run_count"): f"sum(n_unfinished) from {COSTS}",
    ("data_health", "ledger_total", "raw_rows"): f"sum(raw_rows) from {LEDGER}",
    ("data_health", "ledger_total", "quarantined_rows"): f"sum(quarantined_rows) from {LEDGER}",
    ("data_health", "publication", "table_count"): "count(*) from publication",
}
TIMED = "case when is_final and not has_suspect_duration then duration_ms end"
# Page, query and column -> the same of the runs that a filter leaves.
OF_RUNS = {
    ("overview", "headline", "run_count"): "count(*)",
    ("overview", "headline", "success_rate"): "avg(is_successful::int)",
    ("overview", "headline", "cost_usd"): "sum(cost_usd)",
    ("overview", "headline", "cost_per_run_usd"): "avg(case when is_final then cost_usd end)",
    ("overview", "headline", "p95_duration_s"): f"quantile_cont({TIMED}, 0.95) / 1000",
    ("cost", "headline", "cost_per_success_usd"): "sum(case when is_final then cost_usd end) / "
    "nullif(sum((is_final and is_successful and cost_usd is not null)::int), 0)",
    ("cost", "headline", "wasted_cost_usd"): "sum(wasted_cost_usd)",
    ("latency", "headline", "p50_duration_s"): f"quantile_cont({TIMED}, 0.5) / 1000",
    ("latency", "headline", "run_with_slo_count"): "count(slo_ms)",
    ("failures", "headline", "failed_run_count"): "count_if(run_status in ('error', 'timeout'))",
    ("failures", "headline", "recovered_run_count"): "count_if(failure_severity = 'recovered')",
    ("quality", "headline", "rated_run_count"): "count_if(rating_count > 0)",
    ("quality", "headline", "useful_share"): "avg(is_product_success::int)",
    ("usage", "headline", "conversation_count"): "count(distinct conversation_id)",
    ("usage", "headline", "headless_share"): "avg((user_id is null)::int)",
    ("runs", "headline", "run_count"): "count(*)",
    ("runs", "headline", "user_count"): "count(distinct user_id)",
    ("data_health", "newest", "unfinished_run_count"): "count_if(not is_final)",
}


def same(found, expected):
    """Fail unless two numbers are the same but for the last digits."""
    assert (found is None) == (expected is None), (found, expected)
    if expected is not None:
        assert float(found) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("page", "name", "column"), OF_MARTS)
def test_headline_is_that_of_the_marts(ask, marts, page, name, column):
    expected = marts.execute(f"select {OF_MARTS[page, name, column]}").fetchall()[0][0]
    assert expected is not None
    same(ask(page, name)[column], expected)


def test_p95_of_a_day_is_that_of_the_marts(ask, marts):
    """Percentiles cannot be added up, so a day is compared that the mart has."""
    rows = marts.execute(
        "select run_date::varchar, p95_duration_ms / 1000 from mart_workflow_health "
        "where level = 'system' order by run_count desc limit 2"
    ).fetchall()
    for day, expected in rows:
        variables = {"from_date": day, "to_date": day}
        same(ask("overview", "headline", variables)["p95_duration_s"], expected)


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("measure", OF_RUNS, ids=".".join)
def test_every_filter_changes_every_headline(ask, marts, measure, selection):
    page, name, column = measure
    user, day = marts.execute(
        "select mode(user_id), quantile_disc(run_date, 0.5) from runs where is_successful"
    ).fetchall()[0]
    variables, condition = SELECTIONS[selection]
    variables = {key: value.format(user=user, day=day) for key, value in variables.items()}
    expected, count, of_all = marts.execute(
        f"select {OF_RUNS[measure]}, count(*), (select count(*) from runs) "
        f"from runs where {condition.format(user=user, day=day)}"
    ).fetchall()[0]
    assert (0 < count < of_all) == bool(variables)
    same(ask(page, name, variables)[column], expected)


def test_every_page_has_its_numbers_compared():
    for compared in (OF_MARTS, OF_RUNS):
        assert {page for page, *_ in compared} == set(PAGES)


def test_every_filter_is_tried():
    tried = {name for variables, _ in SELECTIONS.values() for name in variables}
    assert tried == set(filters())


@pytest.fixture(scope="module")
def address(published, tmp_path_factory):
    """Return the address of one server for all tests."""
    with serving(published, tmp_path_factory.mktemp("pages")) as served:
        yield served


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


def fetched(address, path, look="light-wide"):
    """Return the text of a page that needs no browser."""
    with urlopen(Request(address + path, headers={"cookie": f"aa-look={look}"})) as response:
        return response.read().decode()


@contextmanager
def instead(published, change):
    """Publish a changed copy for a while, as publishing does it: a new file takes the old name."""
    kept = published.with_name("kept.duckdb")
    shutil.copyfile(published, kept)
    draft = published.with_name("draft.duckdb")
    shutil.copyfile(published, draft)
    with duckdb.connect(str(draft)) as connection:
        connection.execute(f"set search_path = '{MARTS_SCHEMA}'")
        change(connection)
    draft.replace(published)
    try:
        yield
    finally:
        kept.replace(published)


def accessibility_violations(tab):
    """Return the serious violations that axe finds on the open page."""
    found = Axe().run(tab).response["violations"]
    return [v["id"] for v in found if v["impact"] in ("serious", "critical")]


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
    assert accessibility_violations(tab) == []


@in_browser
def test_run_is_accessible(address, tab, marts):
    [(run,)] = marts.execute(
        "select run_key::varchar from runs where run_status = 'error' "
        "order by step_count desc, run_key limit 1"
    ).fetchall()
    tab.goto(f"{address}/run?run={run}")
    assert "Timeline" in tab.inner_text("main")
    assert tab.locator('[data-chart-id^="timeline"] rect').count() > 5
    assert accessibility_violations(tab) == []
    assert tab.troubles == []


@pytest.mark.parametrize(
    ("page", "look"), [("failures", "dark-phone"), ("usage", "light-phone"), ("run", "dark-wide")]
)
def test_page_is_drawn_in_every_look(address, page, look):
    text = fetched(address, f"/{page}", look)
    assert "ERR-" not in text
    assert f'class="aa-{look.split("-")[0]}"' in text


@in_browser
def test_reader_gets_the_look_of_the_screen(address, browser):
    """A phone in the dark gets its page under the same address; the choice of the reader stays."""
    context = browser.new_context(viewport={"width": 400, "height": 800}, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{address}/runs?status=success")
    page.wait_for_function(
        "JSON.parse(document.getElementById('aa-page').textContent).look == 'dark-phone'"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.click("#aa-theme")
    page.wait_for_function(
        "JSON.parse(document.getElementById('aa-page').textContent).look == 'light-phone'"
    )
    assert page.url == f"{address}/runs?status=success"
    context.close()


@in_browser
def test_filter_is_chosen_on_the_page_and_kept_in_the_address(address, tab, marts):
    """The number shown is that of the chosen workflow, also after another page is opened."""
    [(workflow, count, of_all)] = marts.execute(
        "select workflow, count(*), (select count(*) from runs) from runs "
        "where workflow_name is not null group by workflow order by 2 desc limit 1"
    ).fetchall()
    tab.goto(f"{address}/runs")
    assert shown(tab, "run_count") == f"{of_all:,}"
    box = tab.locator('[data-dbt-variable="workflow"]').bounding_box()
    tab.mouse.click(box["x"] + box["width"] - 20, box["y"] + box["height"] / 2)
    tab.get_by_role("option", name=workflow).click()
    tab.wait_for_url("**workflow=*")
    assert shown(tab, "run_count") == f"{count:,}"
    tab.click(".aa-bar a >> text=Usage")
    assert shown(tab, "runs") == f"{count:,}"
    tab.click("text=Clear filters")
    assert shown(tab, "runs") == f"{of_all:,}"
    assert tab.troubles == []


def shown(tab, chart):
    """Return the number that a KPI of the open page shows."""
    return tab.locator(f"#chart-{chart} text").first.text_content().strip()


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


IN_MONTH = "run_date between '{from_date}' and '{to_date}'"
# Page and chart, and what its links must lead to: SQL that counts these runs by another way.
LINKED = {
    ("cost", "components"): "select count(*) from runs where cache_read_cost_usd > 0",
    (
        "cost",
        "tenths",
    ): "select ceil(count(*) / 10) from runs where is_final and cost_usd is not null",
    ("cost", "concentration"): f"select count(*) from runs where {IN_MONTH}",
    (
        "cost",
        "budgets",
    ): f"select count(*) from runs where list_contains(agents, '{{agent}}') and {IN_MONTH}",
    (
        "cost",
        "plans",
    ): "select sum(run_count) from mart_unit_economics where plan_name = '{plan}' "
    "and month_start_date = '{from_date}'",
    (
        "cost",
        "right_sizing",
    ): "select count(*) from runs where list_contains(pairs, ('{agent}', '{model}'))",
    ("latency", "topologies"): "select count(*) from runs where topology = '{topology}'",
}
# Of several links the one that leads somewhere else than its neighbours.
CHOSEN = {"components": "cache%20reads", "tenths": "tenth=1&"}


@in_browser
@pytest.mark.parametrize(("page", "chart"), LINKED)
def test_part_of_the_cost_leads_to_its_runs(address, tab, marts, page, chart):
    tab.goto(f"{address}/{page}")
    links = tab.locator(f"#chart-{chart} a").evaluate_all(
        "all => all.map(a => a.getAttribute('href') || a.getAttribute('xlink:href'))"
    )
    link = [link for link in links if CHOSEN.get(chart, "") in link.replace("+", "%20")][-1]
    chosen = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    [(count,)] = marts.execute(LINKED[page, chart].format(**chosen)).fetchall()
    assert count > 0
    tab.goto(f"{address}{link}")
    assert shown(tab, "run_count") == f"{int(count):,}"
    assert tab.troubles == []


def test_dearest_tenth_costs_what_the_mart_says(ask, marts):
    """The runs behind the first bar cost what the first tenth of the runs in order does."""
    expected = marts.execute(
        "with dearest as (select cost_usd, row_number() over (order by cost_usd desc) as place, "
        "count(*) over () as of_all from runs where is_final and cost_usd is not null) "
        "select sum(cost_usd) from dearest where place <= ceil(of_all / 10)"
    ).fetchall()[0][0]
    same(ask("runs", "headline", {"tenth": "1"})["cost_usd"], expected)


@in_browser
def test_exact_value_shows_on_hover(address, tab, marts):
    [(cost,)] = marts.execute("select sum(cost_usd)::varchar from runs").fetchall()
    tab.goto(f"{address}/cost")
    assert shown(tab, "cost") == f"${float(cost):,.2f}"
    assert tab.locator("#chart-cost > title").text_content() == cost
    cells = tab.locator("#chart-right_sizing text[data-value]").evaluate_all(
        "all => all.map(cell => [cell.getAttribute('data-value'), "
        "cell.querySelector('title').textContent])"
    )
    assert len(cells) > 10
    assert all(value == title for value, title in cells)


def stretch(connection):
    """Let the history begin 200 days earlier, so that bars stand for weeks."""
    connection.execute(
        "update fct_agent_runs set run_date = run_date - 200 "
        "where run_key = (select min(run_key) from fct_agent_runs)"
    )


@in_browser
@pytest.mark.parametrize(("change", "days"), [(lambda _: None, 1), (stretch, 7)])
def test_bar_leads_to_its_runs(address, published, tab, change, days):
    with instead(published, change):
        tab.goto(f"{address}/overview?status=success")
        assert f"Runs per {'day' if days == 1 else 'week'}" in tab.inner_text("main")
        links = tab.locator("#chart-outcomes a").evaluate_all(
            "all => all.map(a => a.getAttribute('href') || a.getAttribute('xlink:href'))"
        )
        starts = {re.search(r"bucket=(\d{4}-\d\d-\d\d)&status=success$", link)[1] for link in links}
        assert len(starts) > 4
        start = max(starts)
        tab.goto(f"{address}/runs?bucket={start}&status=success")
        with duckdb.connect(str(published), read_only=True) as connection:
            [(count,)] = connection.execute(
                f"select count(*) from {MARTS_SCHEMA}.fct_agent_runs where run_status = 'success' "
                f"and run_date between date '{start}' and date '{start}' + {days - 1}"
            ).fetchall()
        assert count > 0
        assert shown(tab, "run_count") == f"{count:,}"


@in_browser
def test_static_folder_opens_from_the_disk(published, tab, tmp_path, monkeypatch):
    out = tmp_path / "static"
    # two pages tell as much as all
    monkeypatch.setattr(write_dashboard, "PAGES", {"overview": "Overview", "cost": "Cost"})
    assert write_dashboard.main(["--out", str(out), "--runs", "1", "--looks", "light-wide"]) == 0
    tab.goto(f"file://{out}/index.html")
    tab.wait_for_url("**/light-wide/overview.html")
    tab.click(".aa-bar a >> text=Cost")
    assert "Cost per run" in tab.inner_text("main")
    [run] = Path(out, "light-wide").glob("run-*.html")
    tab.goto(f"file://{run}")
    assert "Timeline" in tab.inner_text("main")
    assert tab.troubles == []


HOSTILE = (
    "<img src=x onerror=hacked=1>",
    "<script>window.hacked=1</script>",
    "'; drop table fct_agent_runs; --",
    '"><svg onload=hacked=1>',
    "{{ 7 * 7 }}{% raw %}",
    "[a](javascript:hacked=1)",
    "javascript:hacked=1",
    "${hacked=1}\\' + hacked",
)


def with_hostile_names(connection):
    """Give agents, tools, models, workflows and failures names that try to do something."""
    for column in (
        *("agent_name", "tool_name", "canonical_model", "workflow_name", "failure_mode"),
        *("first_failing_agent", "error_message_class", "user_id", "model_or_tool", "trigger_type"),
    ):
        tables = connection.execute(
            "select table_name from duckdb_columns() where schema_name = ? and column_name = ?",
            [MARTS_SCHEMA, column],
        ).fetchall()
        for (table,) in tables:
            connection.execute(
                f"update {table} set {column} = "
                f"(?::varchar[])[1 + (hash({column}) % {len(HOSTILE)})::bigint] "
                f"where {column} is not null and {column} not like '(%'",
                [list(HOSTILE)],
            )


@in_browser
def test_hostile_names_are_shown_as_text(address, published, tab):
    with instead(published, with_hostile_names):
        with duckdb.connect(str(published), read_only=True) as connection:
            [(run, agent, count)] = connection.execute(
                "select any_value(run_key)::varchar, agent_name, count(distinct run_key) "
                f"from {MARTS_SCHEMA}.fct_agent_sessions group by 2 order by 3 desc limit 1"
            ).fetchall()
        texts = []
        for path in ("failures", f"run?run={run}", f"runs?agent={quote(agent)}"):
            tab.goto(f"{address}/{path}")
            texts.append(tab.inner_text("main"))
            assert "ERR-" not in texts[-1]
            assert tab.evaluate("typeof hacked") == "undefined"
            targets = "links => links.map(a => a.getAttribute('href') || '')"
            links = tab.locator("main a").evaluate_all(targets)
            assert not [link for link in links if link.lower().startswith("javascript")]
        assert shown(tab, "run_count") == f"{count:,}"
        # the filter of the address, too, is a value and no text of a page or a statement
        tab.goto(f"{address}/runs?user={quote(HOSTILE[1])}&tool={quote(HOSTILE[2])}")
        assert tab.evaluate("typeof hacked") == "undefined"
    for name in HOSTILE:
        assert any(name in text for text in texts), name
    assert tab.troubles == []


def test_readers_are_not_disturbed_by_publishing(address, published):
    """Ten readers and a publisher: no error, and the next click shows the new numbers."""

    def add_runs(connection):
        connection.execute(
            "insert into fct_agent_runs select * replace (uuid() as run_key) from fct_agent_runs"
        )

    with duckdb.connect(str(published), read_only=True) as connection:
        [(count,)] = connection.execute(
            f"select count(*) from {MARTS_SCHEMA}.fct_agent_runs"
        ).fetchall()
    with ThreadPoolExecutor(10) as readers:
        paths = ["/runs?status=success", "/run"] * 5
        reading = [readers.submit(fetched, address, path) for path in paths]
        for _ in range(2):
            with instead(published, add_runs):
                time.sleep(0.3)
        texts = [page.result() for page in reading]
    assert not any("ERR-" in text for text in texts)
    with instead(published, add_runs):
        assert f">{2 * count:,}<" in fetched(address, "/runs")
    assert f">{count:,}<" in fetched(address, "/runs")


def with_long_runs(connection):
    """Make of one run with parallel sessions a run of 5,000 steps, and one of 300 of another."""
    for name, steps in (("long", 5000), ("readable", 300)):
        connection.execute(
            f"""
            create temp table chosen as
            select run_key from fct_agent_runs where agent_session_count >= 4
            order by failed_step_count desc, run_key limit 1 offset {0 if steps == 5000 else 1};
            insert into fct_agent_steps
            select facts.* replace (
                uuid() as step_key,
                facts.started_at + to_milliseconds(copies.i) as started_at,
                facts.ended_at + to_milliseconds(copies.i) as ended_at
            )
            from fct_agent_steps as facts, range({steps}) as copies(i)
            where run_key = (from chosen)
            limit {steps};
            update fct_agent_runs set conversation_id = '{name}' where run_key = (from chosen);
            drop table chosen;
            """
        )


@in_browser
def test_long_runs_open_and_stay_readable(address, published, tab):
    with instead(published, with_long_runs):
        with duckdb.connect(str(published), read_only=True) as connection:
            runs = dict(
                connection.execute(
                    f"select conversation_id, run_key::varchar from {MARTS_SCHEMA}.fct_agent_runs "
                    "where conversation_id in ('long', 'readable')"
                ).fetchall()
            )
        tab.goto(f"{address}/run?run={runs['readable']}")
        timeline = tab.locator('[data-chart-id^="timeline"]')
        heights = timeline.locator("rect").evaluate_all(
            "all => all.map(r => r.getBoundingClientRect().height)"
        )
        assert len(heights) >= 300
        # bars of steps, and not only lines
        assert sorted(heights)[len(heights) // 2] >= 12
        labels = timeline.locator("text").evaluate_all("all => all.map(t => t.textContent.trim())")
        assert len([label for label in labels if label]) >= 4
        tab.goto(f"{address}/run?run={runs['long']}")
        assert timeline.locator("rect").count() >= 5000
        assert "first failure" in timeline.first.evaluate("chart => chart.textContent")
    assert tab.troubles == []


def chunks_of(address, path):
    """Return what an answer consists of as it arrives, with the time of each piece."""
    with urlopen(Request(address + path, headers={"cookie": "aa-look=light-wide"})) as response:
        pieces, start = [], time.perf_counter()
        while piece := response.read1():
            pieces.append((time.perf_counter() - start, piece))
    return pieces


def test_frame_comes_before_the_charts(address):
    """The first piece of an answer has the navigation and says that the page is being drawn."""
    pieces = chunks_of(address, "/failures?trigger=schedule")
    first = pieces[0][1].decode()
    assert first.endswith(DRAWING)
    assert all(f'href="/{page}"' in first for page in PAGES)
    assert "<svg" not in first
    assert pieces[-1][0] > pieces[0][0]
    # drawn once, it comes without waiting
    again = fetched(address, "/failures?trigger=schedule")
    assert DRAWING not in again
    whole = b"".join(piece for _, piece in pieces).decode()
    assert whole.replace(DRAWING, "") == again


@in_browser
def test_navigation_works_while_the_page_is_drawn(address, tab):
    """Links keep the filters before the charts are there, and nothing moves when they come."""
    tab.add_init_script(
        "window.moved = 0; new PerformanceObserver(list => list.getEntries().forEach("
        "entry => window.moved += entry.value)).observe({type: 'layout-shift', buffered: true});"
    )
    tab.goto(f"{address}/quality?status=success&user=", wait_until="commit")
    assert tab.wait_for_selector(".aa-drawing").inner_text() == "Drawing…"
    link = tab.wait_for_selector(".aa-bar a >> text=Usage")
    assert "status=success" in link.get_attribute("href")
    tab.wait_for_load_state("load")
    assert not tab.locator(".aa-drawing").first.is_visible()
    assert tab.evaluate("window.moved") < 0.01
    assert tab.troubles == []


def test_page_that_cannot_be_drawn_says_why(address):
    text = fetched(address, f"/runs?from_date={quote('<b>yesterday</b>')}")
    assert "This page cannot be drawn" in text
    assert "must be an ISO date" in text
    assert "<b>yesterday" not in text
    assert text.endswith("</html>\n")


def start_ahead_among_tests(folder):
    """Draw ahead with the priority of the tests, which run on all cores and would leave it none."""
    drawing.LOWEST_PRIORITY = 0
    drawing.start_ahead(folder)


def test_pages_are_drawn_ahead(published, tmp_path, monkeypatch):
    """After the start and after a publication, pages without filters are there when asked for."""
    monkeypatch.setattr(app, "start_ahead", start_ahead_among_tests)
    for module in (app, boards):
        monkeypatch.setattr(module, "PAGES", {"overview": "Overview", "runs": "Runs"})
    monkeypatch.setattr(app, "LOOKED_FOR_NEWS_EVERY_S", 0.2)

    def add_runs(connection):
        connection.execute(
            "insert into fct_agent_runs select * replace (uuid() as run_key) from fct_agent_runs"
        )

    def wait_until_drawn(dashboard):
        wanted = {part for page in app.PAGES for part in boards.parts(page)}
        end = time.monotonic() + 300
        while time.monotonic() < end:
            version = dashboard.publication.version
            if {part for _, part, _, of in list(dashboard.drawn) if of == version} == wanted:
                return
            time.sleep(0.1)
        pytest.fail(f"drawn ahead after five minutes: {list(dashboard.drawn)}")

    started = []

    class Watched(app.Dashboard):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(app, "Dashboard", Watched)
    with serving(published, tmp_path, ahead=True) as address:
        wait_until_drawn(started[0])
        before = fetched(address, "/runs")
        assert DRAWING not in before
        with instead(published, add_runs):
            version = started[0].publication.version
            while started[0].publication.version == version:
                time.sleep(0.1)
            wait_until_drawn(started[0])
            after = fetched(address, "/runs")
            assert DRAWING not in after
            assert after != before


@in_browser
@pytest.mark.slow
def test_million_runs(published, tmp_path):
    """A year of a million runs: first paint under 2 s on a cold server, a filter under 1 s.

    The filter has come when its numbers are there; charts follow, see docs/performance.md.
    """
    file = tmp_path / "million.duckdb"
    multiply(published, file, 1_000_000)
    with duckdb.connect(str(file), read_only=True) as connection:
        [(runs, days)] = connection.execute(
            "select count(distinct run_key), max(run_date) - min(run_date) "
            f"from {MARTS_SCHEMA}.fct_agent_runs"
        ).fetchall()
    assert runs >= 1_000_000
    assert 350 < days <= 366
    # playwright runs once in a thread, and the browser of other tests has this one
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(measured, file, tmp_path).result()
    # what else runs takes its share of two cores
    waits = max(1, *(load / 2 for load in (result["load_average"][0], *os.getloadavg()[:1])))
    for page in MEASURED:
        assert result[page]["cold"]["first_paint_s"] < 2, result
        assert result[page]["filter"]["first_paint_s"] < 1 * waits, result
        assert result[page]["filter"]["number_s"] < 1 * waits, result
        assert result[page]["again"]["whole_page_s"] < 1 * waits, result


def test_what_is_not_a_page_is_not_served(address):
    """Neither the YAML, nor dbt-charts' browser of tables, nor anything to write."""
    for path in ("/data/", "/overview.yaml", "/inspect/exists/", "/templates", "/light-wide/cost"):
        with pytest.raises(HTTPError) as refusal:
            fetched(address, path)
        assert refusal.value.code == 404
    with pytest.raises(HTTPError) as refusal:
        urlopen(Request(f"{address}/overview", data=b"x"))
    assert refusal.value.code == 405


def test_page_says_what_to_do_before_anything_is_published(address, published):
    hidden = published.with_name("hidden.duckdb")
    published.rename(hidden)
    try:
        with pytest.raises(HTTPError) as refusal:
            fetched(address, "/overview")
    finally:
        hidden.rename(published)
    assert refusal.value.code == 503
    assert "make build" in refusal.value.read().decode()


def test_selection_without_runs_says_so(address):
    text = fetched(address, "/usage?user=nobody")
    assert "No run matches these filters" in text
    assert "No run matches these filters" not in fetched(address, "/usage")


@pytest.mark.parametrize("script", [serve_dashboard, write_dashboard])
def test_command_without_a_publication_gives_one_line(monkeypatch, capsys, tmp_path, script):
    monkeypatch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(tmp_path / "none.duckdb"))
    with pytest.raises(SystemExit) as stop:
        script.main([])
    assert stop.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "nothing was published" in line
    assert "make build" in line


def test_folder_that_holds_something_else_stays(published, tmp_path, capsys):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SystemExit):
        write_dashboard.main(["--out", str(tmp_path)])
    assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "notes.txt").exists()
