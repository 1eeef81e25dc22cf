"""What the readers of line-wise logs share: lines as JSON objects, what users' lines mean.

A log is somebody else's file: any field may be missing or of another type. Each helper returns
something empty for what it cannot read, so that no reader raises for what a file holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from scripts.importer import values
from scripts.importer.json_lines import read_json
from scripts.importer.model import Counts
from scripts.importer.tables import rows_of

KIND_WORD = re.compile(r"[\w.:-]{1,40}")


def json_objects(chunks: Iterable[bytes], counts: Counts) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the object of each line, counting those that hold none.

    Lines are numbered from 0. Blank lines are no units: they are neither read nor skipped.
    """
    for number, chunk in enumerate(chunks):
        line = chunk.strip()
        if not line:
            continue
        try:
            value = read_json(line)
        except (ValueError, RecursionError):
            counts.skipped["line is cut off or no JSON"] += 1
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            counts.skipped["line is no JSON object"] += 1


def kind_name(value: object) -> str:
    """Return a sender's word for a kind of line, fit for a count; 'other' for what is no word."""
    return value if isinstance(value, str) and KIND_WORD.fullmatch(value) else "other"


def mapping(value: object) -> dict[str, Any]:
    """Return an object, empty for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list, none for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def milliseconds(value: object) -> int | None:
    """Return an ISO time as milliseconds since 1970 in UTC; a time without zone is UTC."""
    at = values.moment(value) if isinstance(value, str) else None
    return None if at is None else at // 1_000_000


def fingerprint(value: object) -> str:
    """Return a short hash of any JSON value: it tells equal from unequal and says nothing else."""
    written = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return hashlib.sha256(written.strip().encode("utf-8", "replace")).hexdigest()[:24]


def user_line_meaning(format_name: str, words: str) -> str | None:
    """Return what user_lines.csv says about a user's text that is no plain prompt, else None."""
    start = words.lstrip()
    return next(
        (
            row["meaning"]
            for row in rows_of("user_lines.csv")
            if row["format"] == format_name and start.startswith(row["prefix"])
        ),
        None,
    )
