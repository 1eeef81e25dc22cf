"""Trace files as events: the store, the payloads, the command, and the facts built from samples."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from collections import Counter
from uuid import UUID, uuid5

import pytest

from scripts import import_traces, prepare_events
from scripts.importer.events import EventWriter, masked
from scripts.importer.json_lines import documents
from scripts.importer.model import (
    Action,
    Counts,
    Failure,
    Record,
    Run,
    Session,
    Step,
    Tokens,
)
from scripts.importer.store import EventStore, GroupStore, Spool
from scripts.warehouse import PROJECT_DIR, connect
from tests.python import tables

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z


def groups(*records):
    with Spool() as spool:
        store = GroupStore(spool)
        for keys, content in records:
            store.add(Record(tuple(keys), {"content": content}))
        return [[record["content"] for record in group] for group in store.groups()]


def test_records_that_share_a_key_directly_or_through_others_are_one_group():
    assert groups(
        ("d", 5), ("ab", 1), ("c", 4), ("e", 6), ("bc", 2), ("x", 0), ("ed", 3), ("", 7), ("", 7)
    ) == [[3, 5, 6], [1, 2, 4], [0], [7], [7]]  # fmt: skip


def test_groups_are_the_same_whatever_came_first():
    records = [("ab", 1), ("b", 2), ("z", 9), ("", 7), ("", 8), ("yz", 3), ("c", 4)]
    for seed in range(20):
        random.Random(seed).shuffle(records)
        assert sorted(groups(*records)) == [[1, 2], [3, 9], [4], [7], [8]]


def test_records_come_back_as_they_were():
    fields = {"half": "\ud800", "large": 10**30, "not_a_number": [1.5, None, True, {"é": {}}]}
    (group,) = groups(("a", fields), ("a", {"small": 1}), ("a", dict(fields)))
    assert sorted(group, key=len) == [{"small": 1}, fields]


def test_lines_are_read_as_by_the_reader_of_python():
    lines = [
        '{"a": NaN, "b": -Infinity}',
        '["\\ud83d\\ude00"]',
        "[1e400, 123456789012345678901234567890]",
    ]
    lines += ['{"a": 1, "a": 2}', '["\\u0000", -0, 1.0]', '{"a": 1} {"b": 2}']
    counts = Counts()
    found = list(documents([f"{line}\n".encode() for line in lines], counts))
    expected = [json.loads(line) for line in lines[:-1]]
    assert repr(found) == repr([*expected, {"a": 1}, {"b": 2}])
    assert not counts.skipped


def test_halves_of_characters_become_question_marks():
    line = b'{"a\\ud800": ["\\udfffb", {"c": "\\ud83d\\ude00\\ud83d"}]} {"a": "\\ud800"}'
    assert list(documents([line], Counts())) == [{"a?": ["?b", {"c": "😀?"}]}, {"a": "?"}]


def test_stores_may_be_empty():
    assert groups() == []
    with Spool() as spool:
        assert list(EventStore(spool).numbers()) == []


def test_a_record_that_came_twice_is_there_once():
    assert groups(("a", "one"), ("a", "two"), ("a", "one")) == [["one", "two"]]


def test_events_come_in_the_order_of_time_then_id_and_each_id_once():
    events = [
        (NOON, 3, b"third"),
        (NOON + 1, 1, b"fourth"),
        (NOON, 2, b"second"),
        (NOON - 5, 4, b"first"),
        (NOON - 9, 3, b"older"),
        (NOON, 3, b"of the same time"),
        (NOON, 3, b"third"),
    ]
    for seed in range(20):
        random.Random(seed).shuffle(events)
        assert in_order(events) == [b"first", b"second", b"third", b"fourth"]


def in_order(events):
    with Spool() as spool:
        store = EventStore(spool)
        for at, number, line in events:
            store.add(at, UUID(int=number << 70 | number).bytes, line)
        return [store.line(number) for number in store.numbers().tolist()]


def example_run(**changes):
    """Return a run of which every event and nearly every property is known."""
    step = Step("m1", "llm_call", NOON + 4_321, "success", 1_500, "m1", "claude-opus-4-5")
    step.tokens = Tokens(10, 200, 3_000, 400, 300, 50)
    step.cost_usd = 2
    step.finish_reason, step.service_tier = "tool_use", "standard"
    tool = Step("t1", "tool_call", NOON + 5_000, "error", -3, tool_name="Bash")
    tool.failure = Failure("nonzero_exit", "canary: command not found in /home/canary", 404)
    tool.tool_input, tool.tool_output = "canary input", "canary output"
    session = Session("s1", "main", NOON, NOON + 6_000, "success", 6_000, steps=[step, tool])
    run = Run(
        conversation_id="c1",
        interaction_id="i1",
        started_at=NOON,
        ended_at=NOON + 7_001,
        status="success",
        duration_ms=7_001,
        prompted_at=NOON,
        prompt_text="canary prompt",
        trigger_type="user",
        workflow_name="coding",
        user_id="u1",
        sessions=[session],
        actions=[Action("f1", "feedback_given", NOON + 9_000, "thumbs", "up")],
    )
    for name, value in changes.items():
        setattr(run, name, value)
    return run


def payloads(run, **options):
    skipped = Counter()
    writer = EventWriter("fake", skipped, **options)
    found = [json.loads(event.line) for event in writer.events(run)]
    assert not skipped
    return {payload["event"]: payload for payload in found}, found


def test_a_run_becomes_the_events_of_the_specification():
    _, found = payloads(example_run())
    assert [(payload["event"], payload["timestamp"]) for payload in found] == [
        ("ai_user_prompt_created", "2026-03-01T12:00:00.000Z"),
        ("ai_agent_session_started", "2026-03-01T12:00:00.000Z"),
        ("ai_agent_step_completed", "2026-03-01T12:00:04.321Z"),
        ("ai_agent_step_completed", "2026-03-01T12:00:05.000Z"),
        ("ai_agent_session_completed", "2026-03-01T12:00:06.000Z"),
        ("ai_interaction_completed", "2026-03-01T12:00:07.001Z"),
        ("ai_user_action", "2026-03-01T12:00:09.000Z"),
    ]
    assert len({payload["messageId"] for payload in found}) == 7
    assert {payload["type"] for payload in found} == {"track"}
    assert {payload["userId"] for payload in found} == {"u1"}
    assert len({payload["anonymousId"] for payload in found}) == 1
    for payload in found:
        assert payload["context"] == {"library": {"name": "agent-analytics-import"}}
        assert "receivedAt" not in payload
    # whole numbers of milliseconds, token classes as they are, a cost that is no whole number
    assert found[2]["properties"] == {
        "conversation_id": "c1",
        "interaction_id": "i1",
        "workflow_name": "coding",
        "trigger_type": "user",
        "agent_session_id": "s1",
        "agent_name": "main",
        "step_id": "m1",
        "step_type": "llm_call",
        "status": "success",
        "duration_ms": 1500,
        "response_id": "m1",
        "model_name": "claude-opus-4-5",
        "finish_reason": "tool_use",
        "service_tier": "standard",
        "prompt_tokens": 10,
        "completion_tokens": 200,
        "cache_read": 3000,
        "cache_write": 400,
        "cache_write_1h_tokens": 300,
        "reasoning_tokens": 50,
        "cost": 2.0000000001,
    }
    # no duration where a clock ran backwards
    assert "duration_ms" not in found[3]["properties"]
    assert found[3]["properties"]["http_status"] == 404


def test_what_has_not_ended_has_no_completion():
    run = example_run(status=None, prompted_at=None)
    run.sessions[0].ended_at = None
    names = [payload["event"] for payload in payloads(run)[1]]
    assert names == [
        "ai_agent_session_started",
        "ai_agent_step_completed",
        "ai_agent_step_completed",
        "ai_user_action",
    ]


def test_message_ids_say_what_an_event_is_and_not_what_it_holds():
    before = [payload["messageId"] for payload in payloads(example_run())[1]]
    grown = example_run(conversation_id="c2", user_id=None, workflow_name="other", ended_at=NOON)
    step = grown.sessions[0].steps[0]
    step.tokens = step.tokens._replace(output=999)
    grown.sessions[0].ended_at = NOON + 60_000
    assert [payload["messageId"] for payload in payloads(grown)[1]] == before
    other = [payload["messageId"] for payload in payloads(example_run(interaction_id="i2"))[1]]
    assert not set(other) & set(before)
    with_other_format = EventWriter("other", Counter()).events(example_run())
    assert not {str(UUID(bytes=event.message_id)) for event in with_other_format} & set(before)


def test_a_session_that_stood_for_an_agent_is_replaced_when_the_agent_is_known():
    provisional = example_run()
    before = {payload["messageId"]: payload for payload in payloads(provisional)[1]}
    known = example_run()
    (session,) = known.sessions
    session.agent_session_id = "agent"
    helper = Session("helper", "h", NOON - 5, None, parent_agent_session_id="agent")
    known.sessions.insert(0, helper)
    after = {payload["messageId"]: payload for payload in payloads(known)[1]}
    assert before.keys() < after.keys()
    replaced = [after[one]["properties"].get("agent_session_id") for one in before]
    assert replaced == [None, "agent", "agent", "agent", "agent", None, None]


def test_ids_are_uuids_of_version_5():
    namespace = UUID("3f0c2b1e-9d0a-5a52-8c3e-6a5d1b7e4f90")
    (payload, *_) = payloads(example_run())[1]
    assert payload["messageId"] == str(uuid5(namespace, "fake|prompt|i1"))
    assert payload["anonymousId"] == str(uuid5(namespace, "fake|c1"))
    for number in range(100):
        conversation = example_run(conversation_id=f"é{number}")
        (payload, *_) = payloads(conversation)[1]
        assert payload["anonymousId"] == str(uuid5(namespace, f"fake|é{number}"))


@pytest.mark.parametrize(
    ("cost", "sent"),
    [(0, None), (0.0, None), (None, None), (float("nan"), None), (1, 1.0000000001), (0.5, 0.5)],
)
def test_a_cost_of_nothing_is_not_sent_and_none_is_a_whole_number(cost, sent):
    run = example_run()
    run.sessions[0].steps[0].cost_usd = cost
    properties = payloads(run)[1][2]["properties"]
    assert properties.get("cost") == sent
    # what staging keeps of it
    assert sent is None or round(sent, 9) == cost


def costs(run):
    """Return what the completions of sessions and of the run say of money."""
    events = payloads(run)[1]
    completed = [one["properties"] for one in events if one["event"].endswith("_completed")]
    return [one.get("cost", one.get("total_cost")) for one in completed if "step_id" not in one]


def test_sessions_and_runs_cost_what_their_steps_cost():
    run = example_run()
    call, tool = run.sessions[0].steps
    call.cost_usd = 0.25
    assert costs(run) == [0.25, 0.25]
    tool.cost_usd = 0.5
    assert costs(run) == [0.75, 0.75]
    other = Session("s2", "helper", NOON, NOON + 10, "success", cost_usd=0.125)
    run.sessions.append(other)
    assert costs(run) == [0.75, 0.125, 0.875]
    # no part of a sum is a sum
    other.cost_usd, other.tokens = None, Tokens(output=5)
    assert costs(run) == [0.75, None, None]
    call.cost_usd = None
    assert costs(run) == [None, None, None]


def test_an_event_without_a_time_is_counted():
    run = example_run()
    run.sessions[0].steps[0].ended_at = 10**30
    run.sessions[0].steps[1].ended_at = -1
    skipped = Counter()
    assert len(list(EventWriter("fake", skipped).events(run))) == 5
    assert skipped == {"event without a time of the years 1970 to 9999": 2}


def test_text_stays_out_unless_asked_for():
    lines = b"".join(event.line for event in EventWriter("fake", Counter()).events(example_run()))
    assert b"canary" not in lines
    assert b"xxxxxx: command not found xx /xxxx/xxxxxx" in lines
    without = payloads(example_run(), error_text=False)[1]
    assert not any("error_message" in payload["properties"] for payload in without)
    events, found = payloads(example_run(), with_text=True)
    assert events["ai_user_prompt_created"]["properties"]["prompt_text"] == "canary prompt"
    tool = found[3]["properties"]
    assert tool["tool_input"] == "canary input"
    assert tool["tool_output"] == "canary output"
    assert tool["error_message"] == "canary: command not found in /home/canary"


def test_error_messages_are_cut():
    run = example_run()
    step = run.sessions[0].steps[1]
    step.failure = step.failure._replace(error_message="é" * 1000)
    assert payloads(run, with_text=True)[1][3]["properties"]["error_message"] == "é" * 300


@pytest.mark.parametrize(
    ("message", "readable"),
    [
        ("Error code: 429 - too many requests, Acme", "Error code: 429 - too many requests, xxxx"),
        ("tool get_secret_7 not found", "tool xxx_xxxxxx_0 not found"),
        ("/srv/a.txt: No such file or directory", "/xxx/x.xxx: No such file xx xxxxxxxxx"),
        ("exit code 137 on 10.0.0.12", "exit code 100 xx 00.0.0.00"),
        # the small form of this letter is two characters long
        ("İstanbul timed out", "ẋxxxxxxx timed out"),
        ("", ""),
    ],
)  # fmt: skip
def test_masked_messages_keep_what_failure_rules_look_for(message, readable):
    assert masked(message) == readable


def test_failure_rules_find_the_same_in_masked_messages():
    patterns = [
        re.compile(rule["pattern"])
        for rule in tables.read(PROJECT_DIR / "seeds/taxonomy/failure_mode_rules.csv")
        if (rule["match_field"], rule["match_type"]) == ("error_message", "regex")
    ]
    cases = tables.read(PROJECT_DIR / "tests/python/failure_messages.csv")
    messages = {case["error_message"][:300].lower() for case in cases}
    assert len(messages) > 100 and len(patterns) > 30
    for message in messages:
        found = [pattern.pattern for pattern in patterns if pattern.search(message)]
        hidden = masked(message)
        assert [pattern.pattern for pattern in patterns if pattern.search(hidden)] == found, message


class FakeReader:
    """Reads lines `{"fake": <run>, "part": <number>}`: runs of one session, a step per part."""

    name = "fake"
    with_text = False
    error_text = True

    def recognises(self, path, head):
        return b'"fake"' in head

    def read(self, path, chunks, counts):
        for line in chunks:
            try:
                content = json.loads(line)
                yield Record((content["fake"],), content)
                counts.read += 1
            except (ValueError, KeyError):
                counts.skipped["no line of a fake"] += 1

    def assemble(self, records, counts):
        run = records[0]["fake"]
        steps = [
            Step(f"step {record['part']}", "tool_call", NOON + record["part"], "success")
            for record in records
        ]
        session = Session("main", "agent", NOON, NOON + 9, "success", steps=steps)
        yield Run("conversation", run, NOON, NOON + 9, [session], "success", prompted_at=NOON)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder with files of a format that only this test knows, and others."""
    monkeypatch.setattr(import_traces, "READERS", {"fake": FakeReader()})
    lines = [json.dumps({"fake": run, "part": part}) for run in "ab" for part in (1, 2, 3)]
    folder = tmp_path / "traces"
    (folder / "deep").mkdir(parents=True)
    (folder / "one.jsonl").write_text("\n".join(lines[:4]) + "\n")
    (folder / "deep" / "two.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[4:]).encode()))
    (folder / "deep" / "other.json").write_text("{}")
    (folder / "notes.md").write_text('"fake" but no trace')
    return folder


def run_main(capfdbinary, *arguments):
    """Return exit code, standard output as lines and standard error of an import."""
    capfdbinary.readouterr()
    try:
        code = import_traces.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        code = stopped.code
    out, err = capfdbinary.readouterr()
    return code, out.splitlines(), err.decode()


def test_an_import_says_what_it_took_for_what_and_what_became_of_it(folder, capfdbinary):
    (folder / "one.jsonl").open("a").write("no json\n")
    code, lines, said = run_main(capfdbinary, folder)
    assert code == 0
    assert said.splitlines() == [
        "2 files as fake",
        "1 file not read: .json, of no known format",
        "1 file not read: .md, of no known format",
        "fake: 2 files, 6 read, 2 runs, 2 sessions, 6 steps",
        "  skipped 1: no line of a fake",
    ]
    # prompt, session, three steps, two completions for each of two runs
    assert len(lines) == 14
    times = [(json.loads(line)["timestamp"], json.loads(line)["messageId"]) for line in lines]
    assert times == sorted(times)


def test_a_file_that_is_named_is_read_whatever_it_is_called(folder, capfdbinary):
    named = (folder / "one.jsonl").rename(folder / "trace.log")
    assert run_main(capfdbinary, named)[0] == 0
    assert run_main(capfdbinary, "--from", "fake", named)[0] == 0
    code, lines, said = run_main(capfdbinary, "--from", "fake", folder / "notes.md")
    assert (code, lines) == (1, [])
    assert said.splitlines()[-1] == "error: no run was found, so nothing was written"


def test_output_appears_when_it_is_complete(folder, tmp_path, capfdbinary, monkeypatch):
    _, lines, _ = run_main(capfdbinary, folder)
    out = tmp_path / "new" / "events.ndjson.gz"
    for _ in range(2):
        assert run_main(capfdbinary, folder, "--out", out)[:2] == (0, [])
        content = out.read_bytes()
        assert gzip.decompress(content).splitlines() == lines
    # what fails leaves what was there, and no draft
    monkeypatch.setattr(EventStore, "line", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        import_traces.main([str(folder), "--out", str(out)])
    assert out.read_bytes() == content
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_standard_input_is_read_like_a_file(folder, capfdbinary, monkeypatch):
    lines = (folder / "one.jsonl").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert run_main(capfdbinary, "-")[:2] == run_main(capfdbinary, folder / "one.jsonl")[:2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: no FILE or DIR given"),
        (["missing.jsonl"], "error: missing.jsonl: no such file or directory"),
        (["{folder}/broken.gz"], "broken.gz is not gzip"),
        (["--from", "other", "{folder}"], "invalid choice: 'other'"),
        (["{folder}", "--out", "{folder}"], "cannot be written: Is a directory"),
    ],
)
def test_wrong_usage_is_one_clear_line(folder, capfdbinary, arguments, message):
    (folder / "broken.gz").write_text("no gzip")
    given = [argument.format(folder=folder) for argument in arguments]
    code, lines, said = run_main(capfdbinary, *given)
    assert (code, lines) == (2, [])
    assert message in said.splitlines()[-1]


def test_a_packed_file_that_breaks_off_is_read_up_to_there(folder, capfdbinary):
    packed = folder / "deep" / "two.jsonl.gz"
    content = "\n".join(json.dumps({"fake": "c", "part": part}) for part in range(50_000))
    packed.write_bytes(gzip.compress(content.encode())[:-20_000])
    code, lines, said = run_main(capfdbinary, "--from", "fake", packed)
    assert code == 0
    assert 10_000 < len(lines) < 50_000
    assert f"warning: {packed} is cut off in the middle of its gzip data" in said
    assert "skipped 1: rest of a file that cannot be read" in said


def test_what_a_reader_does_not_expect_is_counted_and_stops_nothing(folder, capfdbinary):
    (folder / "bad.jsonl").write_text('{"fake": "bad", "part": "x"}\n{"fake": [], "part": 1}\n')
    code, lines, said = run_main(capfdbinary, folder)
    assert code == 0
    assert len(lines) == 14
    assert "skipped 1: records not understood (TypeError in test_import_traces.py:" in said
    assert "skipped 1: rest of a file not understood (TypeError in store.py:" in said


def test_traces_replace_the_sample_of_make_build(folder, tmp_path, monkeypatch, capfdbinary):
    path = tmp_path / "warehouse.duckdb"
    monkeypatch.setenv("AGENT_ANALYTICS_DUCKDB_PATH", str(path))
    monkeypatch.setattr(prepare_events, "SAMPLE_ARGUMENTS", ["--runs", "5", "--seed", "1"])
    assert prepare_events.main([]) == 0
    count = (
        "select count(*), count(distinct interaction_id) from rudderstack.ai_agent_step_completed"
    )
    # what has no run leaves the sample where it is
    with pytest.raises(SystemExit) as stopped:
        prepare_events.main(["--traces", str(folder / "deep" / "other.json")])
    assert stopped.value.code == 1
    with connect(path) as connection:
        assert connection.execute(count).fetchone()[1] > 2
    for _ in range(2):
        assert prepare_events.main(["--traces", str(folder), "--from", "fake"]) == 0
        with connect(path) as connection:
            assert connection.execute(count).fetchone() == (6, 2)
    # a file that has grown adds its step
    (folder / "one.jsonl").open("a").write('{"fake": "a", "part": 4}\n')
    assert prepare_events.main(["--traces", str(folder)]) == 0
    with connect(path) as connection:
        assert connection.execute(count).fetchone() == (7, 2)
