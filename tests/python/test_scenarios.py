"""Raw data as strange as RudderStack delivers it: every build succeeds and tells the same story.

Staging looks at the raw tables while it is compiled, which dbt unit tests cannot do. So its rules
are tested here: layouts, times, statuses, tool outputs, privacy.
"""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

import pytest

from scripts.load_events import load_files
from scripts.publish_marts import publish
from scripts.warehouse import AUDIT_SCHEMA, MARTS_SCHEMA, connect, quote_identifier
from tests.python import documents
from tests.python.layouts import LAYOUTS, create_layouts, layout_lake
from tests.python.warehouses import EVENT_TABLES, FACTS, Warehouse, at, errors_of, event, story

pytestmark = [
    pytest.mark.xdist_group("scenarios"),
    # of a library inside dbt
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),
]

# What a sender may write into any of these never leaves staging.
SENSITIVE = {
    "ai_user_prompt_created": ["prompt_text"],
    "ai_agent_session_started": ["prompt_text"],
    "ai_agent_step_completed": [
        "response_text",
        "error_message",
        "tool_input",
        "tool_input_query",
        "tool_input_filter_customer",
        "tool_output",
        "tool_output_text",
        "tool_output_error",
    ],
    "ai_agent_session_completed": ["response_text", "error_message"],
    "ai_agent_response_received": ["response_text", "error_message"],
    "ai_interaction_completed": ["final_response_text", "error_message"],
    "ai_user_action": ["feedback_text", "action_details_feedback_text"],
}
CANARY = "canary"
# Statuses as senders spell them, and what they mean
STATUSES = {
    "success": "success",
    "Succeeded": "success",
    "COMPLETED": "success",
    "ok": "success",
    "error": "error",
    "Failed": "error",
    "timeout": "timeout",
    "timed_out": "timeout",
    "user_cancelled": "cancelled",
    "canceled": "cancelled",
    "aborted": "cancelled",
    "partial_success": "partial_success",
    "partial": "partial_success",
    "shrugged": "unknown",
}
# cost, prompt tokens and duration; sums of the first ones would overflow, the last row is sane
ABSURD_NUMBERS = [
    (9e18, 2**62, 2**62),
    (9e18, 2**62, 2**62),
    (9e18, 2**62, 2**62),
    (float("inf"), -5, -1),
    (float("nan"), -5, -1),
    (-3.0, -5, -1),
    (0.5, 7, 1_000),
]
# Columns of steps whose name says token: only the last three are read, or are no usage at all.
TOKEN_COLUMNS = {
    "usage_audio_tokens": 3,
    "Token's, sent": 5,
    "billed_token_count": 7,
    "usage_input_tokens": 11,
    "tool_input_max_tokens": 13,
    "context_device_token": "of a phone",
}
# Outputs of tool steps that say success, and whether they are failures all the same: values count,
# words do not.
TOOL_OUTPUTS = {
    '{"error": null, "rows": [1]}': False,
    '{"error": ""}': False,
    '{"error": "None"}': False,
    '{"error": false}': False,
    '{"error": []}': False,
    '{"error": "channel_not_found"}': True,
    '{"failed": 0, "passed": 3}': False,
    '{"failed": 2}': True,
    '{"ok": true}': False,
    '{"ok": false}': True,
    '{"isError": true}': True,
    '{"isError": false}': False,
    '{"rows_returned": 0}': True,
    '{"rows_returned": 5}': False,
    "[]": True,
    "{}": True,
    "null": True,
    "Error: no such file": True,
    "no error was found": False,
    "{broken json": False,
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    return Warehouse(tmp_path_factory.mktemp("scenarios"))


def run_dbt(warehouse, *arguments, variables=None):
    result = warehouse.dbt(*arguments, variables=variables)
    assert result.success, errors_of(result)


def test_no_data_at_all_gives_empty_facts_and_no_row_of_zeros(warehouse):
    warehouse.fresh()
    run_dbt(warehouse, "run")
    assert warehouse.counts() == dict.fromkeys(FACTS, 0)
    for mart in ("mart_cost_per_interaction", "mart_agent_latency", "mart_failure_modes"):
        assert warehouse.query(f"select * from {MARTS_SCHEMA}.{mart}") == []


# Rows in fct_agent_runs, fct_agent_sessions, fct_agent_steps and fct_user_actions
ALONE = {
    "ai_user_prompt_created": (1, 0, 0, 0),
    "ai_agent_session_started": (1, 1, 0, 0),
    "ai_agent_step_completed": (1, 1, 3, 0),
    "ai_agent_session_completed": (1, 1, 0, 0),
    "ai_agent_response_received": (1, 1, 0, 0),
    "ai_interaction_completed": (1, 0, 0, 0),
    "ai_user_action": (1, 0, 0, 1),
}


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(table, marks=[] if table == EVENT_TABLES[0] else pytest.mark.slow)
        for table in EVENT_TABLES
    ],
)
def test_only_one_table_exists_and_it_holds_one_event(warehouse, table):
    warehouse.fresh()
    only = story()[table][:1]
    warehouse.create(table, only)
    run_dbt(warehouse, "run")
    steps = min(ALONE[table][2], 1)
    assert tuple(warehouse.counts().values()) == (*ALONE[table][:2], steps, ALONE[table][3])
    [run] = warehouse.records(f"select * from {MARTS_SCHEMA}.fct_agent_runs")
    assert (run["conversation_id"], run["interaction_id"]) == ("c1", "i1")
    completed = table == "ai_interaction_completed"
    assert run["run_status"] == ("success" if completed else "in_progress")
    assert run["started_at"] <= run["ended_at"]
    ledger = warehouse.records(f"select * from {AUDIT_SCHEMA}.audit_event_ledger")
    assert [(row["source_table"], row["accepted_rows"]) for row in ledger] == [(table, 1)]


# Keys and ids differ by design, and hash and length of a tool's text follow the layout.
NOT_COMPARED = "^(.*_key|.*_id|tool_(input|output)_(hash|length)|signature_hash|source_id)$"


@pytest.fixture(scope="module")
def layouts(warehouse):
    """The same run in every layout and with each table missing, in raw schemas of their own.

    What the articles send is loaded into one more.
    """
    warehouse.fresh()
    conversations, schemas = create_layouts(warehouse)
    payloads = warehouse.folder / "documents.ndjson"
    documents.write_payloads(payloads)
    schemas.append("raw_documents")
    assert load_files([str(payloads)], warehouse.path, schemas[-1]).rejected == 0
    schemas.append("raw_without_a_table")
    warehouse.query("create schema raw_without_a_table")
    run_dbt(warehouse, "run", variables={"rudderstack_schemas": schemas})
    return conversations


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "flat"])
def test_same_run_in_another_layout_gives_the_same_facts(warehouse, layouts, layout, fact):
    def rows(name):
        return warehouse.records(
            f"select columns(name -> not regexp_matches(name, '{NOT_COMPARED}')) "
            f"from {MARTS_SCHEMA}.{fact} where conversation_id = '{layouts[name]}' order by all"
        )

    expected = rows("flat")
    assert expected
    assert rows(layout) == expected


def test_story_is_told_as_it_happened(warehouse, layouts):
    """What the layouts are compared with is right itself."""
    [run] = warehouse.records(
        f"select * from {MARTS_SCHEMA}.fct_agent_runs where conversation_id = 'c-flat'"
    )
    expected = {
        "run_status": "success",
        "trigger_type": "user",
        "execution_mode": "sync",
        "duration_ms": 7000,
        "agent_session_count": 1,
        "step_count": 3,
        "failed_step_count": 1,
        "silent_failure_count": 1,
        "failure_severity": "silent",
        "first_failing_tool": "crawl",
        "reported_steps_count": 3,
        "input_tokens": 800,
        "cache_read_tokens": 200,
        "total_tokens": 1100,
        "cost_basis": "reported",
        "rating": 1.0,
        "is_product_success": True,
        "prompt_length": 12,
    }
    assert {name: run[name] for name in expected} == expected
    assert (float(run["cost_usd"]), float(run["sessions_cost_usd"])) == (0.02, 0.0184)


def test_no_layout_has_a_value_that_fails_to_convert(warehouse, layouts):
    assert warehouse.query(f"select * from {AUDIT_SCHEMA}.audit_suspect_columns") == []
    assert warehouse.query(f"select * from {AUDIT_SCHEMA}.audit_quarantined_events") == []


# What is left of the run without one of its tables: status, sessions, session source, steps, cost
WITHOUT = {
    "ai_user_prompt_created": ("success", 1, "session_events", 3, 0.02),
    "ai_agent_session_started": ("success", 1, "session_events", 3, 0.02),
    "ai_agent_step_completed": ("success", 1, "session_events", 0, 0.02),
    "ai_agent_session_completed": ("success", 1, "session_events", 3, 0.02),
    "ai_agent_response_received": ("success", 1, "session_events", 3, 0.02),
    # the list price stands before the sum of the sessions
    "ai_interaction_completed": ("in_progress", 1, "session_events", 3, 0.0184),
    "ai_user_action": ("success", 1, "session_events", 3, 0.02),
}


@pytest.mark.parametrize("table", EVENT_TABLES)
def test_each_table_may_be_missing(warehouse, layouts, table):
    [found] = warehouse.query(
        "select run_status, agent_session_count, session_source, runs.step_count, "
        "runs.cost_usd, runs.sessions_cost_usd "
        f"from {MARTS_SCHEMA}.fct_agent_runs as runs "
        f"inner join {MARTS_SCHEMA}.fct_agent_sessions as sessions using (run_key) "
        f"where runs.conversation_id = 'without_{table}'"
    )
    assert (*found[:4], float(found[4])) == WITHOUT[table]
    assert float(found[5]) == 0.0184


def of_documents(warehouse, table, columns, condition, order="1"):
    return warehouse.query(
        f"select {columns} from {MARTS_SCHEMA}.{table} where {condition} order by {order}"
    )


IN_CONVERSATION = f"conversation_id = '{documents.CONVERSATION}'"


def test_document_has_two_interactions_and_four_agent_sessions(warehouse, layouts):
    """The article's conversation: who worked in which answer, and how many steps are seen."""
    columns = "interaction_id, agent_session_id, agent_name, step_count, llm_call_count"
    assert of_documents(
        warehouse, "fct_agent_sessions", f"{columns}, session_source", IN_CONVERSATION, "2"
    ) == [
        ("int_1", "session_1", "planner", 0, 0, "session_events"),
        ("int_1", "session_2", "query_builder", 3, 1, "session_events"),
        ("int_1", "session_3", "validator", 2, 1, "session_events"),
        ("int_2", "session_4", "query_modifier", 0, 0, "session_events"),
    ]
    columns = "interaction_id, run_status, agent_session_count, step_count, tool_call_count"
    columns += ", path_signature, input_method"
    path = "planner > query_builder > validator"
    assert of_documents(warehouse, "fct_agent_runs", columns, IN_CONVERSATION) == [
        ("int_1", "success", 3, 5, 3, path, "text"),
        ("int_2", "success", 1, 0, 0, "query_modifier", None),
    ]
    columns = "run_count, success_count, cost_usd, known_cost_usd, n_unpriced, last_run_status"
    assert of_documents(warehouse, "fct_conversations", columns, IN_CONVERSATION) == [
        (2, 2, Decimal("0.045"), Decimal("0.045"), 0, "success")
    ]


def test_document_totals_of_the_interaction_stay_as_written(warehouse, layouts):
    """The whole answer: 4,250 ms, 3 agents, 8 steps, 0.045 $, 450 + 380 + 245 + 12,236 tokens."""
    columns = "duration_ms, reported_agents_count, reported_steps_count, reported_cost_usd, "
    columns += "cost_usd, cost_basis, input_tokens, output_tokens, cache_read_tokens, "
    columns += "cache_write_tokens, total_tokens, rating"
    first = f"{IN_CONVERSATION} and interaction_id = 'int_1'"
    money = Decimal("0.045")
    assert of_documents(warehouse, "fct_agent_runs", columns, first) == [
        (4250, 3, 8, money, money, "reported", 450, 380, 245, 12236, 13311, 1.0)
    ]


def test_document_agent_is_counted_once_with_its_steps(warehouse, layouts):
    """The query builder's end and response are one: 0.018 $ and 12,726 tokens, not twice as much.

    Its model call costs 150 x 10 + 95 x 30 = 4,350 millionths; 1,200 + 650 ms are its 1,850 ms.
    """
    columns = "duration_ms, llm_ms, tool_ms, other_ms, reported_steps_count, cost_usd, "
    columns += "input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, total_tokens, "
    columns += "response_match_method is not null"
    builder = f"{IN_CONVERSATION} and agent_session_id = 'session_2'"
    assert of_documents(warehouse, "fct_agent_sessions", columns, builder) == [
        (1850, 1200, 650, 0, 3, Decimal("0.018"), 150, 95, 245, 12236, 12726, True)
    ]
    columns = "step_number, step_type, tool_name, canonical_model, duration_ms, total_tokens, "
    columns += "cost_usd, is_failed or is_silent_failure"
    call = Decimal("0.00435")
    assert of_documents(warehouse, "fct_agent_steps", columns, builder) == [
        (1, "llm_call", None, "gpt-4-turbo", 1200, 245, call, False),
        (2, "tool_call", "sql_validator", "gpt-4-turbo", None, None, None, False),
        (3, "tool_call", "warehouse_query", "gpt-4-turbo", 650, None, None, False),
    ]


def test_document_chain_broke_at_the_agent_that_was_handed_the_work(warehouse, layouts):
    """Not only that agent B failed at 2:14 PM, but in which task and for whom."""
    columns = "run_status, intent, first_failing_agent, first_failing_tool, failure_category, "
    columns += "max_depth, ended_at"
    broken = "conversation_id = 'contract'"
    failed_at = documents.FAILED_AT.replace(tzinfo=None)
    assert of_documents(warehouse, "fct_agent_runs", columns, broken) == [
        ("error", "summarize_contract", "agent_b", "extract", "timeout", 1, failed_at)
    ]
    assert of_documents(
        warehouse, "fct_agent_handoffs", "from_agent, to_agent, target_status, is_inferred", broken
    ) == [("agent_a", "agent_b", "error", False)]


def test_document_child_runs_know_their_parents(warehouse, layouts):
    """A chain of five runs without a user: a schedule started the first, an agent each other."""
    runs = f"{MARTS_SCHEMA}.fct_agent_runs"
    assert warehouse.query(
        "select children.interaction_id, children.trigger_type, parents.interaction_id, "
        f"children.user_id from {runs} as children "
        f"left join {runs} as parents on children.parent_run_key = parents.run_key "
        "where children.conversation_id = 'chain' order by 1"
    ) == [
        ("run-0", "schedule", None, None),
        *((f"run-{number}", "agent", f"run-{number - 1}", None) for number in range(1, 5)),
    ]


def test_document_plan_of_ten_dollars_pays_for_333_runs(warehouse, layouts):
    """At 0.03 $ a run, run 334 of a month costs more than the plan brings."""
    columns = "user_id, run_count, plan_price_usd, cost_per_run_usd, margin_usd, "
    columns += "round(break_even_run_count, 2), is_above_break_even"
    users = "user_id in ('within', 'above')"
    price, cost = Decimal(10), Decimal("0.03")
    assert of_documents(warehouse, "mart_unit_economics", columns, users) == [
        ("above", 334, price, cost, Decimal("-0.02"), 333.33, True),
        ("within", 333, price, cost, Decimal("0.01"), 333.33, False),
    ]


def test_parquet_folder_is_read_in_both_layouts(warehouse, tmp_path):
    warehouse.fresh()
    lake = tmp_path / "it's a lake"
    lake.mkdir()
    tables = story()
    for table, rows in tables.items():
        warehouse.create(table, [layout_lake(table, row) for row in rows])
    for number, table in enumerate(tables):
        partitions = [lake / f"{table}.parquet"]
        if number % 2:
            partitions = [lake / table / f"year=2026/{part}.parquet" for part in (1, 2)]
        for part, path in enumerate(partitions):
            path.parent.mkdir(parents=True, exist_ok=True)
            target = str(path).replace("'", "''")
            where = f"where rowid % {len(partitions)} = {part}"
            warehouse.query(
                f"copy (from rudderstack.{table} {where}) to '{target}' (format parquet)"
            )
    # what the schema says from now on must not be read
    warehouse.query("delete from rudderstack.ai_agent_step_completed")
    run_dbt(warehouse, "run", variables={"rudderstack_parquet_dir": str(lake)})
    assert tuple(warehouse.counts().values()) == (1, 1, 3, 1)
    [(status, cost)] = warehouse.query(
        f"select run_status, cost_usd from {MARTS_SCHEMA}.fct_agent_runs"
    )
    assert (status, float(cost)) == ("success", 0.02)


@pytest.fixture(scope="module")
def odd(warehouse):
    """Unusable times and ids beside a run whose sensitive columns hold canaries; all tests pass."""
    warehouse.fresh()
    tables = story()
    for table, columns in SENSITIVE.items():
        for number, row in enumerate(tables[table]):
            row.update({column: f"Error: {CANARY} {table} {column} {number}" for column in columns})
    actions = tables["ai_user_action"]
    ids = {"conversation_id": "c1", "interaction_id": "i1", "action_type": "copied_response"}
    actions += [
        event("unparseable", 10, **ids),
        event("far_ahead", 20, **ids),
        event("a_day_ahead", 30, **ids),
        event("no_time_at_all", 40, **ids),
        event("blank_conversation", 50, **ids | {"conversation_id": "  "}),
        event("blank_both", 50, **ids | {"conversation_id": "", "interaction_id": " "}),
        event(" ", 50, **ids),
    ]
    for row in actions:
        row["timestamp"] = row["timestamp"].isoformat()
    unparseable, far_ahead, a_day_ahead, no_time_at_all = actions[1:5]
    unparseable["timestamp"] = "yesterday"
    far_ahead["timestamp"] = at(21 + 86_400.001).isoformat()
    a_day_ahead["timestamp"] = at(31 + 86_400).isoformat()
    for column in ("timestamp", "received_at", "original_timestamp", "sent_at", "uuid_ts"):
        no_time_at_all[column] = None
    actions[5]["user_id"] = ""
    tables["ai_interaction_completed"] += [
        event(
            f"status-{status}", 7, conversation_id="statuses", interaction_id=status, status=status
        )
        for status in STATUSES
    ]
    tables["ai_agent_step_completed"] += [
        event(
            f"output-{number}",
            100 + number,
            conversation_id="outputs",
            interaction_id="i2",
            agent_session_id="s1",
            status="success",
            step_type="tool_call",
            tool_output=output,
        )
        for number, output in enumerate(TOOL_OUTPUTS)
    ]
    tables["ai_agent_step_completed"] += [
        event(
            f"absurd-{number}",
            200 + number,
            conversation_id="absurd",
            interaction_id="i3",
            agent_session_id="s1",
            status="success",
            step_type="llm_call",
            cost=cost,
            prompt_tokens=tokens,
            duration_ms=duration,
        )
        for number, (cost, tokens, duration) in enumerate(ABSURD_NUMBERS)
    ]
    for row in tables["ai_agent_step_completed"][-2:]:
        row.update(TOKEN_COLUMNS)
    for table, rows in tables.items():
        warehouse.create(table, rows)
    warehouse.create(
        "rudder_discards",
        [
            {
                "row_id": "e1",
                "table_name": "ai_user_prompt_created",
                "column_name": "prompt_text",
                "column_value": f"{CANARY} discarded",
                "received_at": at(1),
                "uuid_ts": at(1),
            }
        ],
    )
    run_dbt(warehouse, "build", "--exclude-resource-type", "unit_test", "seed")
    return warehouse


def test_time_that_is_not_believed_becomes_the_time_of_arrival(odd):
    found = {
        name: (acted_at.replace(tzinfo=UTC), skewed)
        for name, acted_at, skewed in odd.query(
            f"select action_id, acted_at, has_clock_skew from {MARTS_SCHEMA}.fct_user_actions"
        )
    }
    assert found == {
        "e9": (at(60), False),
        "unparseable": (at(11), True),
        "far_ahead": (at(21), True),
        "a_day_ahead": (at(31 + 86_400), False),
        "blank_conversation": (at(50), False),
    }
    [(lost,)] = odd.query(
        f"select row_count from {AUDIT_SCHEMA}.audit_suspect_columns "
        "where source_table = 'ai_user_action' and column_name = 'timestamp' "
        "and problem like 'values%'"
    )
    assert lost == 1


def test_absurd_numbers_are_left_out_and_counted(odd):
    costs = odd.query(
        "select cost_usd, input_tokens, has_suspect_duration "
        f"from {MARTS_SCHEMA}.fct_agent_steps where conversation_id = 'absurd' order by step_number"
    )
    assert costs == [(None, None, True)] * (len(ABSURD_NUMBERS) - 1) + [(Decimal("0.5"), 7, False)]
    [(*costs, duration, tokens)] = odd.query(
        "select cost_usd, known_cost_usd, duration_ms, total_tokens "
        f"from {MARTS_SCHEMA}.fct_agent_runs where conversation_id = 'absurd'"
    )
    # what the other calls cost nobody knows
    assert costs == [None, Decimal("0.5")]
    assert (duration, tokens) == (1_000 * (len(ABSURD_NUMBERS) - 1), 7)
    [(lost,)] = odd.query(
        f"select row_count from {AUDIT_SCHEMA}.audit_suspect_columns "
        "where source_table = 'ai_agent_step_completed' and column_name = 'cost' "
        "and problem like 'values that do not convert%'"
    )
    assert lost == len(ABSURD_NUMBERS) - 2


def test_tokens_that_nothing_reads_are_listed(odd):
    unread = odd.query(
        "select source_table, column_name, row_count "
        f"from {AUDIT_SCHEMA}.audit_unread_columns order by column_name"
    )
    assert unread == [
        ("ai_agent_step_completed", name, 2)
        for name in ("billed_token_count", "token_s__sent", "usage_audio_tokens")
    ]
    suspects = odd.query(f"select column_name from {AUDIT_SCHEMA}.audit_suspect_columns")
    assert not any("audio" in name for (name,) in suspects)


def test_blank_ids_are_no_ids(odd):
    reasons = odd.query(
        f"select event_id, quarantine_reason from {AUDIT_SCHEMA}.audit_quarantined_events"
    )
    assert sorted(reasons, key=str) == sorted(
        [
            (None, "missing_event_id"),
            ("blank_both", "missing_interaction_id"),
            ("no_time_at_all", "missing_event_time"),
        ],
        key=str,
    )
    [(conversation, user)] = odd.query(
        f"select conversation_id, user_id from {MARTS_SCHEMA}.fct_user_actions "
        "where action_id = 'blank_conversation'"
    )
    assert (conversation, user) == ("c1", None)


def test_every_spelling_of_a_status_is_understood(odd):
    found = odd.query(
        f"select interaction_id, run_status from {MARTS_SCHEMA}.fct_agent_runs "
        "where conversation_id = 'statuses'"
    )
    assert dict(found) == STATUSES


def test_silent_failure_is_told_by_values_and_not_by_words(odd):
    found = dict(
        odd.query(
            f"select step_id, is_silent_failure from {MARTS_SCHEMA}.fct_agent_steps "
            "where conversation_id = 'outputs'"
        )
    )
    outputs = enumerate(TOOL_OUTPUTS.items())
    assert {output: found[f"output-{number}"] for number, (output, _) in outputs} == TOOL_OUTPUTS


def relations_with_canaries(connection, schema_pattern):
    """Return how many rows with a canary each table and view of the schemas holds."""
    relations = connection.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema like ? order by all",
        [schema_pattern],
    ).fetchall()
    found = {}
    for schema, table in relations:
        relation = f"{quote_identifier(schema)}.{quote_identifier(table)}"
        [(rows,)] = connection.execute(
            f"select count(*) from {relation} as searched "
            f"where contains(lower(cast(searched as varchar)), '{CANARY}')"
        ).fetchall()
        found[f"{schema}.{table}"] = rows
    return found


def test_sensitive_text_is_in_no_built_relation_and_not_in_the_published_file(odd, tmp_path):
    published = tmp_path / "shared.duckdb"
    publish(odd.path, published)
    with connect(odd.path, read_only=True) as connection:
        planted = relations_with_canaries(connection, "rudderstack")
        built = relations_with_canaries(connection, "analytics%")
    with connect(published, read_only=True) as connection:
        shared = relations_with_canaries(connection, "%")
    # the search finds what is there
    assert {name.removeprefix("rudderstack.") for name, rows in planted.items() if rows} == {
        *SENSITIVE,
        "rudder_discards",
    }
    assert len(built) > 60
    assert {name for name, rows in built.items() if rows} == set()
    assert set(FACTS) <= {name.split(".")[-1] for name in shared}
    assert {name for name, rows in shared.items() if rows} == set()
    assert CANARY.encode() not in published.read_bytes().lower()


def test_structure_of_sensitive_text_is_kept(odd):
    [(prompt_hash, prompt_length)] = odd.query(
        f"select prompt_hash, prompt_length from {MARTS_SCHEMA}.fct_agent_runs "
        "where conversation_id = 'c1'"
    )
    assert len(prompt_hash) == 64
    assert prompt_length == len(f"Error: {CANARY} ai_user_prompt_created prompt_text 0")
