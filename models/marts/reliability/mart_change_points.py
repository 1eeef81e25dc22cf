"""Days from which on a metric of a workflow was another one.

Two weeks before a day are compared with two weeks from it on, so that each side has every weekday twice.
The ranks of the two sides must differ more than chance allows (Mann-Whitney), and of neighbouring days
that which tells the sides apart best is the change. A day is judged once its two weeks are over, and no
later day changes the judgement of it or of its neighbours but in those two weeks.
"""

import math
from datetime import timedelta

import pyarrow as pa
from scipy import stats

# Days on each side, and how many of them must have a value.
SIDE_DAYS = 14
LEAST_DAYS = 10
# Chance that two weeks like any others differ as much; a year has hundreds of days and dozens of series.
LEAST_LIKELY = 0.0001
COINCIDENCE_DAYS = 2
RATES = ("success_rate", "retry_rate", "unclassified_share", "unpriced_share")
Z = 1.959964
# Share of requests that must have moved to other categories to be named as a change.
MIX_SHIFT = 0.2
SCHEMA = pa.schema(
    [
        ("change_points_key", pa.string()),
        ("metric", pa.string()),
        ("workflow_name", pa.string()),
        ("changed_on", pa.date32()),
        *[
            (name, pa.int64())
            for name in ("n_all", "n_used", "n_unfinished", "n_unpriced", "n_partial")
        ],
        ("before_value", pa.float64()),
        ("after_value", pa.float64()),
        ("n_before", pa.int64()),
        ("n_after", pa.int64()),
        ("difference", pa.float64()),
        ("difference_low", pa.float64()),
        ("difference_high", pa.float64()),
        ("coinciding_changes", pa.string()),
    ]
)


def wilson(share, n):
    """Return the 95 % interval of a rate (Wilson, 1927)."""
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return centre - half, centre + half


def interval(metric, before, after):
    """Return value before, value after and the 95 % interval of their difference.

    Sides are lists of (value, n). Rates are pooled and compared by Newcombe's method 10, other values
    are means of days compared by Welch.
    """
    if metric in RATES:
        sizes = [sum(n for _, n in side) for side in (before, after)]
        first, second = (
            sum(value * n for value, n in side) / size
            for side, size in zip((before, after), sizes, strict=True)
        )
        (low_1, high_1), (low_2, high_2) = wilson(first, sizes[0]), wilson(second, sizes[1])
        low = second - first - math.sqrt((second - low_2) ** 2 + (high_1 - first) ** 2)
        high = second - first + math.sqrt((high_2 - second) ** 2 + (first - low_1) ** 2)
        return first, second, low, high
    sides = [[value for value, _ in side] for side in (before, after)]
    first, second = (sum(side) / len(side) for side in sides)
    if len(set(sides[0])) == len(set(sides[1])) == 1:
        return first, second, second - first, second - first
    found = stats.ttest_ind(sides[1], sides[0], equal_var=False).confidence_interval(0.95)
    return first, second, float(found.low), float(found.high)


def unlikely_days(series):
    """Return the chance of the difference by day, of days that tell two unlike sides apart.

    `series`: day -> (value, n).
    """
    found = {}
    newest = max(series)
    for day in sorted(series):
        before, after = sides_of(series, day)
        if (
            newest < day + timedelta(days=SIDE_DAYS - 1)
            or min(len(before), len(after)) < LEAST_DAYS
        ):
            continue
        values = [[value for value, _ in side] for side in (before, after)]
        if len({value for side in values for value in side}) == 1:
            continue
        chance = float(
            stats.mannwhitneyu(*values, alternative="two-sided", method="asymptotic").pvalue
        )
        if chance < LEAST_LIKELY:
            found[day] = chance
    return found


def sides_of(series, day):
    """Return (value, n) of the days of the two weeks before a day and from it on."""
    offsets = range(SIDE_DAYS)
    before = [series.get(day - timedelta(days=offset + 1)) for offset in offsets]
    after = [series.get(day + timedelta(days=offset)) for offset in offsets]
    return [item for item in before if item], [item for item in after if item]


def change_days(series):
    """Return the days of change: of unlikely days less than a week apart the one of least chance."""
    unlikely = unlikely_days(series)
    groups = []
    for day in sorted(unlikely):
        if groups and (day - groups[-1][-1]).days < 7:
            groups[-1].append(day)
        else:
            groups.append([day])
    return [
        min(group, key=lambda day: (unlikely[day], -difference_at(series, day), day))
        for group in groups
    ]


def difference_at(series, day):
    """Return how far the means of both sides lie apart."""
    before, after = sides_of(series, day)
    means = [sum(value for value, _ in side) / len(side) for side in (before, after)]
    return abs(means[1] - means[0])


def mix_shift(categories, day):
    """Return the category whose share of requests grew most, as text, when many moved; else None.

    `categories`: day -> category -> runs.
    """
    shares = []
    for first, last in ((-SIDE_DAYS, -1), (0, SIDE_DAYS - 1)):
        counts = {}
        for offset in range(first, last + 1):
            for category, runs in categories.get(day + timedelta(days=offset), {}).items():
                counts[category] = counts.get(category, 0) + runs
        total = sum(counts.values())
        if not total:
            return None
        shares.append({category: runs / total for category, runs in counts.items()})
    names = sorted(set(shares[0]) | set(shares[1]))
    moved = {name: shares[1].get(name, 0) - shares[0].get(name, 0) for name in names}
    if sum(abs(share) for share in moved.values()) / 2 < MIX_SHIFT:
        return None
    name = max(names, key=lambda item: moved[item])
    return f"requests moved to {name} ({moved[name]:+.2f})"


def rows_of(days, changes, categories):
    """Return the rows of the table as dicts.

    `days` are rows of mart_metric_anomalies, `changes` are (day, text) of what came or went;
    `categories`: workflow -> day -> category -> runs.
    """
    rows = []
    series = {}
    for row in days:
        series.setdefault((row["metric"], row["workflow_name"]), {})[row["metric_date"]] = row
    for (metric, workflow), of_series in sorted(series.items()):
        values = {day: (row["value"], row["n"]) for day, row in of_series.items()}
        for day in change_days(values):
            before, after = sides_of(values, day)
            first, second, low, high = interval(metric, before, after)
            reached = [
                of_series[day + timedelta(days=offset)]
                for offset in range(-SIDE_DAYS, SIDE_DAYS)
                if day + timedelta(days=offset) in of_series
            ]
            shift = mix_shift(categories.get(workflow, {}), day)
            coinciding = sorted(
                text
                for changed_on, text in changes
                if abs((changed_on - day).days) <= COINCIDENCE_DAYS
            )
            coinciding += [shift] if shift else []
            rows.append(
                {
                    "change_points_key": f"{metric}|{day}|{workflow}",
                    "metric": metric,
                    "workflow_name": workflow,
                    "changed_on": day,
                    **{
                        name: sum(row[name] for row in reached)
                        for name in ("n_all", "n_used", "n_unfinished", "n_unpriced", "n_partial")
                    },
                    "before_value": first,
                    "after_value": second,
                    "n_before": sum(n for _, n in before),
                    "n_after": sum(n for _, n in after),
                    "difference": second - first,
                    "difference_low": low,
                    "difference_high": high,
                    "coinciding_changes": "; ".join(coinciding) or None,
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
    categories = {}
    for row in dbt.ref("int_run_routes_daily").to_arrow_table().to_pylist():
        of_day = categories.setdefault(row["workflow_name"], {}).setdefault(row["run_date"], {})
        of_day[row["request_category"]] = of_day.get(row["request_category"], 0) + row["n_all"]
    days = dbt.ref("mart_metric_anomalies").to_arrow_table().to_pylist()
    return pa.Table.from_pylist(rows_of(days, changes, categories), schema=SCHEMA)
