"""What the two Python models call an anomaly and a change, on series whose truth is known."""

from __future__ import annotations

import importlib.util
import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from scripts.warehouse import PROJECT_DIR

FIRST_DAY = date(2026, 1, 1)
DAYS = 200
SERIES = 6


def load(path):
    """Return the module of a Python model."""
    spec = importlib.util.spec_from_file_location(
        "python_model", PROJECT_DIR / "models/marts" / path
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


anomalies = load("trust/mart_metric_anomalies.py")
changes = load("reliability/mart_change_points.py")


def day(number):
    return FIRST_DAY + timedelta(days=number)


def draw(rng, kind, rows, effect=1.0):
    """Return value and n of a day; the busier half of the week has more rows."""
    n = max(int(rng.poisson(rows)), 1)
    if kind == "count":
        n = int(n * effect)
        return float(n), n
    if kind == "rate":
        return float(rng.binomial(n, 0.93 * effect)) / n, n
    costs = rng.lognormal(0, 1, n) * effect
    return float(costs.mean() if kind == "mean" else np.quantile(costs, 0.95)), n


def series(rng, kind, rows, effects=None):
    """Return one series, with the effect of a day by its number."""
    found = []
    for number in range(DAYS):
        of_day = rows * (0.5 if number % 7 > 4 else 1.2)
        value, n = draw(rng, kind, of_day, (effects or {}).get(number, 1.0))
        found.append((day(number), value, n))
    return found


@pytest.mark.parametrize("rows", [4, 40, 200])
@pytest.mark.parametrize("kind", ["count", "rate", "mean", "value"])
def test_clean_days_are_seldom_anomalies(kind, rows):
    """At most one judged day of a hundred, weekdays, chance and long tails included."""
    rng = np.random.default_rng(rows)
    scores = [
        score
        for _ in range(SERIES)
        for *_, score in anomalies.judged(series(rng, kind, rows), kind)
        if score is not None
    ]
    assert len(scores) > 600
    assert np.mean(np.abs(scores) > anomalies.BAND) <= 0.01


def bursts(rng, number):
    """Return the runs of a day on which users come with one to many of them."""
    visits = rng.poisson(8 * (0.4 if number % 7 > 4 else 1.2))
    n = max(int(rng.geometric(0.55, visits).sum()), 1)
    return float(n), n


def mixed_products(rng, number):
    """Return the p95 of the few runs of a slow and a quick product, of which the slow is rarer."""
    n = max(int(rng.poisson(3 if number % 7 > 4 else 8)), 1)
    typical = np.where(rng.random(n) < 0.4, 80_000, 6_000)
    return float(np.quantile(typical * rng.lognormal(0, 0.5, n), 0.95)), n


@pytest.mark.parametrize(("kind", "draw_day"), [("count", bursts), ("value", mixed_products)])
def test_bursts_and_mixtures_are_seldom_anomalies(kind, draw_day):
    """What lies far from the median on one day of five is usual there."""
    rng = np.random.default_rng(11)
    scores = [
        score
        for _ in range(SERIES)
        for *_, score in anomalies.judged(
            [(day(number), *draw_day(rng, number)) for number in range(DAYS)], kind
        )
        if score is not None
    ]
    assert len(scores) > 600
    assert np.mean(np.abs(scores) > anomalies.BAND) <= 0.01


# far outside of what chance does to 200 rows, six of its standard deviations and more
@pytest.mark.parametrize(
    ("kind", "effect"),
    [("count", 2.0), ("count", 0.3), ("rate", 0.8), ("mean", 2.5), ("value", 3.0)],
)
def test_planted_days_are_found(kind, effect):
    rng = np.random.default_rng(7)
    planted = {60, 101, 150, 199}
    for _ in range(SERIES):
        judged = anomalies.judged(series(rng, kind, 200, dict.fromkeys(planted, effect)), kind)
        found = {
            number
            for number, (*_, score) in enumerate(judged)
            if score is not None and abs(score) > anomalies.BAND
        }
        assert planted <= found


def test_what_is_expected_is_the_median_of_the_weekday():
    """Eight Mondays of 10 and other days of 20: the ninth Monday is expected to have 10."""
    days = [(day(number), 10.0 if number % 7 == 0 else 20.0, 100) for number in range(57)]
    *_, (_, value, _, expected, low, high, score) = anomalies.judged(days, "count")
    assert (value, expected) == (10.0, pytest.approx(10.0))
    assert score == 0.0
    # nothing varies but by chance: the square root of 10
    assert (high - low) / 2 == pytest.approx(3.5 * 10**0.5)


def test_no_day_is_judged_before_there_are_four_weeks():
    judged = list(anomalies.judged(series(np.random.default_rng(1), "count", 40), "count"))
    assert [score is not None for *_, score in judged[:30]] == [False] * 28 + [True] * 2


def test_no_later_day_changes_a_judgement():
    whole = series(np.random.default_rng(3), "mean", 40)
    judged = list(anomalies.judged(whole, "mean"))
    for length in (29, 80, 150):
        assert list(anomalies.judged(whole[:length], "mean")) == judged[:length]


def health(number, **values):
    """Return a row of mart_workflow_health."""
    row = dict.fromkeys(
        (
            *anomalies.COUNTS,
            "successful_run_count",
            "ended_cost_usd",
            "costed_run_count",
            "p95_duration_ms",
            "retried_operation_count",
            "operation_count",
            "unclassified_run_count",
            "failed_run_count",
            "total_tokens",
            "counted_run_count",
        ),
        0,
    )
    return row | {"run_date": day(number), "level": "workflow", "workflow_name": "w"} | values


def test_rows_say_value_and_what_it_rests_on():
    """8 of 10 runs are 0.8, 5 USD of 4 runs are 1.25; without a denominator there is no row."""
    rows = anomalies.rows_of(
        [
            health(
                0, n_all=12, n_used=10, successful_run_count=8, ended_cost_usd=5, costed_run_count=4
            ),
            health(0, level="system", n_all=12),
        ],
        [],
    )
    assert {row["metric"]: (row["value"], row["n"]) for row in rows} == {
        "runs": (12.0, 12),
        "success_rate": (0.8, 10),
        "cost_per_run_usd": (1.25, 4),
        "p95_duration_ms": (0.0, 10),
        "unpriced_share": (0.0, 12),
    }
    assert len(rows) == 5
    assert all(row["is_anomaly"] is None and row["expected"] is None for row in rows)


def test_what_came_and_went_around_a_day_coincides():
    """Within two days on either side, in the order of the alphabet."""
    known = [(day(number), f"thing {number}") for number in (7, 8, 12, 13)]
    assert anomalies.changes_around(day(10), known) == "thing 12; thing 8"
    assert anomalies.changes_around(day(20), known) is None


def test_a_lasting_change_is_found_on_its_day():
    """A release at day 100 lowers the success rate from 0.93 to 0.8, and nothing else happens."""
    rng = np.random.default_rng(5)
    effects = dict.fromkeys(range(100, DAYS), 0.86)
    for _ in range(SERIES):
        values = {item[0]: item[1:] for item in series(rng, "rate", 200, effects)}
        found = changes.change_days(values)
        assert len(found) == 1
        assert abs((found[0] - day(100)).days) <= 1


def test_a_change_is_judged_when_its_two_weeks_are_over():
    """The fourteenth day from the change on says on which day it was."""
    values = {day(number): (0.9 if number < 20 else 0.6, 100) for number in range(34)}
    assert changes.change_days(values) == [day(20)]
    del values[day(33)]
    assert day(20) not in changes.change_days(values)


@pytest.mark.parametrize("kind", ["count", "rate", "mean"])
def test_nothing_changes_where_nothing_changed(kind):
    rng = np.random.default_rng(6)
    found = [
        changes.change_days({item[0]: item[1:] for item in series(rng, kind, 40)})
        for _ in range(SERIES)
    ]
    assert sum(map(len, found)) <= 1


def test_difference_of_rates_has_newcombes_interval():
    """184 of 200 before and 171 of 180 after: 0.03, from -0.0219 to 0.0816."""
    before, after, low, high = changes.interval("success_rate", [(0.92, 200)], [(0.95, 180)])
    assert (before, after) == (0.92, 0.95)
    assert (low, high) == (pytest.approx(-0.0219, abs=5e-5), pytest.approx(0.0816, abs=5e-5))


def test_requests_that_moved_are_named():
    """A fifth of the requests and more; 0.1 is not worth a word."""
    before = {day(number): {"refund": 9, "order": 1} for number in range(14)}
    moved = {day(number): {"refund": 6, "order": 4} for number in range(14, 28)}
    alike = {day(number): {"refund": 8, "order": 2} for number in range(14, 28)}
    assert changes.mix_shift(before | moved, day(14)) == "requests moved to order (+0.30)"
    assert changes.mix_shift(before | alike, day(14)) is None
    assert changes.mix_shift({}, day(14)) is None


def test_change_is_a_row_with_both_sides_and_what_coincides():
    days = [
        {
            "metric": "success_rate",
            "workflow_name": "w",
            "metric_date": day(number),
            "value": 0.9 + number % 7 / 1000 if number < 20 else 0.6 + number % 7 / 1000,
            "n": 100,
            **dict.fromkeys(("n_all", "n_used"), 100),
            **dict.fromkeys(("n_unfinished", "n_unpriced", "n_partial"), 0),
        }
        for number in range(40)
    ]
    known = [(day(18), "version writer 2 first seen"), (day(23), "tool crawl last seen")]
    (row,) = changes.rows_of(days, known, {})
    assert (row["changed_on"], row["n_before"], row["n_after"]) == (day(20), 1400, 1400)
    assert (row["before_value"], row["after_value"]) == (pytest.approx(0.903), pytest.approx(0.603))
    assert row["difference"] == pytest.approx(-0.3)
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert row["coinciding_changes"] == "version writer 2 first seen"
    assert row["n_all"] == 2800


def test_other_engines_are_told_of_every_python_model():
    """What is disabled is not in dbt's graph, so the message names the models itself."""
    names = {path.stem for path in (PROJECT_DIR / "models").rglob("*.py")}
    message = (PROJECT_DIR / "macros/settings/name_disabled_models.sql").read_text()
    assert set(re.findall(r"mart_\w+", message)) == names != set()


# Mistake: module, text to replace, the mistake, and the test that must notice.
MISTAKES = [
    ("anomalies", "BAND = 3.5", "BAND = 35", lambda: test_planted_days_are_found("count", 2.0)),
    (
        "anomalies",
        "BAND = 3.5",
        "BAND = 2",
        lambda: test_clean_days_are_seldom_anomalies("rate", 40),
    ),
    (
        "anomalies",
        "max(spread, chance(kind, expected, n, typical_n, spread))",
        "spread",
        test_what_is_expected_is_the_median_of_the_weekday,
    ),
    (
        "anomalies",
        "weekdays_before == weekday).sum() >= 3",
        "weekdays_before == weekday).sum() >= 99",
        test_what_is_expected_is_the_median_of_the_weekday,
    ),
    (
        "anomalies",
        "days[0] <= days[position] - LEAST_DAYS",
        "True",
        test_no_day_is_judged_before_there_are_four_weeks,
    ),
    (
        "anomalies",
        "(days < days[position])",
        "(days != days[position])",
        test_no_later_day_changes_a_judgement,
    ),
    (
        "anomalies",
        'kind in ("mean", "value") and',
        "False and",
        lambda: test_clean_days_are_seldom_anomalies("mean", 4),
    ),
    (
        "anomalies",
        'row["level"] == "workflow"',
        'row["level"]',
        test_rows_say_value_and_what_it_rests_on,
    ),
    (
        "anomalies",
        "<= COINCIDENCE_DAYS",
        "< COINCIDENCE_DAYS",
        test_what_came_and_went_around_a_day_coincides,
    ),
    (
        "changes",
        "LEAST_LIKELY = 0.0001",
        "LEAST_LIKELY = 0.05",
        lambda: test_nothing_changes_where_nothing_changed("count"),
    ),
    (
        "changes",
        "newest < day + timedelta(days=SIDE_DAYS - 1)",
        "False",
        test_a_change_is_judged_when_its_two_weeks_are_over,
    ),
    (
        "changes",
        "(day - groups[-1][-1]).days < 7",
        "False",
        test_a_lasting_change_is_found_on_its_day,
    ),
    (
        "changes",
        "(second - low_2) ** 2 + (high_1 - first) ** 2",
        "(second - low_2) ** 2",
        test_difference_of_rates_has_newcombes_interval,
    ),
    (
        "changes",
        "MIX_SHIFT = 0.2",
        "MIX_SHIFT = 0.05",
        test_requests_that_moved_are_named,
    ),
    (
        "changes",
        "<= COINCIDENCE_DAYS",
        "< COINCIDENCE_DAYS",
        test_change_is_a_row_with_both_sides_and_what_coincides,
    ),
    (
        "changes",
        "range(-SIDE_DAYS, SIDE_DAYS)",
        "range(SIDE_DAYS)",
        test_change_is_a_row_with_both_sides_and_what_coincides,
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake[0]}: {mistake[2]}")
def test_a_mistake_in_a_rule_is_noticed(monkeypatch, tmp_path, mistake):
    module, old, new, noticed_by = mistake
    right = Path(globals()[module].__file__).read_text(encoding="utf-8")
    assert right.count(old) == 1, f"the text to replace is there {right.count(old)} times: {old}"
    wrong = tmp_path / f"{module}.py"
    wrong.write_text(right.replace(old, new), encoding="utf-8")
    monkeypatch.setitem(globals(), module, load(wrong))
    with pytest.raises(AssertionError):
        noticed_by()
