"""Facts and marts built from generated events equal the truth written beside them, row by row.

Three data sets: clean payloads, payloads with every kind of dirt, and raw Parquet tables with every
kind of dirt. One assertion per set, table and column.
"""

from __future__ import annotations

import csv
import math
import re
from itertools import combinations

import pytest

from scripts import superset_bundle
from scripts.generator.catalog import WORKFLOWS
from scripts.reporting import numbers
from scripts.warehouse import PROJECT_DIR, quote_identifier
from tests.python.generated import FACTS, MARTS, RELATIONS, SETS, Built
from tests.python.rollups import RECOMPUTED, difference
from tests.python.test_semantic_layer import EXPECTED

# Money is compared to a tenth of a millionth of a dollar: prices have six, sums nine decimals.
TOLERANCE = 1e-7

# What Parquet changes is tried elsewhere as well.
OFTEN = ("clean", "dirty")
# Where nothing hides what was planted.
UNSPOILED = "clean"
IN_SETS = [
    pytest.param(
        name,
        marks=[
            pytest.mark.xdist_group(f"generated_{name}"),
            *([] if name in OFTEN else [pytest.mark.slow]),
        ],
    )
    for name in SETS
]


def comparable(side: str, column: str, kind: str) -> str:
    """Return a column of one side as text, number or time that both sides can be compared by."""
    name = f"{side}.{quote_identifier(column)}"
    if kind.startswith("TIMESTAMP"):
        # Both kinds of timestamps, with and without zone, hold UTC.
        return f"epoch_ms(cast({name} as timestamp))"
    if kind == "DATE":
        return f"cast({name} as date)"
    if kind == "BOOLEAN":
        return f"cast({name} as boolean)"
    if kind == "VARCHAR":
        return name
    return f"cast({name} as double)"


def joined(item: Built, truth: str) -> str:
    """Return a full join of truth and fact on the columns that name a row."""
    relation, keys, _ = RELATIONS[truth]
    types = item.types(relation)
    same = " and ".join(
        f"{comparable('truth', key, types[key])} is not distinct from "
        f"{comparable('fact', key, types[key])}"
        for key in keys
    )
    return f"(select *, true as is_truth from truth_{truth}) as truth full join " + (
        f"(select *, true as is_fact from {relation}) as fact on {same}"
    )


def check_rows(item: Built, truth: str) -> None:
    """Every row of the truth is in its table, and no other."""
    keys = ", ".join(f"truth.{key}, fact.{key}" for key in RELATIONS[truth][1])
    strangers = item.connection.execute(
        f"select {keys} from {joined(item, truth)} "
        "where is_truth is null or is_fact is null limit 5"
    ).fetchall()
    assert strangers == []
    relation = RELATIONS[truth][0]
    counts = item.connection.execute(
        f"select (select count(*) from truth_{truth}), (select count(*) from {relation})"
    ).fetchall()
    assert counts[0][0] == counts[0][1] > 0


def check_column(item: Built, truth: str, column: str) -> None:
    """A column has the value of the truth in every row."""
    relation, keys, _ = RELATIONS[truth]
    kind = item.types(relation)[column]
    left, right = comparable("truth", column, kind), comparable("fact", column, kind)
    different = f"{left} is distinct from {right}"
    if kind not in ("VARCHAR", "BOOLEAN", "DATE") and not kind.startswith("TIMESTAMP"):
        different = f"({different}) and coalesce(abs({left} - {right}) > {TOLERANCE}, true)"
    names = ", ".join(f"fact.{key}" for key in keys)
    wrong = item.connection.execute(
        f"select {names}, truth.{column} as truth, fact.{column} as fact "
        f"from {joined(item, truth)} where is_truth and is_fact and {different} limit 5"
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize("name", IN_SETS)
@pytest.mark.parametrize("truth", FACTS)
def test_every_row_of_the_truth_is_there_and_no_other(built, name, truth):
    check_rows(built(name), truth)


@pytest.mark.parametrize("name", IN_SETS)
@pytest.mark.parametrize(
    ("truth", "column"), [(truth, column) for truth in FACTS for column in FACTS[truth][2]]
)
def test_column_equals_truth(built, name, truth, column):
    check_column(built(name), truth, column)


@pytest.mark.parametrize("name", IN_SETS)
@pytest.mark.parametrize("truth", MARTS)
def test_mart_equals_truth(built, name, truth):
    item = built(name)
    check_rows(item, truth)
    for column in MARTS[truth][2]:
        check_column(item, truth, column)


@pytest.mark.xdist_group("generated_clean")
def test_planted_loops_are_found(built):
    """Agents that send work back and forth make the run a loop, a repeated call its step."""
    connection = built(UNSPOILED).connection
    planted = connection.execute(
        """
        select planted.kind, count(*), bool_and(runs.has_loop),
            bool_and(runs.topology = 'loop'),
            bool_and(runs.redundant_step_count >= planted.repeats::int - 1)
        from truth_planted_loops as planted
        left join analytics_marts.fct_agent_runs as runs
            on planted.conversation_id = runs.conversation_id
            and planted.interaction_id = runs.interaction_id
        -- a run that has only begun when the data ends has not repeated anything yet
        where planted.repeats is null or planted.repeats::int >= 5
        group by planted.kind
        """
    ).fetchall()
    kinds = {row[0]: row[1:] for row in planted}
    assert set(kinds) == {"agents", "tool"}
    circles, calls = kinds["agents"], kinds["tool"]
    assert circles[0] >= 10 and circles[1] and circles[2]
    assert calls[0] >= 50 and calls[1] and calls[3]
    # Nothing else that has ended is a loop of agents; sessions that have just begun have no length.
    others = connection.execute(
        """
        select count(*) from analytics_marts.fct_agent_runs
        where topology = 'loop' and run_status != 'in_progress' and interaction_id not in (
            select interaction_id from truth_planted_loops where kind = 'agents'
        )
        """
    ).fetchall()
    assert others == [(0,)]


@pytest.mark.xdist_group("generated_clean")
def test_agents_that_may_run_side_by_side_are_told_from_those_that_may_not(built):
    """The catalogue says who waits for whom: agents of one wave wait for nobody in it."""
    free = set()
    for workflow in WORKFLOWS:
        for one, other in combinations(workflow.slots, 2):
            if (one.wave, one.parent) == (other.wave, other.parent):
                label = workflow.name if workflow.sends_workflow_name else "(not set)"
                free.add((label, *sorted((one.agent, other.agent))))
    rows = (
        built(UNSPOILED)
        .connection.execute(
            """
        select workflow_name, least(agent_name, next_agent_name),
            greatest(agent_name, next_agent_name), verdict, reversed_run_count
        from analytics_marts.mart_parallelization
        where n_used >= 30
        """
        )
        .fetchall()
    )
    verdicts = {row[:3]: row[3] for row in rows}
    assert verdicts == {pair: "independent" if pair in free else "dependent" for pair in verdicts}
    assert set(verdicts.values()) == {"independent", "dependent"}
    flexible = next(row for row in rows if row[1:3] == ("account_agent", "knowledge_agent"))
    assert flexible[4] >= 20


@pytest.mark.xdist_group("generated_clean")
def test_routes_are_those_that_the_simulation_took(built):
    """Who came first of those that do not direct others, and whether it was asked to redo it."""
    connection = built(UNSPOILED).connection
    ((first_day, last_day),) = connection.execute(
        "select distinct window_start_date, window_end_date from analytics_marts.mart_routes"
    ).fetchall()
    with (PROJECT_DIR / "seeds" / "taxonomy" / "agent_catalog.csv").open(newline="") as file:
        role = {row["agent_name"]: row["role"] for row in csv.DictReader(file)}
    sessions = {}
    for *run, agent, status in connection.execute(
        """
        select conversation_id, interaction_id, agent_name, session_status
        from truth_agent_sessions order by started_at, ended_at, agent_session_id
        """
    ).fetchall():
        sessions.setdefault(tuple(run), []).append((agent, status))
    expected = {}
    for *run, status, is_final, regenerated in connection.execute(
        """
        select conversation_id, interaction_id, run_status, is_final::boolean,
            regenerated_count::int
        from truth_runs
        where cast(cast(started_at as timestamptz) at time zone 'UTC' as date) between ? and ?
        """,
        [first_day, last_day],
    ).fetchall():
        mine = sessions.get(tuple(run), [])
        working = [
            number
            for number, (agent, _) in enumerate(mine)
            if role.get(agent) not in {"orchestrator", "planner", "router"}
        ]
        first, outcome = mine[working[0]] if working else ("(none)", None)
        later = [agent for agent, _ in mine[working[0] + 1 :]] if working else []
        is_rerouted = any(
            role.get(agent) == "router"
            or (
                outcome not in {"success", "unknown", "in_progress"}
                and agent != first
                and role.get(agent) == role.get(first)
            )
            for agent in later
        )
        counts = expected.setdefault(first, [0, 0, 0, 0])
        counts[0] += 1
        counts[1] += status == "success"
        counts[2] += bool(is_final and is_rerouted)
        counts[3] += bool(is_final and regenerated)
    found = {
        first: counts
        for first, *counts in connection.execute(
            """
            select first_specialist, sum(run_count)::int, sum(successful_run_count)::int,
                sum(rerouted_run_count)::int, sum(regenerated_run_count)::int
            from analytics_marts.mart_routes group by all
            """
        ).fetchall()
    }
    assert found == expected
    assert sum(counts[2] for counts in expected.values()) >= 10


@pytest.mark.xdist_group("generated_clean")
def test_orchestration_of_a_day_is_what_the_simulation_played(built):
    """Shapes, sessions, handoffs and times of each day's ended runs, from the truth of runs."""
    connection = built(UNSPOILED).connection
    shapes = ("single", "linear", "fan_out", "nested", "loop")
    sums = ("agent_session_count", "handoff_count", "critical_path_ms", "sequential_sibling_ms")
    found = connection.execute(
        f"""
        select run_date, {", ".join(f"sum({shape}_run_count)::int" for shape in shapes)},
            {", ".join(f"sum({name})::bigint" for name in sums)}
        from analytics_marts.mart_orchestration
        group by run_date having sum(n_used) > 0 order by run_date
        """
    ).fetchall()
    expected = connection.execute(
        f"""
        select cast(cast(started_at as timestamptz) at time zone 'UTC' as date) as run_date,
            {", ".join(f"count(*) filter (topology = '{shape}')::int" for shape in shapes)},
            {", ".join(f"sum({name}::bigint)::bigint" for name in sums)}
        from truth_runs
        where is_final::boolean and topology is not null
        group by 1 order by 1
        """
    ).fetchall()
    assert found == expected
    assert all(sum(row[number] for row in found) for number in range(1, 10))


@pytest.mark.xdist_group("generated_clean")
def test_the_cheaper_model_that_was_switched_to_is_advised(built):
    """Both models of triage work as well, and the new one costs a fifth."""
    rows = (
        built(UNSPOILED)
        .connection.execute(
            """
        select verdict, saving_share > 0.5, current_finished_session_count,
            current_successful_session_count, candidate_session_count,
            candidate_successful_session_count
        from analytics_marts.mart_model_right_sizing
        where (agent_name, current_model, candidate_model)
            = ('triage_agent', 'gpt-4.1', 'gpt-4.1-mini')
        """
        )
        .fetchall()
    )
    counts = (
        built(UNSPOILED)
        .connection.execute(
            """
        select canonical_model, count(*), count(*) filter (where session_status = 'success')
        from truth_agent_sessions
        where agent_name = 'triage_agent'
            and session_status not in ('in_progress', 'unknown')
        group by 1
        """
        )
        .fetchall()
    )
    known = {model: figures for model, *figures in counts}
    assert rows == [("switch", True, *known["gpt-4.1"], *known["gpt-4.1-mini"])]


def expected_verdict(current, candidate):
    """Return the verdict on (sessions, successes) of two models, with Newcombe's interval."""

    def wilson(count, successes):
        share, z = successes / count, 1.959963984540054
        middle = share + z * z / (2 * count)
        half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
        return share, (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)

    fewest = min(current[0], candidate[0])
    if fewest < 30:
        return "pilot"
    (old, old_low, old_high), (new, new_low, new_high) = wilson(*current), wilson(*candidate)
    low = new - old - math.hypot(new - new_low, old_high - old)
    high = new - old + math.hypot(new_high - new, old - old_low)
    if high < 0:
        return "keep"
    return "switch" if fewest >= 100 and low >= -0.02 else "pilot"


@pytest.mark.xdist_group("generated_clean")
def test_verdicts_on_models_follow_from_what_was_played(built):
    """Every cheaper model is judged by the sessions that the simulation let it have."""
    connection = built(UNSPOILED).connection
    played = {
        (agent, model): counts
        for agent, model, *counts in connection.execute(
            """
            select coalesce(agent_name, '(not set)'), canonical_model, count(*),
                count(*) filter (where session_status = 'success')
            from truth_agent_sessions
            where session_status not in ('in_progress', 'unknown')
            group by all
            """
        ).fetchall()
    }
    rows = connection.execute(
        "select agent_name, current_model, candidate_model, verdict "
        "from analytics_marts.mart_model_right_sizing where saving_usd > 0"
    ).fetchall()
    expected = [
        (*row[:3], expected_verdict(played[row[:2]], played.get((row[0], row[2]), (0, 0))))
        for row in rows
    ]
    assert rows == expected
    assert {row[3] for row in rows} == {"switch", "pilot", "keep"}
    assert ("inbox_assistant", "gpt-4o-2024-08-06", "gpt-4.1-mini", "keep") in rows
    assert len([row for row in rows if (row[0], row[2]) in played]) >= 5


@pytest.mark.xdist_group("generated_clean")
def test_a_release_shows_its_effect(built):
    """The new version of one agent fails more often, costs more and takes longer."""
    rows = (
        built(UNSPOILED)
        .connection.execute(
            """
        select agent_version, success_rate_low, success_rate_high, cost_per_session_usd,
            p95_duration_ms
        from analytics_marts.mart_agent_versions
        where agent_name = 'web_researcher'
        order by agent_version
        """
        )
        .fetchall()
    )
    (old, _, _, _, _), (new, _, _, _, _) = rows
    assert (old, new) == ("1.0.0", "2.0.0")
    assert rows[1][2] < rows[0][1]  # the intervals do not meet
    assert float(rows[1][3]) > 2 * float(rows[0][3])
    assert rows[1][4] > 1.5 * rows[0][4]


@pytest.mark.xdist_group("generated_clean")
def test_planted_anomalies_are_found_and_few_others(built):
    """All days of six standard deviations or more are found, with the values that were played.

    Of the days on which nothing was planted at most one in a hundred is called unusual: not the
    days of the workflow with incidents, nor those from a known change on.
    """
    connection = built(UNSPOILED).connection
    planted = connection.execute(
        f"""
        select planted.metric, abs(planted.sigma::double) >= 6, days.is_anomaly,
            sign(days.score) = sign(planted.sigma::double),
            abs(days.value - planted.value::double) <= {TOLERANCE}
        from truth_planted_days as planted
        left join analytics_marts.mart_metric_anomalies as days
            on planted.metric = days.metric
            and planted.workflow_name = days.workflow_name
            and planted.metric_date::date = days.metric_date
        where planted.kind = 'anomaly'
        """
    ).fetchall()
    assert len(planted) == 4
    assert [row for row in planted if not all(row[1:])] == []
    judged, alarms = connection.execute(
        """
        select count(*), count(*) filter (where is_anomaly)
        from analytics_marts.mart_metric_anomalies as days
        where score is not null and not exists (
            select 1 from truth_planted_days as planted
            where planted.workflow_name = days.workflow_name and (
                planted.metric_date::date = days.metric_date
                or (planted.kind = 'change' and planted.metric_date::date < days.metric_date)
            )
        )
        """
    ).fetchone()
    assert judged > 1000
    assert alarms <= 0.01 * judged, (alarms, judged)


@pytest.mark.xdist_group("generated_clean")
def test_planted_changes_are_found_on_their_days(built):
    """Each known change is a change point of its metric, with what coincides."""
    rows = (
        built(UNSPOILED)
        .connection.execute(
            """
        select planted.metric, planted.metric_date, points.changed_on,
            sign(points.difference) = sign(planted.value::double - planted.usual_value::double),
            points.coinciding_changes
        from truth_planted_days as planted
        left join analytics_marts.mart_change_points as points
            on planted.metric = points.metric and planted.workflow_name = points.workflow_name
        where planted.kind = 'change'
        order by 1
        """
        )
        .fetchall()
    )
    assert len(rows) == 2
    for _, planted, found, same_direction, _ in rows:
        assert str(found) == planted
        assert same_direction
    assert "version web_researcher 2.0.0 first seen" in rows[0][4]


@pytest.mark.xdist_group("generated_clean")
@pytest.mark.parametrize("truth", RELATIONS)
def test_every_truth_column_is_compared(built, truth):
    item = built("clean")
    with (item.folder / "truth" / f"{truth}.csv").open(newline="", encoding="utf-8") as handle:
        header = next(csv.reader(handle))
    _, keys, columns = RELATIONS[truth]
    assert sorted(header) == sorted((*keys, *columns))


@pytest.mark.parametrize("name", IN_SETS)
def test_quarantined_events_have_the_true_reasons(built, name):
    item = built(name)
    difference = item.connection.execute(
        """
        with counted as (
            select source_table, event_id, quarantine_reason, 1 as in_truth
            from truth_quarantined
            union all
            select source_table, event_id, quarantine_reason, -1
            from analytics_audit.audit_quarantined_events
        )
        select source_table, event_id, quarantine_reason, sum(in_truth)
        from counted
        group by all
        having sum(in_truth) != 0
        """
    ).fetchall()
    assert difference == []
    count = item.connection.execute("select count(*) from truth_quarantined").fetchall()[0][0]
    assert (count > 0) == (name != "clean")


@pytest.mark.parametrize("name", IN_SETS)
def test_no_planted_text_leaves_staging(built, name):
    """Canaries sit in every kind of sensitive property; no built table may show one."""
    item = built(name)
    canaries = (item.folder / "truth" / "canaries.txt").read_text(encoding="utf-8").split()
    assert (len(canaries) > 100) == (name != "clean")
    relations = item.connection.execute(
        """
        select table_schema, table_name, list(column_name)
        from information_schema.columns
        where table_schema like 'analytics%' and data_type = 'VARCHAR'
        group by table_schema, table_name
        """
    ).fetchall()
    assert sum(len(columns) for *_, columns in relations) > 100
    showing = []
    for schema, table, columns in relations:
        # all columns at once: a view is computed for each statement
        shown = ", ".join(
            f"count(*) filter (contains({quote_identifier(column)}, 'CANARY-'))"
            for column in columns
        )
        relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
        counts = item.connection.execute(f"select {shown} from {relation}").fetchone()
        showing += [
            f"{schema}.{table}.{column}"
            for column, count in zip(columns, counts, strict=True)
            if count
        ]
    assert showing == []


def test_statements_of_the_readme_have_an_answer(built):
    """Each question of README.md comes with a statement that runs, and most find something here."""
    text = (PROJECT_DIR / "README.md").read_text("utf-8")
    [block] = re.findall(r"(?ms)^```sql\n(.*?)^```$", text)
    setting, *statements = [part.strip() for part in block.split(";\n") if part.strip()]
    connection = built("clean").connection.cursor()
    connection.execute(setting)
    answers = [connection.execute(statement).fetchall() for statement in statements]
    assert len(answers) == 20
    assert sum(1 for rows in answers if rows) >= 18


@pytest.mark.xdist_group("generated_clean")
def test_the_report_says_what_the_marts_say(built):
    """Over the whole window the numbers of scripts/report.py, made from facts, are the marts'."""
    connection = built("clean").connection
    window = "analytics_intermediate.int_analysis_window"
    since, until = connection.execute(
        f"select window_start_date, window_end_date from {window}"
    ).fetchone()
    selection = numbers.Selection(since, until)
    said = {line.label: line.value for line in numbers.headlines(connection, selection)}
    [health] = connection.execute(
        "select sum(run_count), sum(successful_run_count) / sum(n_used), "
        "sum(failed_run_count) / sum(n_used), sum(cost_usd), "
        "sum(ended_cost_usd) / sum(costed_run_count), "
        "sum(ended_cost_usd) / sum(costed_successful_run_count) "
        f"from analytics_marts.mart_workflow_health, {window} "
        "where level = 'system' and run_date between window_start_date and window_end_date"
    ).fetchall()
    labels = (
        "Runs", "Success rate", "Failure rate", "Cost", "Cost per run", "Cost per successful run",
    )  # fmt: skip
    assert [float(said[label]) for label in labels] == pytest.approx([float(x) for x in health])
    names = "workflow_name, agent_name, step_type, tool_name, failure_mode, failed_run_count"
    found = numbers.rows(connection, selection, numbers.BREAKPOINTS)
    assert [tuple(row[name] for name in names.split(", ")) for row in found] == connection.execute(
        f"select {names} from analytics_marts.mart_breakpoints order by impact_rank limit 5"
    ).fetchall()
    assert len(found) == 5


@pytest.mark.xdist_group("generated_clean")
def test_metrics_of_superset_are_those_of_the_semantic_layer(built):
    """Every metric is there, and its SQL finds what the marts say."""
    connection = built("clean").connection
    files = superset_bundle.bundle(superset_bundle.described_tables(connection), "duckdb:///x")
    found = {}
    for file in files.values():
        for metric in file.get("metrics", []):
            statement = f"select {metric['expression']} from analytics_marts.{file['table_name']}"
            [(found[metric["metric_name"]],)] = connection.execute(statement).fetchall()
    assert set(found) == set(EXPECTED)
    for name, value in found.items():
        [(expected,)] = connection.execute(f"select {EXPECTED[name]}").fetchall()
        assert float(value) == pytest.approx(float(expected), rel=1e-9), name


@pytest.mark.xdist_group("generated_dirty")
@pytest.mark.parametrize("table", RECOMPUTED)
def test_rollup_is_what_the_facts_say(built, table):
    """Computed from the facts by another way than the model's, with every kind of dirt."""
    connection = built("dirty").connection
    assert connection.execute(difference(table)).fetchall() == []
    assert connection.execute(f"select count(*) from analytics_marts.{table}").fetchone() != (0,)
