"""Names of tables and columns as RudderStack makes them on Postgres."""

import pytest

from scripts.loader.naming import RESERVED_WORDS, column_name, snake_case, table_name


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("toolsUsed", "tools_used"),
        ("tools-used", "tools_used"),
        ("tools.used", "tools_used"),
        (" Tools Used ", "tools_used"),
        ("LLMCallCount", "llm_call_count"),
        ("userID", "user_id"),
        ("APIKeyID", "api_key_id"),
        ("gpt4Turbo", "gpt4_turbo"),
        ("step1", "step1"),
        ("step_2", "step_2"),
        ("sha256", "sha256"),
        ("p95LatencyMs", "p95_latency_ms"),
        ("cache5m", "cache5_m"),
        ("ABC123def", "abc123_def"),
        ("$cost", "cost"),
        ("_private", "_private"),
        ("__x", "__x"),
        ("a..b", "a_b"),
        ("double__underscore", "double_underscore"),
        ("café", "caf"),
        ("naïveKey", "na_ve_key"),
        ("日本語", ""),
        ("🚀", ""),
        ("тест", ""),
        ("größe_ms", "gr_e_ms"),
        ("2fa", "_2fa"),
        ("0", "_0"),
        ("1a2b", "_1a_2b"),
        ("cache_write_1h_tokens", "cache_write_1h_tokens"),
        ("httpStatus404Count", "http_status404_count"),
        ("path to $1,00,000", "path_to_1_00_000"),
        ("user's", "user_s"),
        ("trailing_", "_trailing"),
        ("order", "_order"),
        ("user", "_user"),
        ("limit", "_limit"),
        ("tool_input_order", "tool_input_order"),
        ("date", "date"),
        ("timestamp", "timestamp"),
        ("_2024", "_2024"),
        ("XMLHttpRequest", "xml_http_request"),
        ("", ""),
    ],
)
def test_column_name(key, column):
    assert column_name(key) == column


def test_names_are_cut_to_63_characters_before_the_reserved_word_check():
    assert column_name("a" * 80) == "a" * 63
    assert column_name("a" * 63 + "b") == column_name("a" * 63 + "c")


def test_every_reserved_word_is_escaped_and_nothing_else():
    assert len(RESERVED_WORDS) == 93
    assert {column_name(word) for word in RESERVED_WORDS} == {f"_{w}" for w in RESERVED_WORDS}
    # None of the properties of the seven events is a reserved word.
    for key in ("status", "duration_ms", "cost", "model_name", "step_type", "tool_name", "trigger"):
        assert column_name(key) == key


@pytest.mark.parametrize(
    ("event", "table"),
    [
        ("AI Agent Step Completed", "ai_agent_step_completed"),
        ("aiAgentStepCompleted", "ai_agent_step_completed"),
        ("ai-agent-step-completed", "ai_agent_step_completed"),
        ("AI_AGENT_STEP_COMPLETED", "ai_agent_step_completed"),
        ("ai_agent_step_completed", "ai_agent_step_completed"),
        ("Checkout v2", "checkout_v2"),
        ("2nd visit", "_2nd_visit"),
        ("order", "_order"),
        ("users", "_users"),
        ("Identifies", "_identifies"),
        ("tracks", "_tracks"),
        ("pages", "_pages"),
        ("screens", "_screens"),
        ("aliases", "_aliases"),
        ("groups", "_groups"),
        ("accounts", "_accounts"),
        ("Rudder Discards", "_rudder_discards"),
        ("rudder_load_rejects", "_rudder_load_rejects"),
        ("n" * 70, "n" * 63),
    ],
)
def test_table_name(event, table):
    assert table_name(snake_case(event)) == table


@pytest.mark.parametrize("event", ["", "日本語", "!!!", "   "])
def test_a_name_without_letters_or_digits_leaves_nothing(event):
    assert snake_case(event) == ""
