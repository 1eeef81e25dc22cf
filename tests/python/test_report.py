"""The report: numbers that a person can check, refusals in one line, a page that runs nothing."""

from __future__ import annotations

from html.parser import HTMLParser

import duckdb
import pytest

from scripts import report
from scripts.warehouse import MARTS_SCHEMA

HOSTILE = "<script>alert('x')</script>{{ 7 * 7 }}[red]\"; drop table runs"
# Day, workflow, status, ended?, successful?, cost, wasted, milliseconds, person, failing agent.
RUNS = [
    ("2026-03-01", "support", "success", True, True, "1.00", "0", 4_000, "ann", None),
    ("2026-03-03", "support", "error", True, False, "3.00", "3.00", 2_000, "ann", "writer"),
    ("2026-03-03", "support", "success", True, True, "1.00", "0", 1_000, "ann", None),
    ("2026-03-04", "support", "success", True, True, None, None, 3_000, "bob", None),
    ("2026-03-04", "sales", "timeout", True, False, "2.00", "2.00", 83_000, "bob", HOSTILE),
    ("2026-03-04", "sales", "in_progress", False, None, "0.50", "0", None, "eve", None),
]


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Write a published file of six runs, each with one agent session of the writer."""
    path = tmp_path / "published.duckdb"
    monkeypatch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(path))
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"""
            create schema {MARTS_SCHEMA};
            create table {MARTS_SCHEMA}.publication as
                select timestamp '2026-03-05 06:30:00' as published_at;
            create table {MARTS_SCHEMA}.fct_agent_runs (
                run_key varchar, run_date date, workflow_name varchar, run_status varchar,
                is_final boolean, is_successful boolean, cost_usd decimal(28, 9),
                known_cost_usd decimal(28, 9), wasted_cost_usd decimal(28, 9), duration_ms bigint,
                user_id varchar, anonymous_id varchar, first_failing_agent varchar,
                first_failing_step_type varchar, first_failing_tool varchar, failure_mode varchar,
                price_status varchar, has_suspect_duration boolean default false
            );
            create table {MARTS_SCHEMA}.fct_agent_sessions (
                run_key varchar, agent_name varchar, session_status varchar, is_successful boolean,
                known_cost_usd decimal(28, 9), duration_ms bigint,
                has_suspect_duration boolean default false
            );
            """
        )
        for number, row in enumerate(RUNS):
            day, workflow, status, ended, successful, cost, wasted, ms, person, agent = row
            mode = "bad_request" if status in ("error", "timeout") else None
            price_status = "unpriced" if cost is None else "reported"
            connection.execute(
                f"insert into {MARTS_SCHEMA}.fct_agent_runs values "
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, ?, 'tool_call', 'search', ?, ?, default)",
                [
                    *(str(number), day, workflow, status, ended, successful, cost, cost, wasted),
                    *(ms, person, agent, mode, price_status),
                ],
            )
            connection.execute(
                f"insert into {MARTS_SCHEMA}.fct_agent_sessions values "
                "(?, 'writer', ?, ?, ?, ?, default)",
                [str(number), status, successful, cost, ms],
            )
    return path


def printed(capsys, *arguments):
    """Return what the report prints, a list of cells per line."""
    assert report.main(list(arguments)) == 0
    return [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in capsys.readouterr().out.splitlines()
    ]


def refused(capsys, *arguments):
    """Return the one line with which the report is refused."""
    with pytest.raises(SystemExit) as stop:
        report.main(list(arguments))
    assert stop.value.code in (1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    return line


def test_headlines_of_two_days_stand_beside_the_two_days_before(published, capsys):
    lines = printed(capsys, "--since", "2026-03-03")
    assert "2026-03-03 to 2026-03-04 (2 days)" in lines[0][0]
    # five runs, four of them ended, two of these successful, three with a cost of 6 USD
    assert ["Runs", "5", "1", "+400.0 %"] in lines
    assert ["Success rate", "50.0 %", "100.0 %", "-50.0 points"] in lines
    assert ["Failure rate", "50.0 %", "0.0 %", "+50.0 points"] in lines
    # the pending run counts in what was spent, and in no mean
    assert ["Cost", "6.50 USD", "1.00 USD", "+550.0 %"] in lines
    assert ["Cost per run", "2.00 USD", "1.00 USD", "+100.0 %"] in lines
    # one success has a cost; the one without is none of those that the cost is divided by
    assert ["Cost per successful run", "6.00 USD", "1.00 USD", "+500.0 %"] in lines
    assert ["Wasted cost", "5.00 USD", "0.00 USD", ""] in lines
    # 1, 2, 3 and 83 seconds
    assert ["Median duration", "2.5 s", "4.0 s", "-37.5 %"] in lines
    assert ["95th percentile of duration", "71.0 s", "4.0 s", "+1675.0 %"] in lines
    assert ["1 run(s) still in progress, in no rate"] in lines
    assert ["1 run(s) of which no price is known, in no cost"] in lines
    assert ["Published 2026-03-05 06:30 UTC"] in lines


def test_breakpoints_come_by_failed_runs_users_and_cost(published, capsys):
    lines = printed(capsys, "--since", "2026-03-01")
    rows = [line for line in lines if "bad_request" in line]
    assert [row[0] for row in rows] == ["support", "sales"]
    assert rows[0] == (
        ["support", "writer", "tool_call", "search", "bad_request", "1", "1", "3.00 USD"]
    )


def test_agents_come_by_cost(published, capsys):
    lines = printed(capsys, "--since", "1d")
    # three sessions, of which one succeeded and one failed, 2.50 USD, 3 and 83 seconds
    assert ["writer", "3", "50.0 %", "2.50 USD", "100.0 %", "79.0 s"] in lines


def test_a_workflow_can_be_chosen(published, capsys):
    lines = printed(capsys, "--since", "2026-03-03", "--workflow", "sales")
    assert ["Runs", "2", "0", ""] in lines
    assert ["Cost", "2.50 USD", "not known", ""] in lines
    assert ["Success rate", "0.0 %", "not known", ""] in lines


def test_half_a_period_before_is_nothing_to_compare_with(published, capsys):
    lines = printed(capsys, "--since", "2026-03-02")
    assert ["Runs", "5", "not known", ""] in lines


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "yesterday"], "--since 'yesterday' is no date; write it as 2026-11-01"),
        (["--until", "2026-13-01"], "--until '2026-13-01' is no date"),
        (["--since", "2026-03-09"], "the period from 2026-03-09 to 2026-03-04 has no day"),
        (["--since", "0d"], "--since 0d has no day"),
        (["--workflow", "Sales"], "no run has the workflow 'Sales'; there are sales, support"),
    ],
)
def test_what_cannot_be_meant_is_refused(published, capsys, arguments, words):
    assert words in refused(capsys, *arguments)


def test_nothing_published_yet_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AGENT_ANALYTICS_PUBLISHED_PATH", str(tmp_path / "none.duckdb"))
    assert "run `make build` first" in refused(capsys)


class Page(HTMLParser):
    """Elements and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.links, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]

    def handle_data(self, data):
        self.texts.append(data.strip())


def test_the_page_shows_hostile_names_as_text_and_needs_nothing_else(published, tmp_path, capsys):
    target = tmp_path / "new folder" / "report.html"
    assert report.main(["--since", "1d", "--html", str(target)]) == 0
    assert capsys.readouterr().out == f"Wrote {target}\n"
    page = Page(target.read_text("utf-8"))
    assert HOSTILE in page.texts
    assert "script" not in page.elements
    assert page.links == []
    assert {"2.50 USD", "79.0 s", "50.0 %"} <= set(page.texts)


def test_a_hostile_name_is_printed_as_it_is(published, capsys):
    text = " ".join(cell for line in printed(capsys, "--since", "1d") for cell in line)
    assert "[red]" in text


def test_a_page_of_no_run_says_so(published, tmp_path):
    target = tmp_path / "report.html"
    assert (
        report.main(["--since", "2026-01-01", "--until", "2026-01-02", "--html", str(target)]) == 0
    )
    assert "None in this period." in Page(target.read_text("utf-8")).texts
