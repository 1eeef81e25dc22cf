"""Table and column names as RudderStack gives them on Postgres.

The rules are those of RudderStack's warehouse naming with digits kept next to their letters
(`step1`, `gpt4_turbo`), which is what every destination made in recent years uses.
"""

from __future__ import annotations

import re

POSTGRES_NAME_LIMIT = 63

# The words RudderStack prefixes with an underscore on Postgres: the SQL words that Postgres, or
# the SQL standard at the time the list was drawn up, does not allow as a bare column name.
# fmt: off
RESERVED_WORDS = frozenset([
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization",
    "between", "binary", "both", "case", "cast", "check", "collate", "column", "constraint",
    "create", "cross", "current_date", "current_role", "current_time", "current_timestamp",
    "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except",
    "false", "for", "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in",
    "initially", "inner", "intersect", "into", "is", "isnull", "join", "leading", "left", "like",
    "limit", "localtime", "localtimestamp", "natural", "new", "not", "notnull", "null", "off",
    "offset", "old", "on", "only", "or", "order", "outer", "overlaps", "placing", "primary",
    "references", "right", "select", "session_user", "similar", "some", "symmetric", "table",
    "then", "to", "trailing", "true", "union", "unique", "user", "using", "verbose", "when",
    "where",
])
# fmt: on

# Tables that RudderStack or this loader fills itself; an event of that name gets an underscore.
OWN_TABLES = frozenset(
    {
        "tracks",
        "pages",
        "screens",
        "aliases",
        "groups",
        "accounts",
        "users",
        "identifies",
        "rudder_discards",
        "rudder_load_rejects",
    }
)

# Standard columns: a property or context key whose column would be one of these is dropped.
# `uuid_ts` is overwritten by the load time in RudderStack, which comes to the same.
DROPPED_COLUMNS = frozenset(
    {
        "id",
        "anonymous_id",
        "user_id",
        "sent_at",
        "timestamp",
        "received_at",
        "original_timestamp",
        "channel",
        "event_text",
        "record_id",
        "context_ip",
        "context_request_ip",
        "context_passed_ip",
        "uuid_ts",
    }
)

_RUNS = re.compile(r"[A-Za-z0-9]+")
_WORDS = re.compile(
    r"[A-Z]?[a-z]+[0-9]+"  # step1, Sha256
    r"|[A-Z]+[0-9]+"  # ABC123
    r"|[0-9]+[A-Z]?[a-z]+"  # 2fa
    r"|[0-9]+[A-Z]+"  # 24H
    r"|[A-Z]+(?=_|$|[A-Z][a-z])"  # LLM in LLMCallCount
    r"|[A-Z]?[a-z]+"
    r"|[A-Z]+"
    r"|[0-9]+"
)


def snake_case(name: str) -> str:
    """Return `name` in RudderStack's snake case, not yet cut or escaped.

    Runs of ASCII letters and digits are kept and everything else separates them. Underscores the
    original starts with survive, a leading digit gets one. Returns "" when nothing is left.
    """
    joined = "_".join(_RUNS.findall(name))
    leading = name[: len(name) - len(name.lstrip("_"))]
    snake = leading + "_".join(_WORDS.findall(joined)).lower()
    return f"_{snake}" if snake[:1].isdigit() else snake


def column_name(key_path: str) -> str:
    """Return the column of a key path (keys joined with `_`), or "" when the key vanishes.

    The name is cut to 63 characters before the reserved-word check, as RudderStack does it.
    """
    cut = snake_case(key_path)[:POSTGRES_NAME_LIMIT]
    return f"_{cut}" if cut in RESERVED_WORDS else cut


def table_name(event_value: str) -> str:
    """Return the table of an event, given its snake-cased name (the `event` column).

    RudderStack snake-cases the name a second time, so this does as well.
    """
    name = column_name(event_value)
    return f"_{name}" if name in OWN_TABLES else name
