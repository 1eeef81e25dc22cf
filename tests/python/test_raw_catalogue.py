"""The raw tables that the dialect checks compile against."""

from __future__ import annotations

import pytest

from scripts.ci.raw_catalogue import RAW_TYPES, catalogue, expected_columns, raw_layouts
from scripts.warehouse import PROJECT_DIR


def test_it_has_what_the_staging_models_read():
    tables = expected_columns(PROJECT_DIR)
    assert set(tables) == {
        "ai_user_prompt_created",
        "ai_agent_response_received",
        "ai_interaction_completed",
        "ai_response_received",
        "ai_user_action",
        "ai_agent_session_started",
        "ai_agent_session_completed",
        "ai_agent_step_completed",
        "rudder_discards",
        "tracks",
    }
    steps = {column["name"]: column for column in tables["ai_agent_step_completed"]}
    # of a macro that calls another, of one that makes its list, of the model itself
    assert steps["loaded_at"]["raw_names"] == ["uuid_ts", "loaded_at", "received_at"]
    assert ["usage", "input_tokens_details", "cached_tokens"] in steps["cache_read"]["json"]
    assert steps["tool_name"]["type"] == "name"


@pytest.mark.parametrize("dialect", RAW_TYPES)
def test_each_warehouse_has_each_layout(dialect):
    layouts = raw_layouts(PROJECT_DIR)
    schemas = catalogue(layouts, dialect)
    assert len(schemas) == len(layouts)
    tables = {
        f"{schema}.{table}".lower(): {name.lower() for name, _ in columns}
        for schema, tables in schemas.items()
        for table, columns in tables.items()
    }
    assert {"id", "received_at", "usage"} <= tables["json_columns.ai_agent_step_completed"]
    assert "usage_input_tokens" in tables["flattened.ai_agent_step_completed"]
