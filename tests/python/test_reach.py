"""A changed day has the days that look back at it and its month built again, and nothing else.

Thirty-one runs of 1 USD on one day make a run of 9.90 USD dear four weeks later, and no longer
when thirty-one runs of 8 USD are added to that day, although nothing arrives on the later one.
"""

from datetime import timedelta

import pytest

from tests.python.loads import contents, differences
from tests.python.warehouses import NOON, UP_TO_FACTS, Warehouse, errors_of, event

pytestmark = [pytest.mark.timeout(0), pytest.mark.xdist_group("reach")]

A_DAY = 24 * 60 * 60
# All facts: where one is missing, all runs are built again.
SELECTION = (*UP_TO_FACTS, "mart_cost_outliers", "mart_unit_economics")
# The usual runs are of March, what looks back at them is of April.
USUAL_DAY = 5
APRIL = (NOON + timedelta(days=USUAL_DAY + 28)).replace(day=1).date()


def run_of(name, day, cost_usd):
    """Return the completion of a run on a day."""
    return event(
        name,
        day * A_DAY,
        conversation_id=f"conversation of {name}",
        interaction_id="i",
        status="success",
        total_cost=cost_usd,
    )


def build(warehouse, *arguments):
    """Build the facts and the two marts."""
    result = warehouse.dbt("run", *SELECTION, *arguments)
    assert result.success, errors_of(result)


def dear_runs(warehouse):
    """Return the days of the dear runs with the median they are measured against."""
    return warehouse.query(
        "select cast(run_date as varchar), cast(baseline_median_usd as double) "
        "from analytics_marts.mart_cost_outliers order by 1"
    )


def test_changed_day_reaches_the_days_ahead_and_its_month(tmp_path):
    warehouse = Warehouse(tmp_path)
    warehouse.fresh()
    usual = [run_of(f"usual {number}", USUAL_DAY, 1.0) for number in range(31)]
    # the second one is four weeks and a day away
    dear = [run_of(f"dear {day}", USUAL_DAY + day, 9.9) for day in (28, 29)]
    warehouse.create("ai_interaction_completed", usual + dear)
    build(warehouse)
    day_ahead = str((NOON + timedelta(days=USUAL_DAY + 28)).date())
    assert dear_runs(warehouse) == [(day_ahead, 1.0)]

    marked = "update analytics_marts.mart_unit_economics set n_all = n_all {} 100 where {}"
    warehouse.query(marked.format("+", "true"))
    for number in range(31):
        late = run_of(f"late {number}", USUAL_DAY, 8.0) | {
            "uuid_ts": NOON + timedelta(days=USUAL_DAY + 30)
        }
        warehouse.query(
            "insert into rudderstack.ai_interaction_completed by name select "
            + ", ".join(f"'{value}' as {name}" for name, value in late.items())
        )
    build(warehouse)
    assert dear_runs(warehouse) == []
    left_alone = warehouse.query(
        "select month_start_date from analytics_marts.mart_unit_economics where n_all >= 100"
    )
    assert left_alone == [(APRIL,)], "a month without new runs was replaced, too"
    warehouse.query(marked.format("-", "n_all >= 100"))

    incremental = contents(warehouse.path)
    build(warehouse, "--full-refresh")
    assert differences(contents(warehouse.path), incremental) == []
