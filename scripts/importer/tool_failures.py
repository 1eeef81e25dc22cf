"""What the text of a failed tool call says, in the words of tool_failures.csv.

A tool's error text is its output: it quotes files, commands and pages. So only the known phrase in
it is kept, with the number of an exit code or HTTP status, and never the text itself.
"""

from __future__ import annotations

import re
from functools import cache

from scripts.importer.model import Fields
from scripts.importer.tables import rows_of

# The phrase stands at the beginning; what follows is output.
READ_OF_A_TEXT = 600
UNKNOWN_FAILURE: Fields = {"status": "error", "error_type": "tool_error"}


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    """Return the compiled phrases, in the order of the file."""
    rows = rows_of("tool_failures.csv")
    return tuple((re.compile(row["pattern"], re.IGNORECASE | re.DOTALL), row) for row in rows)


def tool_failure(said: str, *, is_failed: bool) -> Fields:
    """Return status, error_type and error of a tool's output, empty if it tells of no failure.

    With `is_failed` the sender says that the call failed, and only how is looked up here. Without,
    only the phrases count that prove a failure by themselves (`is_proof`): an output may quote any
    other.
    """
    words = said.strip().removeprefix("<tool_use_error>").removeprefix("Error: ")[:READ_OF_A_TEXT]
    for pattern, row in _patterns():
        if not is_failed and row["is_proof"] != "yes":
            continue
        found = pattern.search(words)
        if found is None:
            continue
        if row["status"] == "success":
            break
        fields: Fields = {"status": row["status"], "error_type": row["error_type"]}
        if row["message"]:
            number = next((group for group in reversed(found.groups()) if group), "")
            fields["error"] = row["message"].replace("{1}", number)
        return fields
    return dict(UNKNOWN_FAILURE) if is_failed else {}
