"""Answers to questions from public bug reports, restated as events, beside the arithmetic.

The cases lie beside the project, in ../shared/cases; without them these tests are skipped.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from scripts import load_events
from tests.python.warehouses import Warehouse, errors_of

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases"
EXPECTED = CASES / "expected.json"
QUESTIONS = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else []

pytestmark = [
    pytest.mark.skipif(not QUESTIONS, reason=f"no cases at {CASES}"),
    pytest.mark.xdist_group("cases"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory):
    """Warehouse with all cases, built once."""
    warehouse = Warehouse(tmp_path_factory.mktemp("cases"))
    warehouse.fresh()
    arguments = [str(CASES / "cases.ndjson"), "--warehouse", str(warehouse.path)]
    assert load_events.main([*arguments, "--mode", "append"]) == 0
    result = warehouse.dbt("run")
    assert result.success, errors_of(result)
    return warehouse


def comparable(rows):
    """Rows whose amounts are equal when they agree to a millionth of a dollar."""
    return [
        [
            round(float(value), 6)
            if isinstance(value, int | float | Decimal) and not isinstance(value, bool)
            else value
            for value in row
        ]
        for row in rows
    ]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["case"])
def test_question_has_the_right_answer(built, question):
    answer = comparable(built.query(question["question_sql"]))
    assert answer == comparable(question["expected"]), question["arithmetic"]
