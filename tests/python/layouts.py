"""The same run in every layout in which raw tables are found."""

from __future__ import annotations

import json
from datetime import datetime

from tests.python.warehouses import EVENT_TABLES, story


def layout_flat(table, row):
    return row


def layout_json(table, row):
    """Objects in one column, as RudderStack writes them where JSON columns are configured."""
    nested = {"tokens_used": {}, "tool_input": {}, "tool_output": {}, "action_details": {}}
    flat = {}
    for name, value in row.items():
        owner = next((prefix for prefix in nested if name.startswith(prefix + "_")), None)
        if owner:
            nested[owner][name[len(owner) + 1 :]] = value
        else:
            flat[name] = value
    return flat | {name: json.dumps(value) for name, value in nested.items() if value}


def layout_upper(table, row):
    return {name.upper(): value for name, value in row.items()}


def layout_lake(table, row):
    return {("_timestamp" if name == "timestamp" else name): value for name, value in row.items()}


def layout_text(table, row):
    """Every value as text, fractions with a blank before them, times in ISO 8601."""
    texts = {}
    for name, value in row.items():
        if isinstance(value, datetime):
            texts[name] = value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        elif isinstance(value, bool):
            texts[name] = str(value).lower()
        else:
            texts[name] = f" {value}" if isinstance(value, float) else str(value)
    return texts


def layout_extra(table, row):
    return {
        **row,
        "select": "a keyword",
        'quo"ted; drop table x': 7,
        "naïve name": 1.5,
        "event_text": "AI Agent Step Completed",
        **({"tokens_used_total_tokens": 1100} if "tokens_used_prompt_tokens" in row else {}),
    }


def layout_other_names(table, row):
    """Names of the same property in neighbouring events of the specification."""
    renamed = {"total_cost": "cost", "model_used": "model_name", "response_status": "status"}
    flat_tokens = {f"tokens_used_{name}": name for name in ("prompt_tokens", "completion_tokens")}
    flat_tokens["tokens_used_cache_read"] = "cache_read_tokens"
    names = renamed | flat_tokens
    return {names.get(name, name): value for name, value in row.items()}


LAYOUTS = {
    "flat": layout_flat,
    "json": layout_json,
    "UPPER": layout_upper,
    "lake": layout_lake,
    "text": layout_text,
    "extra": layout_extra,
    "other_names": layout_other_names,
    "numeric_ids": layout_flat,
}


def create_layouts(warehouse, layouts=LAYOUTS, prefix="raw_"):
    """Create a raw schema per layout, and one without each of the tables.

    Returns the conversation of each layout, and the schemas.
    """
    conversations = {}
    for number, (name, layout) in enumerate(layouts.items(), start=1):
        conversation, interaction, session = f"c-{name}", "i1", "s1"
        if name == "numeric_ids":
            conversation, interaction, session = 10_000 + number, 7, 8.0
        conversations[name] = str(conversation)
        for table, rows in story(f"{name}-", conversation, interaction, session).items():
            target = table.upper() if name == "UPPER" else table
            warehouse.create(
                target,
                [layout(table, row) for row in rows],
                schema=f"{prefix}{name}",
                types={"tokens_used": "JSON"}
                if name == "json" and any("tokens_used" in key for row in rows for key in row)
                else None,
            )
    for missing in EVENT_TABLES:
        schema = f"{prefix}without_{missing}"
        for table, rows in story(f"without_{missing}-", f"without_{missing}").items():
            if table != missing:
                warehouse.create(table, rows, schema=schema)
    schemas = [f"{prefix}{name}" for name in layouts]
    schemas += [f"{prefix}without_{table}" for table in EVENT_TABLES]
    return conversations, schemas
