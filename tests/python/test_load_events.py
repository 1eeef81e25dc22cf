"""Whole loads into throw-away DuckDB files: tables, columns, types, discards, rejects, modes."""

import gzip
import io
import json
import resource
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import duckdb
import pytest

from scripts.load_events import main
from scripts.loader import warehouse_writer
from scripts.warehouse import connect

PROJECT = Path(__file__).resolve().parents[2]
REAL_DATA = PROJECT.parent / "shared" / "realdata"
AT = "2026-03-01T10:00:00.000Z"


class Warehouse:
    """A throw-away DuckDB file, the folder beside it, and the loader run on both."""

    def __init__(self, folder, capsys):
        self.folder = folder
        self.path = folder / "raw.duckdb"
        self.capsys = capsys

    def file(self, *events, name="events.ndjson"):
        lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def load(self, *events, options=()):
        return self.run(self.file(*events), *options)

    def run(self, *arguments):
        assert main([*map(str, arguments), "--warehouse", str(self.path)]) == 0
        return self.capsys.readouterr().out

    def fails(self, *arguments):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments), "--warehouse", str(self.path)])
        assert caught.value.code == 2
        output = self.capsys.readouterr()
        assert output.out == ""
        lines = output.err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: ")
        return lines[0]

    def query(self, statement):
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(statement).fetchall()

    def rows(self, table, columns):
        return self.query(f"select {columns} from rudderstack.{table} order by all")

    def types(self, table):
        return dict(
            self.query(
                "select column_name, data_type from information_schema.columns "
                f"where table_schema = 'rudderstack' and table_name = '{table}'"
            )
        )

    def counts(self, schema="rudderstack"):
        tables = self.query(
            f"select table_name from information_schema.tables where table_schema = '{schema}'"
        )
        return {
            name: self.query(f'select count(*) from {schema}."{name}"')[0][0] for (name,) in tables
        }

    def times(self, table="e"):
        columns = ("received_at", "sent_at", "original_timestamp", "timestamp")
        found = self.query(
            "select "
            + ", ".join(f"strftime({column}, '%d %H:%M:%S.%g')" for column in columns)
            + f" from rudderstack.{table}"
        )
        assert len(found) == 1
        return dict(zip(columns, found[0], strict=True))


@pytest.fixture
def warehouse(tmp_path, capsys):
    return Warehouse(tmp_path, capsys)


def event(properties=None, *, name="e", message_id="m1", **keys):
    payload = {
        "type": "track",
        "event": name,
        "messageId": message_id,
        "userId": "u1",
        "receivedAt": AT,
        "originalTimestamp": AT,
        "sentAt": AT,
        "properties": properties or {},
    }
    return {key: value for key, value in (payload | keys).items() if value is not ...}


STANDARD_TYPES = {
    "id": "VARCHAR",
    "user_id": "VARCHAR",
    "received_at": "TIMESTAMP WITH TIME ZONE",
    "sent_at": "TIMESTAMP WITH TIME ZONE",
    "original_timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "event": "VARCHAR",
    "event_text": "VARCHAR",
    "uuid_ts": "TIMESTAMP WITH TIME ZONE",
}


def test_an_event_makes_a_row_in_tracks_and_in_its_own_table(warehouse):
    output = warehouse.load(event({"cost": 0.5, "toolsUsed": ["a", "b"]}, name="AI Step Done"))
    assert output.splitlines()[0] == "accepted 1, rejected 0, discarded values 0"
    assert "rudderstack.ai_step_done: 1 rows" in output
    assert warehouse.types("tracks") == STANDARD_TYPES
    assert warehouse.types("ai_step_done") == STANDARD_TYPES | {
        "cost": "DOUBLE",
        "tools_used": "VARCHAR",
    }
    assert warehouse.rows("ai_step_done", "id, event, event_text, user_id, cost, tools_used") == [
        ("m1", "ai_step_done", "AI Step Done", "u1", 0.5, '["a","b"]')
    ]
    assert warehouse.counts() == {"tracks": 1, "ai_step_done": 1}


def test_objects_are_flattened_at_any_depth_and_the_context_gets_a_prefix(warehouse):
    warehouse.load(
        event(
            {"tool_input": {"a": {"b": {"c": {"d": 1}}}}},
            context={"library": {"name": "x"}, "sessionId": 123, "traits": {"0": "o", "1": "k"}},
        )
    )
    types = warehouse.types("e")
    assert types["tool_input_a_b_c_d"] == "BIGINT"
    assert types["context_session_id"] == "BIGINT"
    assert warehouse.rows("e", "context_library_name, context_traits") == [("x", "ok")]
    assert warehouse.rows("tracks", "context_library_name, context_traits") == [("x", "ok")]
    assert "tool_input_a_b_c_d" not in warehouse.types("tracks")


def test_cloud_sources_keep_deep_objects_as_json_text(warehouse):
    deep = {"a": {"b": {"c": {"z": "<"}, "flat": 2}}}
    warehouse.load(
        event(deep, channel="sources", recordId=7, context={"sources": {"version": "1"}})
    )
    assert warehouse.rows("e", "id, a_b_flat, a_b_c_z") == [("7", 2, "<")]
    warehouse.load(event({"a": {"b": {"c": {"d": {"z": "<", "y": 1}}}}}, channel="sources"))
    assert warehouse.rows("e", "id, a_b_c_d") == [("7", None), ("m1", '{"y":1,"z":"<"}')]
    # `tracks` keeps the message id as its key, so the second load replaced the first row there.
    assert warehouse.rows("tracks", "id, record_id") == [("m1", None)]


def test_json_paths_make_json_columns(warehouse):
    options = {
        "POSTGRES": {
            "options": {
                "skipTracksTable": True,
                "jsonPaths": ["tool_input", "track.properties.a.b", "track.context.c"],
            }
        }
    }
    warehouse.load(
        event(
            {"tool_input": {"y": [1], "x": "<"}, "a": {"b": {}, "c": 2}},
            context={"c": {"k": 1}, "d": {"k": 1}},
            integrations=options,
        )
    )
    types = warehouse.types("e")
    assert {types[column] for column in ("tool_input", "a_b", "context_c")} == {"JSON"}
    assert warehouse.rows("e", "tool_input, a_b, context_c, a_c, context_d_k") == [
        ('{"x":"<","y":[1]}', "{}", '{"k":1}', 2, 1)
    ]
    assert "tracks" not in warehouse.counts()
    # Without the option the column stays JSON and takes scalars as JSON, too.
    warehouse.load(event({"tool_input": "plain"}, message_id="m2"))
    assert warehouse.rows("e", "tool_input")[0] == ('"plain"',)


@pytest.mark.parametrize("blank", [None, "", [], {}, [""], [[]], {"a": {}}, {"a": None}])
def test_blank_values_make_no_column(warehouse, blank):
    warehouse.load(event({"x": blank}))
    assert warehouse.types("e") == STANDARD_TYPES


def test_white_space_makes_a_column_but_is_null(warehouse):
    warehouse.load(event({"x": " \t"}))
    assert warehouse.types("e")["x"] == "VARCHAR"
    assert warehouse.rows("e", "x") == [(None,)]


def test_standard_columns_cannot_be_overwritten_by_properties(warehouse):
    names = """
        id anonymousId user_id userID sentAt timestamp received_at originalTimestamp channel event
        event_text recordId contextIp context_request_ip context_passed_ip uuid_ts
    """
    hostile = dict.fromkeys(names.split(), "hostile")
    warehouse.load(event(hostile | {"_id": "kept", "_timestamp": "kept", "message_id": "kept"}))
    assert warehouse.types("e") == STANDARD_TYPES | dict.fromkeys(
        ("_id", "_timestamp", "message_id"), "VARCHAR"
    )
    assert warehouse.rows("e", "id, event, user_id") == [("m1", "e", "u1")]


def test_context_wins_over_a_property_of_the_same_column(warehouse):
    warehouse.load(event({"context_a": 1, "context_b": 2}, context={"a": "context"}))
    assert warehouse.rows("e", "context_a, context_b") == [("context", 2)]


def test_user_properties_win_over_properties(warehouse):
    warehouse.load(event({"plan": "free", "a": 1}, userProperties={"plan": "paid"}))
    assert warehouse.rows("e", "plan, a") == [("paid", 1)]


def test_of_keys_that_share_a_column_the_later_in_sorted_order_wins(warehouse):
    warehouse.load(
        event(
            {
                "agent_name": "flat",
                "agentName": 5,
                "tokens_used_prompt_tokens": 2,
                "tokens_used": {"prompt_tokens": 0.5},
            }
        )
    )
    assert warehouse.rows("e", "agent_name, tokens_used_prompt_tokens") == [("flat", 2)]
    assert warehouse.types("e")["tokens_used_prompt_tokens"] == "BIGINT"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"context": {"ip": "1.1.1.1"}, "request_ip": "2.2.2.2"},
            ("1.1.1.1", "2.2.2.2", "1.1.1.1"),
        ),
        ({"request_ip": "2.2.2.2"}, ("2.2.2.2", "2.2.2.2", None)),
        ({"context": {"ip": ""}, "request_ip": "2.2.2.2"}, ("2.2.2.2", "2.2.2.2", None)),
        ({"context": {"ip": "1.1.1.1"}}, ("1.1.1.1", None, "1.1.1.1")),
    ],
)
def test_ip_columns(warehouse, keys, expected):
    warehouse.load(event(**keys))
    types = warehouse.types("e")
    columns = ("context_ip", "context_request_ip", "context_passed_ip")
    found = [f"{column}" if column in types else "null" for column in columns]
    assert warehouse.rows("e", ", ".join(found)) == [expected]


@pytest.mark.parametrize("name", [..., None, "", "日本語", 42, ["e"]])
def test_an_event_without_a_usable_name_reaches_tracks_only(warehouse, name):
    output = warehouse.load(event({"a": 1}, name=name))
    assert output.startswith("accepted 1, rejected 0")
    assert warehouse.counts() == {"tracks": 1}
    assert warehouse.rows("tracks", "event") == [(None,)]


@pytest.mark.parametrize("properties", [None, [], "text", 7, ...])
def test_properties_that_are_no_object_are_ignored(warehouse, properties):
    payload = event()
    payload.pop("properties")
    if properties is not ...:
        payload["properties"] = properties
    warehouse.load(payload)
    assert warehouse.types("e") == STANDARD_TYPES


# Times -------------------------------------------------------------------------------------------


def test_a_client_clock_two_hours_ahead_is_corrected(warehouse):
    warehouse.load(
        event(
            receivedAt="2026-03-01T10:00:01.500Z",
            sentAt="2026-03-01T12:00:01.000Z",
            originalTimestamp="2026-03-01T12:00:00.000Z",
        )
    )
    assert warehouse.times() == {
        "received_at": "01 10:00:01.500",
        "sent_at": "01 12:00:01.000",
        "original_timestamp": "01 12:00:00.000",
        "timestamp": "01 10:00:00.500",
    }


def test_nine_days_offline(warehouse):
    warehouse.load(
        event(
            receivedAt="2026-03-10T10:00:01Z",
            sentAt="2026-03-10T10:00:00Z",
            originalTimestamp="2026-03-01T10:00:00Z",
        )
    )
    assert warehouse.times()["timestamp"] == "01 10:00:01.000"
    assert warehouse.times()["received_at"] == "10 10:00:01.000"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"sentAt": ...}, ("05", "05", "01", "01")),
        ({"originalTimestamp": ...}, ("05", "04", "05", "06")),
        ({"receivedAt": ...}, ("04", "04", "01", "01")),
        ({"receivedAt": ..., "sentAt": ...}, ("01", "01", "01", "01")),
        ({"receivedAt": "never", "sentAt": 5}, ("01", "01", "01", "01")),
        ({"timestamp": "2026-03-20T00:00:00Z"}, ("05", "04", "01", "20")),
        ({"timestamp": "not a time"}, ("05", "04", "01", "02")),
        (
            {
                "timestamp": "2026-03-20",
                "receivedAt": ...,
                "sentAt": ...,
                "originalTimestamp": ...,
            },
            ("20", "20", "20", "20"),
        ),
    ],
)
def test_missing_times(warehouse, keys, expected):
    times = {
        "receivedAt": "2026-03-05T00:00:00Z",
        "sentAt": "2026-03-04T00:00:00Z",
        "originalTimestamp": "2026-03-01T00:00:00Z",
    }
    warehouse.load(event(**(times | keys)))
    assert tuple(text[:2] for text in warehouse.times().values()) == expected


def test_an_event_without_any_time_gets_the_time_of_the_load(warehouse):
    warehouse.load(event(receivedAt=..., sentAt=..., originalTimestamp=...))
    assert warehouse.rows("e", 'received_at = uuid_ts, "timestamp" = uuid_ts') == [(True, True)]


# Types and discards ------------------------------------------------------------------------------


def test_the_first_value_decides_the_type_also_across_loads_and_chunks(warehouse, monkeypatch):
    # One cell per chunk: every row is staged by itself.
    monkeypatch.setattr(warehouse_writer, "_CELLS_PER_CHUNK", 1)
    warehouse.load(
        event({"cost": 0}, message_id="m1"),
        event({"cost": 0.018, "late": 1}, message_id="m2"),
        event({"cost": "x", "late": True}, message_id="m3"),
    )
    output = warehouse.load(event({"cost": 1.9, "late": 2.5}, message_id="m4"))
    assert "discarded values 0" in output
    assert warehouse.rows("e", "id, cost, late") == [
        ("m1", 0, None),
        ("m2", 0, 1),
        ("m3", None, None),
        ("m4", 1, 2),
    ]
    assert warehouse.types("e")["cost"] == "BIGINT"


def test_a_discarded_value_is_recorded(warehouse):
    warehouse.load(event({"n": 1, "day": "2026-01-01", "flag": True}, message_id="m1"))
    output = warehouse.load(
        event({"n": ["a", 1, None], "day": "soon", "flag": 1}, message_id="m2", receivedAt=AT)
    )
    assert output.splitlines()[0] == "accepted 1, rejected 0, discarded values 3"
    prefix = "incompatible schema conversion from"
    found = warehouse.rows(
        "rudder_discards",
        "row_id, table_name, column_name, column_value, reason, received_at is not null, "
        "uuid_ts is not null",
    )
    assert found == [
        ("m2", "e", "day", "soon", f"{prefix} datetime to string", True, True),
        ("m2", "e", "flag", "1", f"{prefix} boolean to int", True, True),
        ("m2", "e", "n", "[a 1 <nil>]", f"{prefix} int to string", True, True),
    ]
    assert warehouse.rows("e", "id, n, day, flag")[1] == ("m2", None, None, None)
    assert (
        list(warehouse.types("rudder_discards").values())
        == ["VARCHAR"] * 3 + ["TIMESTAMP WITH TIME ZONE"] * 2 + ["VARCHAR"] * 2
    )


def test_types_of_columns_made_by_hand_are_honoured(warehouse):
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("create schema rudderstack")
        connection.execute(
            'create table rudderstack.e (id varchar, "Cost" double, small tinyint, note json, '
            "price decimal(6, 2), day date)"
        )
    output = warehouse.load(
        event(
            {"cost": 0, "small": 300, "note": [1], "price": 0.125, "day": "2026-01-02T05:00:00Z"}
        ),
        event({"cost": 7, "small": 100, "price": 100000.5}, message_id="m2"),
    )
    assert "discarded values 2" in output
    assert warehouse.rows("e", "id, cost, small, note, price::varchar, day::varchar") == [
        ("m1", 0.0, None, "[1]", "0.13", "2026-01-02"),
        ("m2", 7.0, 100, None, None, None),
    ]
    assert warehouse.types("e")["Cost"] == "DOUBLE"
    assert {row[0] for row in warehouse.rows("rudder_discards", "reason")} == {
        "number outside the range of the column"
    }


def test_tables_and_columns_appear_when_the_first_value_does(warehouse):
    warehouse.load(event({"a": 1}))
    assert "b" not in warehouse.types("e")
    warehouse.load(event({"b": "x"}, message_id="m2"), event(name="other", message_id="m3"))
    assert warehouse.types("e")["b"] == "VARCHAR"
    assert warehouse.counts() == {"tracks": 3, "e": 2, "other": 1}


def test_too_many_columns_reject_the_event_everywhere(warehouse):
    def wide(count, **keys):
        return event({f"p{number}": 1 for number in range(count)}, **keys)

    # The columns of a bare event count, `uuid_ts` included.
    fits = 1600 - len(STANDARD_TYPES)
    output = warehouse.load(wide(fits + 1, name="wide"), wide(fits, name="fits", message_id="m2"))
    assert output.startswith("accepted 1, rejected 1")
    assert warehouse.counts() == {"tracks": 1, "fits": 1, "rudder_load_rejects": 1}
    assert warehouse.rows("rudder_load_rejects", "reason") == [
        ("too many columns: 1601, the limit is 1600",)
    ]


def test_wide_tables_get_the_memory_they_need(warehouse):
    properties = {f"p{number}": 1 for number in range(1500)}
    events = [event(properties, name=name, message_id=name) for name in ("wide", "wider")]
    for _ in range(2):
        assert warehouse.load(*events).startswith("accepted 2, rejected 0")
    assert len(warehouse.types("wider")) == 1500 + len(STANDARD_TYPES)


def test_names_and_values_are_never_run_as_sql(warehouse):
    evil = "'); drop table rudderstack.tracks; --"
    warehouse.load(event({evil: evil}, name=f'"{evil}'))
    assert warehouse.counts()["tracks"] == 1
    assert warehouse.rows("drop_table_rudderstack_tracks", "drop_table_rudderstack_tracks") == [
        (evil,)
    ]
    warehouse.run(warehouse.folder / "events.ndjson", "--schema", evil)
    assert warehouse.query(
        "select count(*) from information_schema.tables where table_schema = $$" + evil + "$$"
    ) == [(2,)]


# Duplicates and modes ----------------------------------------------------------------------------


def dirty_events():
    return [
        event({"a": 1}, message_id="m1"),
        event({"a": "text"}, message_id="m2"),
        event({"a": 2}, message_id=...),
        event({"a": 3}, message_id="m3", receivedAt=...),
        {"batch": [event({"a": 4}, message_id=""), {"type": "track"}, 7]},
        "not json",
        "not json",
    ]


def test_merge_twice_adds_no_row_to_any_table(warehouse):
    output = warehouse.load(*dirty_events())
    assert output.splitlines()[0] == "accepted 5, rejected 4, discarded values 1"
    first = warehouse.counts()
    assert first == {"tracks": 5, "e": 5, "rudder_discards": 1, "rudder_load_rejects": 4}
    assert warehouse.load(*dirty_events()).splitlines()[0] == output.splitlines()[0]
    assert warehouse.counts() == first


def test_append_adds_every_row_again_but_dedupes_inside_a_load(warehouse):
    events = [event(message_id="m1"), event(message_id="m1"), "not json"]
    for loads in (1, 2):
        warehouse.load(*events, options=["--mode", "append"])
        assert warehouse.counts() == {"tracks": loads, "e": loads, "rudder_load_rejects": loads}


@pytest.mark.parametrize("mode", ["merge", "append"])
@pytest.mark.parametrize("cells", [1, 2_000_000])
def test_inside_a_load_the_newest_arrival_wins(warehouse, mode, cells, monkeypatch):
    monkeypatch.setattr(warehouse_writer, "_CELLS_PER_CHUNK", cells)
    warehouse.load(
        event({"v": "old"}, receivedAt="2026-03-01T00:00:00Z"),
        event({"v": "new"}, receivedAt="2026-03-03T00:00:00Z"),
        event({"v": "middle"}, receivedAt="2026-03-02T00:00:00Z"),
        event({"v": "tie, first"}, message_id="m2"),
        event({"v": "tie, last"}, message_id="m2"),
        options=["--mode", mode],
    )
    assert warehouse.rows("e", "id, v") == [("m1", "new"), ("m2", "tie, last")]


def test_in_merge_mode_the_last_load_wins_even_when_it_arrived_earlier(warehouse):
    warehouse.load(event({"v": "first", "x": 1}, receivedAt="2026-03-03T00:00:00Z"))
    warehouse.load(event({"v": "second"}, receivedAt="2026-03-01T00:00:00Z"))
    assert warehouse.rows("e", "id, v, x") == [("m1", "second", None)]


# Input -------------------------------------------------------------------------------------------


def test_batches_gzip_standard_input_and_several_files_are_the_same_events(
    warehouse, monkeypatch, capsys
):
    plain = warehouse.file(event(message_id="m1"), event(message_id="m2"), name="plain.ndjson")
    batch = json.dumps({"batch": [event(message_id="m3"), event(message_id="m4")], "sentAt": AT})
    zipped = warehouse.folder / "zipped"
    zipped.write_bytes(gzip.compress(batch.encode()))
    webhook = event(message_id="m5", rudderId="r", integrations={"All": True}, type=...)
    standard_input = io.TextIOWrapper(io.BytesIO(gzip.compress(json.dumps(webhook).encode())))
    monkeypatch.setattr(sys, "stdin", standard_input)
    output = warehouse.run(plain, zipped, "-")
    assert output.startswith("accepted 5, rejected 0")
    assert [row[0] for row in warehouse.rows("e", "id")] == ["m1", "m2", "m3", "m4", "m5"]


def test_byte_order_mark_carriage_returns_and_blank_lines(warehouse):
    path = warehouse.folder / "windows.ndjson"
    line = json.dumps(event()).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n   \n" + line.replace(b"m1", b"m2"))
    assert warehouse.run(path).startswith("accepted 2, rejected 0")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "invalid JSON"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": -Infinity}', "-Infinity is not a JSON number"),
        ("[]", "not an object but an array"),
        ('"text"', "not an object but text"),
        ("null", "not an object but null"),
        ("{}", "neither userId nor anonymousId"),
        ('{"userId": " ", "anonymousId": ""}', "neither userId nor anonymousId"),
        ('{"type": "identify", "userId": "u"}', "not a track call: type is 'identify'"),
        ('{"type": 5, "userId": "u"}', "type is not text but a number"),
        ('{"userId": "u", "context": []}', "context is not an object but an array"),
        ('{"userId": "u", "context": "x"}', "context is not an object but text"),
        ('{"userId": "u", "event": "e", "properties": {"a": 1e400}}', "64-bit float"),
        ('{"userId": "u", "event": "e", "properties": {"a": [1e400]}}', "64-bit float"),
        ('{"userId": "u", "event": "e", "properties": {"a": 1' + "0" * 400 + "}}", "64-bit float"),
        ('{"userId": "u", "event": "e", "properties": {"a": 1' + "0" * 5000 + "}}", "64-bit float"),
        ('{"userId": "u", "event": "e", "properties": {"a": "\x00"}}', "invalid JSON"),
        ('{"batch": {}}', "batch is not an array"),
        ('{"batch": []}', "batch is empty"),
        ('{"batch": [{"userId": "u", "event": "e"}]}', "type is missing"),
        ('{"batch": [5]}', "not an object but a number"),
        ("[" * 10_000 + "]" * 10_000, "nested deeper"),
        ('{"userId": "u", "event": "e", "properties": ' + '{"a":' * 10_000, "nested deeper"),
        (
            '{"userId": "u", "event": "e", "properties": ' + '{"a":' * 300 + "1" + "}" * 301,
            "nested deeper",
        ),
        (
            '{"userId": "u", "event": "e", "properties": {"a": '
            + "[" * 300
            + "1"
            + "]" * 300
            + "}}",
            "nested deeper",
        ),
    ],
)
def test_rejected_lines_are_kept_with_the_reason(warehouse, line, reason):
    path = warehouse.file(event(), line, event(message_id="m2"))
    assert warehouse.run(path).startswith("accepted 2, rejected 1, discarded values 0")
    [(file, line_number, found, raw_text, known_time)] = warehouse.rows(
        "rudder_load_rejects", "file, line_number, reason, raw_text, rejected_at is not null"
    )
    assert (file, line_number, known_time) == (str(path), 2, True)
    assert reason in found
    if "batch" not in line:
        assert raw_text == line.replace("\x00", "\ufffd")
    assert [row[0] for row in warehouse.rows("e", "id")] == ["m1", "m2"]


def test_invalid_utf8_is_kept_with_replacement_characters(warehouse):
    path = warehouse.folder / "latin.ndjson"
    path.write_bytes(b'{"userId": "caf\xe9"}\n' + line().encode())
    warehouse.run(path)
    assert warehouse.rows("rudder_load_rejects", "reason, raw_text") == [
        ("invalid UTF-8 at byte 16", '{"userId": "caf\ufffd"}')
    ]


def test_a_line_without_end_is_cut_not_swallowed(warehouse, monkeypatch):
    monkeypatch.setattr("scripts.loader.lines.LONGEST_LINE", 1000)
    path = warehouse.file(event(), "x" * 5000, event(message_id="m2"))
    assert warehouse.run(path).startswith("accepted 2, rejected 1")
    assert warehouse.rows("rudder_load_rejects", "line_number, reason, raw_text like 'xxx%'") == [
        (2, "line is too long for an event", True)
    ]


def test_odd_but_valid_payloads(warehouse):
    odd = '{"a": 1, "a": "last", "b": "x\\u0000y", "c": "\\ud800z", "d": "\\ud83d\\ude00"}'
    output = warehouse.load(
        '{"userId": 5, "messageId": "m1", "messageId": " m2 ", "event": "e", "properties": '
        + odd
        + "}",
        '{"anonymousId": "x", "userId": null, "event": "e", "messageId": 12, "TYPE": "page"}',
        '{"type": "TRACK", "anonymousId": true, "userId": "u", "event": "e", "messageId": "m3"}',
    )
    assert output.splitlines()[0] == "accepted 3, rejected 0, discarded values 2"
    assert warehouse.rows("e", "id, user_id, anonymous_id, a, b, c, d") == [
        ("12", None, "x", None, None, None, None),
        ("m2", 5, None, "last", "xy", "\ufffdz", "😀"),
        ("m3", None, "true", None, None, None, None),
    ]
    # A user id that is a number first makes a number column, in `tracks` too.
    assert warehouse.rows("rudder_discards", "row_id, table_name, column_name, column_value") == [
        ("m3", "e", "user_id", "u"),
        ("m3", "tracks", "user_id", "u"),
    ]


# Failures ----------------------------------------------------------------------------------------


def test_unreadable_input_is_one_clear_line_and_changes_nothing(warehouse):
    good = warehouse.file(event(), name="good.ndjson")
    broken = warehouse.folder / "broken.ndjson.gz"
    text = "\n".join(json.dumps(event(message_id=str(number))) for number in range(30_000))
    broken.write_bytes(gzip.compress(text.encode())[:-2000])
    damaged = warehouse.folder / "damaged.gz"
    damaged.write_bytes(gzip.compress(b"x")[:12] + b"\xff" * 50)
    plain = warehouse.folder / "plain.gz"
    plain.write_text("{}")
    cases = [
        (warehouse.folder / "absent.ndjson", "no such file"),
        (warehouse.folder, "is a directory"),
        (broken, "cut off"),
        (damaged, "damaged gzip"),
        (plain, "is not gzip"),
    ]
    for path, message in cases:
        error = warehouse.fails(good, path)
        assert message in error and str(path) in error
        assert not warehouse.path.exists(), "a failed load must not leave a new file behind"
    warehouse.run(good)
    before = warehouse.path.read_bytes()
    for path, _ in cases:
        warehouse.fails(good, path)
        assert warehouse.path.read_bytes() == before
    assert "only once" in warehouse.fails("-", "-")
    assert "no FILE given" in warehouse.fails()
    assert "--schema is empty" in warehouse.fails(good, "--schema", " ")


def test_a_warehouse_that_refuses_is_left_as_it_was(warehouse):
    good = warehouse.file(event({"a": 1}), event({"a": 1}, name="f", message_id="m2"))
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("create schema rudderstack")
        # Nothing in the load can satisfy this, and it is found out after other tables are written.
        connection.execute("create table rudderstack.f (id varchar, a bigint check (a > 5))")
    assert "could not be written, it is as it was" in warehouse.fails(good)
    assert warehouse.counts() == {"f": 0}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("create view rudderstack.e as select 1 as id", "rudderstack.e is a view"),
        ("create table rudderstack.e (id bigint)", "column id of rudderstack.e is BIGINT"),
        ("create table rudderstack.e (received_at text)", "column received_at of rudderstack.e"),
    ],
)
def test_unusable_tables_are_named(warehouse, statement, message):
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("create schema rudderstack")
        connection.execute(statement)
    assert message in warehouse.fails(warehouse.file(event()))


def test_a_file_that_is_no_warehouse_is_named(warehouse):
    warehouse.path.write_text("not a database " * 100)
    assert str(warehouse.path) in warehouse.fails(warehouse.file(event()))
    assert warehouse.path.read_text().startswith("not a database")


def test_the_command_runs_as_a_script_from_the_project_root(tmp_path):
    lines = json.dumps(event()) + "\nnot json\n"
    done = subprocess.run(
        [sys.executable, "scripts/load_events.py", "-", "--warehouse", str(tmp_path / "w.duckdb")],
        input=lines,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "accepted 1, rejected 1, discarded values 0"


# Real data ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no real traces at {REAL_DATA}")
def test_real_traces_load_completely(warehouse):
    files = sorted(REAL_DATA.glob("*.ndjson.gz"))
    expected = Counter()
    known_keys = defaultdict(set)
    for path in files:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                payload = json.loads(line)
                expected[payload["event"]] += 1
                known_keys[payload["event"]] |= {
                    key for key, value in payload["properties"].items() if type(value) is str
                }
    assert len(files) == 5 and expected.total() == 9754
    output = warehouse.run(*files)
    assert output.startswith("accepted 9,754, rejected 0, discarded values 0\n")
    assert warehouse.counts() == {**expected, "tracks": expected.total()}
    warehouse.run(*files)
    assert warehouse.counts() == {**expected, "tracks": expected.total()}
    for table, keys in known_keys.items():
        assert keys <= warehouse.types(table).keys()
    assert warehouse.types("ai_interaction_completed")["total_cost"] == "DOUBLE"
    assert warehouse.types("ai_agent_step_completed")["duration_ms"] == "BIGINT"


def line(**changes):
    """Return one event as a line of a file."""
    payload = {"type": "track", "userId": "u", "event": "ai_user_action", "messageId": "m"}
    return json.dumps(payload | changes) + "\n"


def run_main(tmp_path, text, *options):
    """Load a file with this text into a warehouse of its own; return the exit code."""
    file = tmp_path / "given.ndjson"
    file.write_text(text)
    return main([str(file), "--warehouse", str(tmp_path / "given.duckdb"), *options])


def test_load_that_accepts_nothing_fails_and_says_why(tmp_path, capsys):
    """The commonest reasons are named with their counts; the lines themselves are kept."""
    text = line(userId="") * 3 + "{\n" + line(type="page") * 2
    assert run_main(tmp_path, text) == 1
    output, error = capsys.readouterr()
    assert output.splitlines()[:4] == [
        "accepted 0, rejected 6, discarded values 0",
        "  rejected 3: neither userId nor anonymousId is given",
        "  rejected 2: not a track call: type is 'page'",
        "  rejected 1: invalid JSON: Expecting property name enclosed in double quotes at "
        "character 2",
    ]
    assert error.splitlines() == [
        "error: no event was accepted: correct what is said above; rudderstack.rudder_load_rejects "
        "has every line"
    ]
    with connect(tmp_path / "given.duckdb", read_only=True) as connection:
        found = connection.execute("select count(*) from rudderstack.rudder_load_rejects")
        assert found.fetchall() == [(6,)]


def test_files_without_any_event_fail(tmp_path, capsys):
    assert run_main(tmp_path, "\n \n") == 1
    assert capsys.readouterr().err == "error: no event was accepted: the input has none\n"


def test_one_accepted_event_is_enough_and_reasons_are_few(tmp_path, capsys):
    text = line() + "".join(line(type=f"page {number}") for number in range(9))
    assert run_main(tmp_path, text) == 0
    output, error = capsys.readouterr()
    reasons = [text for text in output.splitlines() if text.startswith("  rejected")]
    assert len(reasons) == 6 and reasons[-1] == "  rejected 4: other reasons"
    assert error == ""


def test_thousands_of_event_names_make_no_thousands_of_tables(tmp_path, capsys, monkeypatch):
    """Names with values in them are rejected beyond a limit; events of AI products never are."""
    monkeypatch.setattr(warehouse_writer, "MOST_TABLES", 5)
    names = [*(f"Bought product {number}" for number in range(8)), "ai_user_action", "mcp_tool"]
    text = "".join(line(event=name, messageId=name) for name in names)
    assert run_main(tmp_path, text) == 0
    output = capsys.readouterr().out
    assert output.startswith("accepted 7, rejected 3,")
    assert "rejected 3: more than 5 event names, and each takes a table: send values" in output
    # those that have a table go on
    assert run_main(tmp_path, line(event="Bought product 1", messageId="again")) == 0
    assert run_main(tmp_path, line(event="Bought product 7", messageId="again")) == 1
    with connect(tmp_path / "given.duckdb", read_only=True) as connection:
        (tables,) = connection.execute("select count(*) from duckdb_tables()").fetchone()
    assert tables == 5 + len(["ai_user_action", "mcp_tool", "tracks", "rudder_load_rejects"])


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file/w.duckdb", "file cannot be created as a folder: File exists"),
        ("folder", "folder cannot be opened as a DuckDB file"),
        ("a?b.duckdb", "a?b.duckdb has a `?`"),
    ],
)
def test_places_where_no_warehouse_can_be_give_one_line(tmp_path, capsys, place, reason):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    given = tmp_path / "given.ndjson"
    given.write_text(line())
    with pytest.raises(SystemExit):
        main([str(given), "--warehouse", str(tmp_path / place)])
    error = capsys.readouterr().err
    assert error.startswith("error: ") and reason in error and error.count("\n") == 1


def test_full_disk_gives_one_line_and_leaves_the_warehouse(tmp_path):
    """A limit on the size of files stands for a full disk; the load is larger than that."""
    warehouse, file = tmp_path / "w.duckdb", tmp_path / "given.ndjson"
    file.write_text(line())
    load = [sys.executable, "scripts/load_events.py", str(file), "--warehouse", str(warehouse)]
    assert subprocess.run(load, cwd=PROJECT, capture_output=True, check=False).returncode == 0
    before = warehouse.read_bytes()
    # text that does not compress
    file.write_text("".join(line(messageId=f"m{i}", a=hex(i * 7919**9)) for i in range(30_000)))
    size = len(before) + 500_000
    found = subprocess.run(
        load,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: {warehouse} could not be written, it is as it was: ")
    assert found.stderr.count("\n") == 1
    with connect(warehouse, read_only=True) as connection:
        counts = connection.execute("select count(*) from rudderstack.ai_user_action").fetchall()
    assert counts == [(1,)]
