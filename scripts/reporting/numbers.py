"""Numbers of a period from the facts in the published file.

Every number is computed from facts, so that a period and a workflow can be chosen freely; over the
whole analysis window they equal the marts (tests/python/test_report.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import duckdb

from scripts.warehouse import MARTS_SCHEMA

WORST = 5
Value = int | float | Decimal | None


@dataclass(frozen=True)
class Selection:
    """Which runs a report looks at: their days, first and last included, and their workflows.

    No workflow means all of them.
    """

    since: date
    until: date
    workflows: tuple[str, ...] = ()

    @property
    def days(self) -> int:
        """Number of days of the period."""
        return (self.until - self.since).days + 1

    def before(self) -> Selection:
        """Return the period of the same length that ends where this one begins."""
        day = timedelta(days=1)
        return Selection(self.since - day * self.days, self.since - day, self.workflows)

    def parameters(self) -> dict[str, object]:
        """Return the values of the parameters in `RUNS`."""
        return {"since": self.since, "until": self.until, "workflows": list(self.workflows)}


# The selected runs, as a table expression with parameters.
RUNS = f"""(
    select *, case when not has_suspect_duration then duration_ms end as measured_ms
    from {MARTS_SCHEMA}.fct_agent_runs
    where run_date between $since and $until
        and (len($workflows) = 0 or list_contains($workflows, coalesce(workflow_name, '(not set)')))
)"""


@dataclass(frozen=True)
class Headline:
    """One headline number of the period, of the one before, and what it is measured in.

    `unit` is one of `count`, `share`, `usd`, `ms`; `is_better_high` says which way is good, None
    where neither is.
    """

    label: str
    value: Value
    previous: Value
    unit: str
    is_better_high: bool | None = None


@dataclass(frozen=True)
class Report:
    """Everything a report says."""

    selection: Selection
    published_at: object
    headlines: list[Headline]
    days: list[dict[str, object]]
    breakpoints: list[dict[str, object]]
    agents: list[dict[str, object]]
    basis: list[tuple[str, int]]


# Label, unit, which way is good, and how it is computed from `RUNS`.
HEADLINES: list[tuple[str, str, bool | None, str]] = [
    ("Runs", "count", None, "count(*)"),
    (
        "Success rate",
        "share",
        True,
        "count(*) filter (is_successful) / nullif(count(is_successful), 0)",
    ),
    (
        "Failure rate",
        "share",
        False,
        "count(*) filter (run_status in ('error', 'timeout')) / nullif(count(is_successful), 0)",
    ),
    ("Cost", "usd", None, "sum(cost_usd)"),
    ("Cost per run", "usd", False, "avg(cost_usd) filter (is_final)"),
    (
        "Cost per successful run",
        "usd",
        False,
        "sum(cost_usd) filter (is_final)"
        " / nullif(count(*) filter (is_final and is_successful and cost_usd is not null), 0)",
    ),
    ("Wasted cost", "usd", False, "sum(wasted_cost_usd)"),
    ("Median duration", "ms", False, "quantile_cont(measured_ms, 0.5) filter (is_final)"),
    (
        "95th percentile of duration",
        "ms",
        False,
        "quantile_cont(measured_ms, 0.95) filter (is_final)",
    ),
]


def published_days(connection: duckdb.DuckDBPyConnection) -> tuple[date, date] | None:
    """Return the first and the last day with runs, None when there is no run."""
    first, last = connection.execute(
        f"select min(run_date), max(run_date) from {MARTS_SCHEMA}.fct_agent_runs"
    ).fetchall()[0]
    return None if first is None else (first, last)


def workflows(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of all workflows that have runs."""
    found = connection.execute(
        "select distinct coalesce(workflow_name, '(not set)') "
        f"from {MARTS_SCHEMA}.fct_agent_runs order by 1"
    ).fetchall()
    return [name for (name,) in found]


def read(connection: duckdb.DuckDBPyConnection, selection: Selection) -> Report:
    """Return the report of the selected runs, from a published file."""
    [(published_at,)] = connection.execute(
        f"select max(published_at) from {MARTS_SCHEMA}.publication"
    ).fetchall()
    return Report(
        selection,
        published_at,
        headlines(connection, selection),
        rows(connection, selection, DAYS),
        rows(connection, selection, BREAKPOINTS),
        rows(connection, selection, AGENTS),
        basis(connection, selection),
    )


def headlines(connection: duckdb.DuckDBPyConnection, selection: Selection) -> list[Headline]:
    """Return the headline numbers of the selected runs beside those of the period before.

    There is something to compare with only where the published runs go back to the first day of
    the period before: half a period would look like growth.
    """
    expressions = ", ".join(expression for *_, expression in HEADLINES)
    now, before = (
        connection.execute(f"select {expressions} from {RUNS}", period.parameters()).fetchall()[0]
        for period in (selection, selection.before())
    )
    days = published_days(connection)
    if days is None or days[0] > selection.before().since:
        before = (None,) * len(before)
    return [
        Headline(label, value, previous, unit, is_better_high)
        for (label, unit, is_better_high, _), value, previous in zip(
            HEADLINES, now, before, strict=True
        )
    ]


DAYS = f"""
    select
        run_date,
        count(*) as run_count,
        count(*) filter (run_status in ('error', 'timeout')) as failed_run_count,
        sum(cost_usd) as cost_usd
    from {RUNS}
    group by run_date
    order by run_date
"""

# The order of mart_breakpoints.
BREAKPOINTS = f"""
    select
        coalesce(workflow_name, '(not set)') as workflow_name,
        coalesce(first_failing_agent, '(not set)') as agent_name,
        coalesce(first_failing_step_type, '(none)') as step_type,
        coalesce(first_failing_tool, '(none)') as tool_name,
        coalesce(failure_mode, '(none)') as failure_mode,
        count(*) as failed_run_count,
        count(distinct coalesce(user_id, anonymous_id)) as user_count,
        sum(wasted_cost_usd) as wasted_cost_usd,
        sum(measured_ms) / 60000 as lost_minutes
    from {RUNS}
    where run_status in ('error', 'timeout')
    group by 1, 2, 3, 4, 5
    order by
        failed_run_count desc, user_count desc, sum(known_cost_usd) desc nulls last,
        lost_minutes desc nulls last, 1, 2, 3, 4, 5
    limit {WORST}
"""

AGENTS = f"""
    select
        coalesce(sessions.agent_name, '(not set)') as agent_name,
        count(*) as session_count,
        count(*) filter (sessions.is_successful) / nullif(count(sessions.is_successful), 0)
            as success_rate,
        sum(sessions.known_cost_usd) as known_cost_usd,
        sum(sessions.known_cost_usd) / nullif(sum(sum(sessions.known_cost_usd)) over (), 0)
            as cost_share,
        quantile_cont(sessions.duration_ms, 0.95) filter (
            not sessions.has_suspect_duration
            and sessions.session_status not in ('in_progress', 'abandoned')
        ) as p95_duration_ms
    from {MARTS_SCHEMA}.fct_agent_sessions as sessions
    inner join {RUNS} as runs on sessions.run_key = runs.run_key
    group by 1
    order by known_cost_usd desc nulls last, 1
    limit {WORST}
"""


def rows(
    connection: duckdb.DuckDBPyConnection, selection: Selection, query: str
) -> list[dict[str, object]]:
    """Return what `DAYS`, `BREAKPOINTS` or `AGENTS` finds among the selected runs, as dicts."""
    answer = connection.execute(query, selection.parameters())
    names = [column[0] for column in answer.description or []]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def basis(connection: duckdb.DuckDBPyConnection, selection: Selection) -> list[tuple[str, int]]:
    """Return how many of the selected runs rates and costs leave out, each with its reason."""
    [(unfinished, unpriced, partial)] = connection.execute(
        "select count(*) filter (not is_final), count(*) filter (price_status = 'unpriced'), "
        f"count(*) filter (price_status = 'partial') from {RUNS}",
        selection.parameters(),
    ).fetchall()
    return [
        ("run(s) still in progress, in no rate", unfinished),
        ("run(s) of which no price is known, in no cost", unpriced),
        ("run(s) of which some prices are unknown, in no cost", partial),
    ]
