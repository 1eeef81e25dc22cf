"""The CSV files beside this module: words and names that are data and not code."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path


@cache
def rows_of(file_name: str) -> tuple[dict[str, str], ...]:
    """Return the rows of a CSV file that stands beside this module, in its order."""
    with (Path(__file__).parent / file_name).open(encoding="utf-8", newline="") as lines:
        return tuple(csv.DictReader(lines))
