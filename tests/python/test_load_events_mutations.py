"""A thousand broken payload files: no crash, and every event is accepted or rejected, once."""

import json
import random

import duckdb
import pytest

from scripts.load_events import EventLoad, load_files

FILES = 1000
FILES_PER_LOAD = 40
MEGABYTE = 1024 * 1024


def payload(rng):
    """A payload of the size and shape real agents send."""
    number = rng.randrange(10**9)
    ids = {"conversation_id": f"conv-{number % 50}", "interaction_id": f"int-{number % 9}"}
    tokens = {"prompt_tokens": 150, "completion_tokens": 42, "cache_read": 0, "cache_write": 12236}
    properties = {
        "ai_user_prompt_created": {"prompt_text": "Wohin fährt der Zug?", "input_method": "text"},
        "ai_agent_step_completed": {
            "agent_session_id": f"s-{number % 7}",
            "step_type": "tool_call",
            "status": "success",
            "duration_ms": 1250,
            "tool_name": "search_flights",
            "tool_input": {"from": "DEN", "passengers": [{"age": 40}], "date": "2026-03-01"},
            "tool_output": {"flights": [{"price": 120.5, "stops": None}], "more": False},
        },
        "ai_agent_session_completed": {
            "agent_name": "planner",
            "cost": 0.0184,
            "tokens_used": tokens,
            "tools_used": ["search_flights", "book"],
        },
        "ai_interaction_completed": {"status": "error", "total_cost": 1, "tokens_used": tokens},
    }
    name = rng.choice(sorted(properties))
    return {
        "type": "track",
        "event": name,
        "messageId": f"message-{number}",
        "anonymousId": "anonymous-1",
        "userId": "user-1",
        "channel": "server",
        "context": {"library": {"name": "sdk", "version": "1.0.0"}, "ip": "10.0.0.1"},
        "originalTimestamp": "2026-02-12T16:02:25.284Z",
        "sentAt": "2026-02-12T16:02:25.284Z",
        "receivedAt": "2026-02-12T16:02:26.001Z",
        "integrations": {"All": True},
        "properties": ids | properties[name],
    }


def strange_values(rng):
    return [
        None,
        "",
        " ",
        [],
        {},
        [None],
        [[[]]],
        True,
        -0.0,
        0,
        1.0,
        0.1,
        2**53 + 1,
        2**63,
        -(2**63),
        10 ** rng.randrange(10, 400),
        10**4000,
        1e308,
        float("inf"),
        float("nan"),
        "2024-02-30",
        "0000-00-00",
        "9999-12-31T23:59:59.999-23:59",
        "0001-01-01T00:00:00+23:59",
        "\x00",
        "a\x00b\ud800",
        "\udfff\ud83d",
        "\u2028<script>&'\"\\",
        "'; drop table tracks; --",
        "x" * (MEGABYTE if rng.random() < 0.1 else 1000),
        {"0": "a", "1": "b"},
        [{"k": [1, {"z": None, "a": 1e-9}]}],
        nested(rng),
        {f"key {number}": number for number in range(rng.choice([3, 3, 30]))},
    ]


def nested(rng):
    value = 1
    for level in range(rng.choice([5, 150, 260, 400])):
        value = [value] if (level % 2 and rng.random() < 0.5) else {"n": value}
    return value


STRANGE_KEYS = [
    "",
    " ",
    "日本語",
    "🚀",
    "größe_ms",
    "__x",
    "a.b.c",
    "order",
    "select",
    "id",
    "uuid_ts",
    "load order",
    'quote"d',
    "n" * 300,
    "1e5",
    "\x00",
    "\ud800",
    "costUSD",
    "Cost",
    "context_library_name",
    "constructor",
]


def places(value):
    """Every (container, key) of a payload."""
    found = []
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found.extend(places(value[key]))
    return found


def mutate_object(value, rng):
    for _ in range(rng.choice([0, 1, 1, 2, 5])):
        container, key = rng.choice(places(value))
        action = rng.randrange(6)
        if action <= 2:
            container[key] = rng.choice(strange_values(rng))
        elif action == 3:
            del container[key]
        elif action == 4 and isinstance(container, dict):
            container[rng.choice(STRANGE_KEYS)] = container[key]
        else:
            other, other_key = rng.choice(places(value))
            container[key], other[other_key] = (
                json.loads(json.dumps(other[other_key])),
                json.loads(json.dumps(container[key])),
            )
        if not places(value):
            return


def mutate_text(data, rng):
    at = rng.randrange(len(data) + 1)
    action = rng.randrange(9)
    if action == 0:
        return data[:at]
    if action == 1:
        return data[:at] + bytes([rng.randrange(256)]) + data[at:]
    if action == 2:
        return data[:at] + b"\x00\xff\xfe" + data[at:]
    if action == 3:
        return data.replace(b"{", b'{"type": "identify", "event": "twice", ', 1)
    if action == 4:
        return data.replace(b"1", b"1" + b"0" * rng.choice([30, 400, 6000]))
    if action == 5:
        return data.replace(b'"properties": {', b'"properties": ' + b'{"d":' * 10_000 + b"{", 1)
    if action == 6:
        return b"[" * 10_000 + data
    if action == 7:
        return data.replace(b"1", b"1e999").replace(b"true", b"NaN")
    return data.replace(b", ", b"\r, ")


def broken_line(rng):
    value = payload(rng)
    mutate_object(value, rng)
    if rng.random() < 0.1:
        value = {"batch": [value], "sentAt": "2026-01-01"}
    data = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return mutate_text(data, rng) if rng.random() < 0.4 else data


def table_counts(connection):
    tables = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'rudderstack'"
    ).fetchall()
    return {
        table: connection.execute(f'select count(*) from rudderstack."{table}"').fetchone()[0]
        for (table,) in tables
    }


@pytest.mark.parametrize("first", range(0, FILES, FILES_PER_LOAD))
def test_every_event_of_a_broken_file_is_accepted_or_rejected(first, tmp_path):
    warehouse = tmp_path / "raw.duckdb"
    files = []
    with duckdb.connect(str(warehouse)) as connection:
        load = EventLoad(connection, "rudderstack")
        for seed in range(first, first + FILES_PER_LOAD):
            rng = random.Random(seed)
            path = tmp_path / f"{seed}.ndjson"
            path.write_bytes(b"\n".join(broken_line(rng) for _ in range(rng.randrange(1, 8))))
            files.append(str(path))
            # No batch holds more than one event, so events and lines are the same.
            lines = [text for text in path.read_bytes().split(b"\n") if text and not text.isspace()]
            before = load.result.accepted + load.result.rejected
            load.read_file(str(path), lambda _position: None)
            assert load.result.accepted + load.result.rejected - before == len(lines), path.name
        result = load.finish("merge")
        # Each outcome has to occur, or the mutations are not what this test thinks they are.
        assert result.accepted > 10
        assert result.rejected > 10
        assert result.discarded > 0
        counts = table_counts(connection)
        assert counts["rudder_load_rejects"] == result.rejected
        assert 0 < counts["rudder_discards"] <= result.discarded
        assert 0 < counts["tracks"] <= result.accepted
        reasons = connection.execute(
            "select count(distinct reason), count(reason), count(raw_text) "
            "from rudderstack.rudder_load_rejects"
        ).fetchone()
        assert reasons[0] > 3 and reasons[1:] == (result.rejected,) * 2
    again = load_files(files, warehouse)
    assert (again.accepted, again.rejected) == (result.accepted, result.rejected)
    with duckdb.connect(str(warehouse)) as connection:
        assert table_counts(connection) == counts
