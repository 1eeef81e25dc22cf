"""Days on which a metric of a workflow was not what the weeks before made likely.

A day is judged by the days before it only, so no later day changes a judgement. What is expected is the
median of the last eight weeks, moved by how the weekday differs from it; the band around it is 3.5 robust
standard deviations wide on each side (scaled median absolute deviation, or what four days of five keep to
where that is more), and never narrower than what chance makes of as few rows as the day has.
"""

import math

import numpy as np
import pyarrow as pa
from scipy import stats

# Days before the judged one that are looked at, and the least age of the history.
BASELINE_DAYS = 56
LEAST_DAYS = 28
# Robust standard deviations on each side of what is expected.
BAND = 3.5
# So many of the days before are usual; of normal values they lie within so many standard deviations.
USUAL_SHARE = 0.8
NORMAL_QUANTILE = 1.281552
# A model, tool, agent or version that came or went within so many days coincides.
COINCIDENCE_DAYS = 2
# Kind of each metric, its numerator (None: the denominator itself) and its denominator in mart_workflow_health.
METRICS = {
    "runs": ("count", None, "n_all"),
    "success_rate": ("rate", "successful_run_count", "n_used"),
    "cost_per_run_usd": ("mean", "ended_cost_usd", "costed_run_count"),
    "p95_duration_ms": ("value", "p95_duration_ms", "n_used"),
    "retry_rate": ("rate", "retried_operation_count", "operation_count"),
    "unclassified_share": ("rate", "unclassified_run_count", "failed_run_count"),
    "unpriced_share": ("rate", "n_unpriced", "n_all"),
    "tokens_per_run": ("mean", "total_tokens", "counted_run_count"),
}
COUNTS = ("n_all", "n_used", "n_unfinished", "n_unpriced", "n_partial")
SCHEMA = pa.schema(
    [
        ("metric_anomalies_key", pa.string()),
        ("metric", pa.string()),
        ("workflow_name", pa.string()),
        ("metric_date", pa.date32()),
        *[(name, pa.int64()) for name in COUNTS],
        ("value", pa.float64()),
        ("n", pa.int64()),
        ("expected", pa.float64()),
        ("expected_low", pa.float64()),
        ("expected_high", pa.float64()),
        ("score", pa.float64()),
        ("is_anomaly", pa.bool_()),
        ("coinciding_changes", pa.string()),
    ]
)


def series_of(rows, metric):
    """Return day, value and n of each row that has a value, in order of days.

    `rows` are dicts of mart_workflow_health of one workflow.
    """
    kind, numerator, denominator = METRICS[metric]
    found = []
    for row in rows:
        n = row[denominator]
        if not n:
            continue
        amount = n if numerator is None else row[numerator]
        if amount is None:
            continue
        value = float(amount) / float(n) if kind in ("rate", "mean") else float(amount)
        found.append((row["run_date"], value, int(n)))
    return sorted(found)


def squared(root):
    """Return the count of a root; below zero there is none."""
    return float(max(root, 0.0) ** 2)


def chance(kind, expected, n, typical_n, spread):
    """Return the standard deviation that chance alone gives a value that rests on n rows."""
    if kind == "count":
        return 0.5
    if kind == "rate":
        # one success and one failure more, so that a rate of 0 or 1 is not certain for ever
        share = (min(max(expected, 0.0), 1.0) * n + 1) / (n + 2)
        return (share * (1 - share) / n) ** 0.5
    return spread * max(1.0, typical_n / n) ** 0.5


def judged(series, kind):
    """Yield day, value, n, what is expected with both ends of its band, and score of each day.

    The last four are None where less than four weeks lie before the day.
    """
    # money, time and tokens have a long tail, so they are compared by their ratios
    is_ratio = kind in ("mean", "value") and all(value > 0 for _, value, _ in series)
    if is_ratio:
        scaled, unscaled = math.log, math.exp
    elif kind == "count":
        # users come in bursts: roots of counts have the same spread on busy and on quiet days
        scaled, unscaled = math.sqrt, squared
    else:
        scaled = unscaled = float
    days = np.array([day.toordinal() for day, _, _ in series])
    values = np.array([scaled(value) for _, value, _ in series])
    counts = np.array([n for _, _, n in series])
    weekdays = days % 7
    for position, (day, value, n) in enumerate(series):
        compared = values[position]
        is_before = (days < days[position]) & (days >= days[position] - BASELINE_DAYS)
        enough = is_before.sum() >= LEAST_DAYS // 2 and days[0] <= days[position] - LEAST_DAYS
        if not enough:
            yield day, value, n, None, None, None, None
            continue
        before, weekdays_before = values[is_before], weekdays[is_before]
        centre = float(np.median(before))
        same_weekday = max(int((weekdays_before == weekdays[position]).sum()), 2)
        usual = {
            weekday: float(np.median(before[weekdays_before == weekday]))
            for weekday in set(weekdays_before.tolist())
            # two of a weekday are a coincidence
            if (weekdays_before == weekday).sum() >= 3
        }
        expected = usual.get(int(weekdays[position]), centre)
        residuals = before - np.array(
            [usual.get(int(weekday), centre) for weekday in weekdays_before]
        )
        spread = max(
            float(stats.median_abs_deviation(residuals, scale="normal")),
            # what happens on one day of five is usual, however close together the other four lie
            float(np.quantile(np.abs(residuals), USUAL_SHARE)) / NORMAL_QUANTILE,
        )
        # the median of few days is uncertain, and days lie closer to their own median than to the true one
        spread *= ((1 + np.pi / 2 / same_weekday) / (1 - 1 / same_weekday)) ** 0.5
        typical_n = float(np.median(counts[is_before]))
        deviation = max(spread, chance(kind, expected, n, typical_n, spread))
        if deviation == 0:
            deviation = max(abs(expected) * 1e-9, 1e-9)
        band = (expected, expected - BAND * deviation, expected + BAND * deviation)
        yield (
            day,
            value,
            n,
            *map(unscaled, band),
            float((compared - expected) / deviation),
        )


def changes_around(day, changes):
    """Return what came or went within two days of `day`, as one text, or None.

    `changes` are (day, text).
    """
    found = [
        text for changed_on, text in changes if abs((changed_on - day).days) <= COINCIDENCE_DAYS
    ]
    return "; ".join(sorted(found)) or None


def rows_of(health, changes):
    """Return the rows of the table as dicts; `health` are rows of mart_workflow_health."""
    rows = []
    workflows = {}
    for row in health:
        if row["level"] == "workflow":
            workflows.setdefault(row["workflow_name"], []).append(row)
    for workflow, of_workflow in sorted(workflows.items()):
        by_day = {row["run_date"]: row for row in of_workflow}
        for metric, (kind, _, _) in METRICS.items():
            for day, value, n, expected, low, high, score in judged(
                series_of(of_workflow, metric), kind
            ):
                is_anomaly = None if score is None else abs(score) > BAND
                rows.append(
                    {
                        "metric_anomalies_key": f"{metric}|{day}|{workflow}",
                        "metric": metric,
                        "workflow_name": workflow,
                        "metric_date": day,
                        **{name: int(by_day[day][name]) for name in COUNTS},
                        "value": value,
                        "n": n,
                        "expected": expected,
                        "expected_low": low,
                        "expected_high": high,
                        "score": score,
                        "is_anomaly": is_anomaly,
                        "coinciding_changes": changes_around(day, changes) if is_anomaly else None,
                    }
                )
    return rows


def model(dbt, session):
    """Build the table."""
    dbt.config(materialized="table")
    changes = [
        (row["sighting_date"], "{seen_kind} {seen_name} {sighting} {sighting_date}".format(**row))
        for row in dbt.ref("int_first_and_last_sightings").to_arrow_table().to_pylist()
    ]
    health = dbt.ref("mart_workflow_health").to_arrow_table().to_pylist()
    return pa.Table.from_pylist(rows_of(health, changes), schema=SCHEMA)
