"""The rules by which spans and observations become runs, each on small traces made here."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
from collections import defaultdict
from pathlib import Path

import msgspec
import pyarrow
import pytest
from pyarrow import parquet

from scripts.importer import langfuse, otel
from scripts.importer.json_lines import CUT_OFF, NOT_JSON, documents
from scripts.importer.model import Counts, Run, Tokens

SECOND = 1_000_000_000
DAY = 1_700_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"
OPERATION = "gen_ai.operation.name"
AGENT = {OPERATION: "invoke_agent"}
CHAT = {OPERATION: "chat"}
TOOL = {OPERATION: "execute_tool"}


def otlp_value(value):
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [otlp_value(item) for item in value]}}
    return {"stringValue": value}


def otlp_attributes(attributes):
    return [{"key": key, "value": otlp_value(value)} for key, value in attributes.items()]


def span(span_id, attributes=None, parent=None, *, at=0, lasts=1, name="a span", **more):
    """Return an OTLP span; `at` and `lasts` are seconds."""
    return {
        "traceId": TRACE,
        "spanId": span_id,
        "parentSpanId": parent or "",
        "name": name,
        "startTimeUnixNano": str((DAY + at) * SECOND),
        "endTimeUnixNano": str((DAY + at + lasts) * SECOND),
        "attributes": otlp_attributes(attributes or {}),
        **more,
    }


def otlp(*spans, service="shop", scope="", resource=None):
    of_resource = otlp_attributes({"service.name": service, **(resource or {})})
    scope_spans = [{"scope": {"name": scope}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": {"attributes": of_resource}, "scopeSpans": scope_spans}]}


def usage(input_tokens, output_tokens, **more):
    return {
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        **{f"gen_ai.usage.{name}": value for name, value in more.items()},
    }


def read(reader, *files, path="file.json", change=list) -> tuple[list[Run], Counts]:
    """Return the runs of files, given as bytes or as values to write as JSON."""
    counts = Counts()
    records = []
    for content in files:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        records += reader.read(Path(path), io.BytesIO(text), counts)
    groups = defaultdict(list)
    for record in change(records):
        groups[record.keys].append(record.fields)
    return [run for key in sorted(groups) for run in reader.assemble(groups[key], counts)], counts


def run_of(*spans, **more) -> Run:
    (run,), _ = read(otel.READER, otlp(*spans, **more))
    return run


def steps_of(run: Run):
    return [step for session in run.sessions for step in session.steps]


def step_ids(run: Run) -> list[str]:
    return sorted(step.step_id for step in steps_of(run))


class TestModelCalls:
    def test_the_innermost_of_nested_calls_counts_with_the_nearest_usage(self):
        run = run_of(
            span("agent", AGENT, lasts=9),
            span("outer", CHAT | usage(99, 99), "agent", at=1, lasts=7),
            span("middle", CHAT | usage(20, 5, cost=0.5), "outer", at=2, lasts=5),
            span("http", {}, "middle", at=2, lasts=5),
            span("inner", CHAT | {"gen_ai.response.model": "small"}, "http", at=3, lasts=2),
        )
        (step,) = steps_of(run)
        assert (step.step_id, step.duration_ms, step.cost_usd) == ("inner", 2000, 0.5)
        assert (step.tokens.input, step.tokens.output) == (20, 5)

    def test_a_wrapper_with_several_calls_reports_once(self):
        run = run_of(
            span("agent", AGENT, lasts=9),
            span("wrapper", CHAT | usage(30, 3), "agent", lasts=8),
            span("first", CHAT, "wrapper", at=1),
            span("second", CHAT, "wrapper", at=3),
        )
        assert step_ids(run) == ["first", "second"]
        assert sum(step.tokens.input or 0 for step in steps_of(run)) == 30

    def test_what_a_wrapper_sums_up_is_dropped(self):
        run = run_of(
            span("agent", AGENT, lasts=9),
            span("wrapper", CHAT | usage(30, 3), "agent", lasts=8),
            span("first", CHAT | usage(10, 1), "wrapper", at=1),
            span("second", CHAT, "wrapper", at=3),
        )
        assert sum(step.tokens.input or 0 for step in steps_of(run)) == 10

    @pytest.mark.parametrize("between", [AGENT, TOOL | {"gen_ai.tool.name": "ask"}])
    def test_a_call_below_an_agent_or_tool_is_another_call(self, between):
        run = run_of(
            span("agent", AGENT, lasts=9),
            span("outer", CHAT | usage(5, 5), "agent", lasts=8),
            span("between", between, "outer", at=1, lasts=5),
            span("inner", CHAT | usage(7, 7), "between", at=2),
        )
        calls = [step.step_id for step in steps_of(run) if step.step_type == "llm_call"]
        assert sorted(calls) == ["inner", "outer"]

    def test_embeddings_nest_likewise(self):
        run = run_of(
            span("agent", AGENT, lasts=9),
            span("search", {OPERATION: "retrieval"}, "agent", lasts=5),
            span("outer", {OPERATION: "embeddings"}, "search", at=1, lasts=3),
            span("inner", {OPERATION: "embeddings"} | usage(4, 0), "outer", at=2),
        )
        types = [(step.step_id, step.step_type) for step in steps_of(run)]
        assert sorted(types) == [("inner", "embedding"), ("search", "retrieval")]

    def test_an_operation_that_only_a_name_tells(self):
        call = {"gen_ai.system": "gcp.vertex.agent"} | usage(3, 4)
        run = run_of(span("call", call, name="call_llm"))
        assert [step.step_type for step in steps_of(run)] == ["llm_call"]
        run = run_of(span("call", usage(3, 4), name="call_llm"), scope="gcp.vertex.agent")
        assert [step.step_type for step in steps_of(run)] == ["llm_call"]
        runs, counts = read(otel.READER, otlp(span("call", usage(3, 4), name="call_llm")))
        assert (runs, counts.skipped) == ([], {otel.ANOTHER_KIND: 1})


class TestSessions:
    def test_an_agent_above_agents_without_a_step_of_its_own_wraps(self):
        run = run_of(
            span("top", AGENT | {"gen_ai.agent.name": "workflow"}, lasts=9),
            span("step", {}, "top", lasts=9),
            span("agent", AGENT | {"gen_ai.agent.name": "helper"}, "step", at=1, lasts=7),
            span("call", CHAT, "agent", at=2),
        )
        assert [session.agent_session_id for session in run.sessions] == ["agent"]
        assert run.sessions[0].parent_agent_session_id is None
        assert (run.workflow_name, run.duration_ms) == ("workflow", 9000)

    def test_an_agent_with_a_step_of_its_own_is_a_session_and_parent(self):
        run = run_of(
            span("top", AGENT, lasts=9),
            span("ask", TOOL | {"gen_ai.tool.name": "ask"}, "top", lasts=8),
            span("middle", AGENT, "ask", at=1, lasts=7),
            span("agent", AGENT, "middle", at=1, lasts=6),
            span("call", CHAT, "agent", at=2),
        )
        parents = {one.agent_session_id: one.parent_agent_session_id for one in run.sessions}
        assert parents == {"top": None, "agent": "top"}

    def test_an_agent_that_did_nothing_is_a_session(self):
        (session,) = run_of(span("agent", AGENT, name="invoke_agent idle")).sessions
        assert (session.agent_name, session.steps, session.status) == ("idle", [], "success")

    def test_creating_an_agent_is_no_session(self):
        run = run_of(
            span("create", {OPERATION: "create_agent"}),
            span("agent", AGENT, at=5, lasts=2),
            span("call", CHAT, "agent", at=6),
        )
        assert [session.agent_session_id for session in run.sessions] == ["agent"]
        assert run.duration_ms == 2000
        assert read(otel.READER, otlp(span("create", {OPERATION: "create_agent"})))[0] == []

    def test_a_workflow_with_steps_and_no_agent_is_the_session(self):
        workflow = {"traceloop.span.kind": "workflow", "traceloop.workflow.name": "trip"}
        run = run_of(
            span("flow", workflow, lasts=4),
            span("task", {"traceloop.span.kind": "task"}, "flow"),
            span("call", {"llm.request.type": "chat"}, "task"),
        )
        (session,) = run.sessions
        assert (session.agent_session_id, session.agent_name) == ("flow", "trip")
        assert (run.status, run.workflow_name) == ("success", "trip")

    def test_steps_without_an_agent_go_to_the_only_session(self):
        run = run_of(span("agent", AGENT, lasts=9), span("call", CHAT, "not_in_the_file", at=1))
        (session,) = run.sessions
        assert [step.step_id for step in session.steps] == ["call"]

    def test_steps_without_an_agent_beside_several_get_a_session_of_the_service(self):
        run = run_of(
            span("one", AGENT, lasts=2),
            span("first", CHAT, "one"),
            span("two", AGENT, at=3, lasts=2),
            span("second", CHAT, "two", at=3),
            span("lost", TOOL | {"gen_ai.tool.name": "grep"}, "not_in_the_file", at=4),
        )
        names = {one.agent_name: one for one in run.sessions if one.agent_session_id == TRACE}
        assert names.keys() == {"shop"}
        assert (names["shop"].status, names["shop"].ended_at) == (None, None)
        assert [step.tool_name for step in names["shop"].steps] == ["grep"]

    def test_a_trace_without_an_agent_is_not_known_to_have_ended(self):
        run = run_of(span("call", CHAT | usage(1, 2)))
        assert (run.status, run.ended_at, run.duration_ms) == (None, None, None)
        assert [(one.agent_name, one.status) for one in run.sessions] == [("shop", None)]

    def test_sub_agents_beside_each_other_have_no_parent(self):
        run = run_of(
            span("root", {}, lasts=9),
            span("one", AGENT, "root", lasts=2),
            span("first", CHAT, "one"),
            span("two", AGENT, "root", at=3),
            span("second", CHAT, "two", at=3),
        )
        assert [one.parent_agent_session_id for one in run.sessions] == [None, None]

    def test_sums_of_agents_count_only_where_nothing_below_reports(self):
        total = usage(100, 50)
        run = run_of(
            span("top", AGENT | total, lasts=9),
            span("call", CHAT, "top"),
            span("agent", AGENT | usage(40, 20, cost=0.25), "top", at=2),
            span("tool", TOOL, "agent", at=2),
        )
        tokens = {one.agent_session_id: one.tokens.input for one in run.sessions}
        assert tokens == {"top": None, "agent": 40}
        assert [one.cost_usd for one in run.sessions if one.agent_session_id == "agent"] == [0.25]
        run = run_of(span("top", AGENT | total, lasts=9), span("call", CHAT | usage(1, 1), "top"))
        assert run.sessions[0].tokens == Tokens()

    def test_sums_of_nothing_tell_nothing(self):
        run = run_of(
            span("top", AGENT | usage(12, 3), lasts=9),
            span("tool", TOOL, "top"),
            span("agent", AGENT | usage(0, 0), "tool", status={"code": 2}),
        )
        tokens = {one.agent_session_id: one.tokens for one in run.sessions}
        assert tokens == {"top": Tokens(12, 3), "agent": Tokens()}

    def test_a_wrapper_that_alone_reports_usage_keeps_it(self):
        run = run_of(
            span("top", AGENT | usage(100, 50), lasts=9),
            span("agent", AGENT, "top", at=2),
            span("tool", TOOL, "agent", at=2),
        )
        tokens = {one.agent_session_id: one.tokens.input for one in run.sessions}
        assert tokens == {"top": 100, "agent": None}

    def test_handoffs_are_no_steps(self):
        run = run_of(
            span("agent", AGENT, lasts=9),
            span("one", {OPERATION: "agent_handoff"}, "agent", status={"code": 2}),
            span("two", {"openinference.span.kind": "TOOL"}, "agent", name="handoff to Bob"),
            span("three", TOOL | {"gen_ai.tool.name": "handoff_notes"}, "agent"),
            span("four", {"openinference.span.kind": "TOOL"}, "agent", name="handoff"),
        )
        assert step_ids(run) == ["three"]
        assert run.status == "success"

    def test_spans_of_claude_code(self):
        request = {"input_tokens": 3, "output_tokens": 7, "cache_read_tokens": 900}
        run = run_of(
            span("prompt", {"session.id": "s1"}, lasts=9, name="claude_code.interaction"),
            span(
                "call",
                request | {"model": "m", "attempt": 2},
                "prompt",
                name="claude_code.llm_request",
            ),
            span("tool", {"tool_name": "Bash"}, "prompt", lasts=4, name="claude_code.tool"),
            span("wait", {}, "tool", name="claude_code.tool.blocked_on_user"),
            span(
                "part",
                {"success": False, "error": "exit code 1"},
                "tool",
                name="claude_code.tool.execution",
            ),
        )
        call, tool = sorted(steps_of(run), key=lambda step: step.step_id)
        assert call.tokens == Tokens(input=3, output=7, cache_read=900)
        assert (call.attempt_number, run.conversation_id) == (2, "s1")
        assert (tool.step_id, tool.tool_name, tool.status) == ("tool", "Bash", "error")
        assert tool.failure.error_message == "exit code 1"

    def test_nested_spans_of_one_tool_are_one_call(self):
        search = TOOL | {"gen_ai.tool.name": "search"}
        run = run_of(
            span("agent", AGENT, lasts=9),
            span("outer", search, "agent", lasts=3),
            span("http", {}, "outer", lasts=3),
            span("inner", search, "http", lasts=2),
            span("other", TOOL | {"gen_ai.tool.name": "fetch"}, "inner"),
        )
        assert step_ids(run) == ["other", "outer"]


class TestFactsOfRuns:
    def test_the_conversation_of_the_outermost_agent_counts(self):
        run = run_of(
            span("call", CHAT | {"gen_ai.conversation.id": "of the call"}, "agent", at=0),
            span("top", AGENT | {"gen_ai.conversation.id": "of the run"}, at=1, lasts=8),
            span("tool", TOOL, "top", at=1),
            span("agent", AGENT | {"gen_ai.conversation.id": "of the helper"}, "tool", at=2),
        )
        assert run.conversation_id == "of the run"

    def test_without_one_on_agents_the_earliest_span_that_has_one_counts(self):
        run = run_of(
            span("agent", AGENT, lasts=8),
            span("first", CHAT | {"session.id": "early"}, "agent", at=1),
            span("second", CHAT | {"session.id": "late"}, "agent", at=2),
        )
        assert run.conversation_id == "early"
        http = span("http", {"session.id": "of the request"}, at=0, lasts=9)
        run = run_of(http, span("agent", AGENT, "http", at=1))
        assert run.conversation_id == "of the request"
        assert run_of(span("agent", AGENT)).conversation_id == TRACE

    def test_agent_names_of_the_resource_name_no_agent(self):
        resource = {"gen_ai.agent.name": "fleet", "deployment.environment.name": "prod"}
        run = run_of(span("agent", AGENT, name="invoke_agent bob"), resource=resource)
        assert (run.sessions[0].agent_name, run.environment) == ("bob", "prod")

    def test_an_evaluation_is_an_action(self):
        event = {
            "name": "gen_ai.evaluation.result",
            "timeUnixNano": str((DAY + 3) * SECOND),
            "attributes": otlp_attributes(
                {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.5}
            ),
        }
        (action,) = run_of(span("agent", AGENT, lasts=5, events=[event])).actions
        assert (action.feedback_type, action.feedback_value) == ("relevance", "0.5")
        assert action.at == (DAY + 3) * 1000


class TestFailures:
    @pytest.mark.parametrize(
        "status",
        [{"code": 2}, {"code": "STATUS_CODE_ERROR"}, {"status_code": "ERROR"}, "Error"],
    )
    def test_a_status_of_error(self, status):
        run = run_of(span("agent", AGENT, status=status))
        assert (run.status, run.sessions[0].status) == ("error", "error")

    def test_an_error_type_without_a_status(self):
        run = run_of(
            span("agent", AGENT, lasts=4), span("tool", TOOL | {"error.type": "Timeout"}, "agent")
        )
        assert run.status == "success"
        assert steps_of(run)[0].failure.error_type == "Timeout"

    def test_the_last_exception_explains_a_failure(self):
        def exception(kind, message):
            attributes = {"exception.type": kind, "exception.message": message}
            return {"name": "exception", "attributes": otlp_attributes(attributes)}

        events = [exception("First", "one"), exception("Last", "x" * 400)]
        failed = span("tool", TOOL, "agent", status={"code": 2}, events=events)
        (step,) = steps_of(run_of(span("agent", AGENT, lasts=4), failed))
        assert step.failure.error_type == "Last"
        assert step.failure.error_message == "x" * 300

    def test_only_an_outermost_agent_fails_the_run(self):
        inner = span("agent", AGENT, "tool", status={"code": 2})
        spans = [span("top", AGENT, lasts=4), span("tool", TOOL, "top"), inner]
        assert run_of(*spans).status == "success"
        spans[0]["status"] = {"code": 2, "message": "gave up"}
        run = run_of(*spans)
        assert (run.status, run.failure.error_message) == ("error", "gave up")

    def test_a_wrapper_that_says_all_is_well_does_not_hide_a_failed_run(self):
        spans = [
            span("workflow", AGENT, lasts=9, status={"code": 1}),
            span("agent", AGENT, "workflow", status={"code": 2}),
            span("call", CHAT, "agent"),
        ]
        assert run_of(*spans).status == "error"
        spans[0]["status"], spans[1]["status"] = spans[1]["status"], spans[0]["status"]
        assert run_of(*spans).status == "error"
        spans[0]["status"] = {}
        assert run_of(*spans).status == "success"

    def test_a_failed_request_below_a_call_does_not_fail_the_call(self):
        http = span("http", {"http.response.status_code": 404}, "call", status={"code": 2})
        run = run_of(span("agent", AGENT, lasts=4), span("call", CHAT, "agent"), http)
        assert [step.status for step in steps_of(run)] == ["success"]

    def test_texts_of_errors_can_be_left_out(self):
        reader = otel.OtelReader()
        reader.error_text = False
        failed = span("agent", AGENT, status={"code": 2, "message": "secret"})
        (run,), _ = read(reader, otlp(failed))
        assert (run.status, run.failure.error_message) == ("error", None)


class TestTexts:
    def test_no_text_is_kept_by_default(self):
        canary = "canary-7c1f"
        spans = [
            span("agent", AGENT | {"gen_ai.input.messages": canary, "input.value": canary}),
            span("tool", TOOL | {"gen_ai.tool.call.arguments": canary}, "agent"),
            span("out", TOOL | {"gen_ai.tool.call.result": canary, "output.value": canary}),
        ]
        counts = Counts()
        text = json.dumps(otlp(*spans)).encode()
        records = list(otel.READER.read(Path("x"), io.BytesIO(text), counts))
        assert len(records) == 3
        assert canary not in json.dumps([record.fields for record in records])

    def test_with_text_prompts_and_tools_are_kept(self):
        reader = otel.OtelReader()
        reader.with_text = True
        (run,), _ = read(
            reader,
            otlp(
                span("agent", AGENT | {"gen_ai.input.messages": "hello"}),
                span(
                    "tool",
                    TOOL | {"gen_ai.tool.call.arguments": "in", "gen_ai.tool.call.result": "out"},
                    "agent",
                ),
            ),
        )
        (step,) = steps_of(run)
        assert (run.prompt_text, step.tool_input, step.tool_output) == ("hello", "in", "out")


TOKEN_CASES = [
    # input, output, cache read, cache write, reasoning, total -> input, output
    ((100, 20, 60, None, None, None), (40, 20)),  # inside by convention
    ((100, 20, 60, 10, 5, 120), (30, 20)),  # the total says inside
    ((4, 767, 29447, 2861, None, 771), (4, 767)),  # more cached than input: beside
    ((10, 20, 60, 5, None, 95), (10, 20)),  # the total says beside
    ((100, 20, None, None, 30, 150), (100, 50)),  # reasoning beside
    ((100, 20, None, None, 30, None), (100, 50)),  # more reasoning than output: beside
    ((100, 20, 60, None, 5, 125), (40, 25)),  # only the reasoning beside
    ((5, 845, None, None, None, 2023), (5, 845)),  # the sender hides what is missing
    ((100, 20, 0, None, 0, 120), (100, 20)),
]
TOKEN_FACTS = ("input", "output", "cache_read", "cache_write", "reasoning", "total")
OTEL_TOKENS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.total_tokens",
)


@pytest.mark.parametrize(("sent", "disjoint"), TOKEN_CASES)
def test_token_counts_of_spans_are_disjoint(sent, disjoint):
    known = {
        name: value for name, value in zip(OTEL_TOKENS, sent, strict=True) if value is not None
    }
    (step,) = steps_of(run_of(span("call", CHAT | known)))
    assert (step.tokens.input, step.tokens.output) == disjoint
    assert (step.tokens.cache_read, step.tokens.cache_write) == sent[2:4]


@pytest.mark.parametrize(
    ("attributes", "cost"),
    [
        ({"llm.cost.total": 0.25}, 0.25),
        ({"gen_ai.usage.input_cost": 0.25, "gen_ai.usage.output_cost": 0.5}, 0.75),
        ({"operation.cost": 0}, None),
        ({"operation.cost": 0.0, "gen_ai.usage.cost": 0.5}, None),
        ({"operation.cost": "0.125"}, 0.125),
        ({"operation.cost": -1.5}, None),
        ({"operation.cost": "a lot"}, None),
    ],
)
def test_costs_of_spans(attributes, cost):
    (step,) = steps_of(run_of(span("call", CHAT | attributes)))
    assert step.cost_usd == cost


class TestFiles:
    SPANS = (
        span("agent", AGENT | {"gen_ai.agent.name": "bob"}, lasts=9),
        span("call", CHAT | usage(9, 3, **{"cache_read.input_tokens": 4}), "agent", at=1),
        span("tool", TOOL | {"gen_ai.tool.name": "grep"}, "agent", at=3, status={"code": 2}),
    )

    def expected(self):
        return [run_of(*self.SPANS)]

    def test_one_span_a_line_in_any_order_and_twice(self):
        lines = [json.dumps(otlp(one)).encode() + b"\n" for one in self.SPANS]
        for seed in range(5):
            shuffled = [*lines, *lines]
            random.Random(seed).shuffle(shuffled)
            assert read(otel.READER, b"".join(shuffled))[0] == self.expected()
            assert read(otel.READER, *shuffled)[0] == self.expected()

    def test_a_span_that_was_open_in_an_earlier_delivery(self):
        still_open = {**self.SPANS[0], "endTimeUnixNano": "0", "attributes": []}
        still_open["attributes"] = otlp_attributes(AGENT)
        for order in (1, -1):
            lines = [otlp(still_open), otlp(*self.SPANS)][::order]
            assert read(otel.READER, *lines)[0] == self.expected()

    def test_pretty_and_concatenated_documents(self):
        pretty = [json.dumps(otlp(one), indent=2).encode() for one in self.SPANS]
        assert read(otel.READER, b"".join(pretty))[0] == self.expected()
        assert read(otel.READER, b"\xef\xbb\xbf" + pretty[0], *pretty[1:])[0] == self.expected()
        assert read(otel.READER, b"\n".join(pretty))[0] == self.expected()
        compact = b"".join(json.dumps(otlp(one)).encode() for one in self.SPANS)
        assert read(otel.READER, compact)[0] == self.expected()

    def test_documents_behind_each_other_are_yielded_one_by_one(self):
        taken = []

        def lines():
            for line in b"".join(json.dumps({"n": n}, indent=1).encode() for n in range(4)).split(
                b"\n"
            ):
                taken.append(line)
                yield line + b"\n"

        found = documents(lines(), Counts())
        assert next(found) == {"n": 0}
        assert len(taken) == 3
        assert [one["n"] for one in found] == [1, 2, 3]

    def test_an_open_delivery_that_says_more_does_not_win(self):
        closed = span("agent", AGENT, lasts=9)
        more = {"gen_ai.agent.name": "bob", "gen_ai.conversation.id": "c", "user.id": "u"}
        still_open = {**span("agent", AGENT | more), "status": {"code": 2, "message": "open"}}
        del still_open["endTimeUnixNano"]
        for order in (1, -1):
            ((run,), _) = read(otel.READER, *[otlp(closed), otlp(still_open)][::order])
            assert (run.duration_ms, run.conversation_id, run.status) == (9000, "c", "success")

    def test_ids_in_base64_are_those_in_hex(self):
        ids = {"agent": "a1b2c3d4e5f60718", "call": "00000000000000ff"}
        as_hex = [
            span(ids["agent"], AGENT, "0" * 16, lasts=9),
            span(ids["call"], CHAT, ids["agent"].upper(), at=1),
        ]
        as_base64 = [dict(one) for one in as_hex]
        for one in as_base64:
            for field in ("traceId", "spanId", "parentSpanId"):
                one[field] = base64.b64encode(bytes.fromhex(one[field])).decode()
        run = run_of(*as_hex)
        assert run == run_of(*as_base64)
        assert run == run_of(*({**one, "spanId": f"0x{one['spanId']}"} for one in as_hex))
        assert (run.interaction_id, run.sessions[0].agent_session_id) == (TRACE, ids["agent"])
        assert len(run.sessions) == 1

    def test_a_cut_line_costs_that_line_only(self):
        first, second, third = (json.dumps(otlp(one)).encode() for one in self.SPANS)
        cut = first[:200] + b"\n" + second + b"\n" + third + b"\n" + first + b"\n" + second[:99]
        runs, counts = read(otel.READER, cut)
        assert runs == self.expected()
        assert counts.skipped[CUT_OFF] == 2

    def test_lines_that_are_no_traces_are_counted(self):
        content = b'not json\n{"resourceLogs": []}\n[1]\n{"a": 1}\n\n{"resourceSpans": [3]}\n'
        runs, counts = read(otel.READER, content)
        assert runs == []
        assert counts.skipped == {NOT_JSON: 1, otel.LOGS: 1, otel.NOT_A_SPAN: 3}

    def test_unknown_kinds_are_counted_by_name(self):
        spans = [span("one", {OPERATION: "juggle"}), span("two", {}), span("", CHAT)]
        _, counts = read(otel.READER, otlp(*spans))
        assert counts.skipped == {
            "span of unknown kind juggle": 1,
            otel.ANOTHER_KIND: 1,
            otel.SPAN_WITHOUT_ID: 1,
        }

    def test_shapes_of_other_tools(self):
        """Jaeger, the SDKs' own objects and spans of Phoenix hold the same spans."""
        plain = [
            {one["key"]: next(iter(one["value"].values())) for one in original["attributes"]}
            for original in self.SPANS
        ]
        resource = {"attributes": {"service.name": "shop"}}
        jaeger, python, javascript, phoenix = [], [], [], []
        for original, attributes in zip(self.SPANS, plain, strict=True):
            failed = original.get("status") == {"code": 2}
            start, end = (int(original[f"{w}TimeUnixNano"]) for w in ("start", "end"))
            name, span_id, parent = original["name"], original["spanId"], original["parentSpanId"]
            jaeger.append(
                {
                    "traceID": TRACE,
                    "spanID": span_id,
                    "operationName": name,
                    "references": [{"refType": "CHILD_OF", "spanID": parent}] if parent else [],
                    "startTime": start // 1000,
                    "duration": (end - start) // 1000,
                    "tags": [{"key": k, "value": v} for k, v in attributes.items()]
                    + ([{"key": "error", "type": "bool", "value": True}] if failed else []),
                    "processID": "p1",
                }
            )
            iso = [f"2023-11-14T22:13:{20 + one // SECOND - DAY}.000000Z" for one in (start, end)]
            python.append(
                {
                    "name": name,
                    "context": {"trace_id": f"0x{TRACE}", "span_id": span_id},
                    "parent_id": parent or None,
                    "start_time": iso[0],
                    "end_time": iso[1],
                    "status": {"status_code": "ERROR" if failed else "UNSET"},
                    "attributes": attributes,
                    "resource": resource,
                }
            )
            javascript.append(
                {
                    "traceId": TRACE,
                    "spanId": span_id,
                    "parentSpanContext": {"traceId": TRACE, "spanId": parent} if parent else None,
                    "name": name,
                    "startTime": [start // SECOND, 0],
                    "endTime": [end // SECOND, 0],
                    "status": {"code": 2 if failed else 0},
                    "attributes": attributes,
                    "resource": resource,
                }
            )
            phoenix.append(
                {
                    "name": name,
                    "context.trace_id": TRACE,
                    "context.span_id": span_id,
                    "parent_id": parent or None,
                    "start_time": iso[0].replace("Z", "+00:00"),
                    "end_time": iso[1].replace("Z", "+00:00"),
                    "status_code": "ERROR" if failed else "OK",
                    "span_kind": "UNKNOWN",
                    **{f"attributes.{key}": value for key, value in attributes.items()},
                    "resource": resource,
                }
            )
        processes = {"p1": {"serviceName": "shop", "tags": []}}
        trace = {"traceID": TRACE, "spans": jaeger, "processes": processes}
        for content in (
            otlp(*self.SPANS)["resourceSpans"],
            {"batches": otlp(*self.SPANS)["resourceSpans"]},
            {"trace": otlp(*self.SPANS)},
            {"data": [trace]},
            "\n".join(json.dumps(one, indent=4) for one in python).encode(),
            python,
            javascript,
            phoenix,
            {"data": phoenix, "next_cursor": None},
            ("[\n" + ",\n".join(json.dumps(one) for one in phoenix) + "\n]\n").encode(),
        ):
            assert read(otel.READER, content)[0] == self.expected()


# Two agents and a tool, each below the one before it and the first below the last.
CUT_CIRCLES = {
    ("a", "b", "c"): {"a": None, "c": "a", "e": None},
    ("c", "a", "b"): {TRACE: None, "b": None, "c": "b", "e": None},
    ("b", "c", "a"): {"a": None, "b": "a", "e": None},
}


@pytest.mark.parametrize("ids", CUT_CIRCLES)
def test_a_circle_of_parents_is_cut_at_one_place(ids):
    one, two, three = ids
    spans = [
        span(one, AGENT, three, lasts=9),
        span(two, TOOL, one),
        span(three, AGENT, two),
        span("d", CHAT | usage(1, 1), three),
        span("e", AGENT, "e"),
    ]
    runs = [read(otel.READER, otlp(*random.Random(seed).sample(spans, 5)))[0] for seed in range(6)]
    assert all(run == runs[0] for run in runs)
    (run,) = runs[0]
    assert step_ids(run) == sorted([two, "d"])
    # The smallest id is the top: what lies below it in the circle hangs below it.
    above = {one.agent_session_id: one.parent_agent_session_id for one in run.sessions}
    assert above == CUT_CIRCLES[ids]


# ---------------------------------------------------------------------------------- Langfuse


def observation(row_id, type_, parent=None, *, at=0, lasts=1, **more):
    def moment(second):
        return f"2025-01-01T00:00:{second:02d}.250Z"

    return {
        "id": row_id,
        "traceId": "t1",
        "type": type_,
        "parentObservationId": parent,
        "name": row_id,
        "startTime": moment(at),
        "endTime": None if lasts is None else moment(at + lasts),
        "level": "DEFAULT",
        "statusMessage": None,
        "model": None,
        "usageDetails": {},
        "costDetails": {},
        "environment": "prod",
        "metadata": {},
        **more,
    }


TRACE_ROW = {
    "id": "t1",
    "timestamp": "2025-01-01T00:00:00.100Z",
    "name": "checkout",
    "sessionId": "s1",
    "userId": "u1",
    "environment": "prod",
}
ROWS = (
    observation("root", "SPAN", lasts=9),
    observation("bob", "AGENT", "root", lasts=8, usageDetails={"input": 9, "output": 9}),
    observation(
        "call",
        "GENERATION",
        "bob",
        at=1,
        model="projects/p/locations/l/publishers/google/models/gemini-2.5-flash",
        usageDetails={"input": 10, "output": 5, "input_cached_tokens": 4, "total": 19},
        costDetails={"input": 0.25, "output": 0.5, "total": 0.75},
    ),
    observation("grep", "TOOL", "bob", at=3, level="ERROR", statusMessage="no such file"),
)


def langfuse_run(*documents, **more) -> Run:
    (run,), _ = read(langfuse.READER, *documents, **more)
    return run


def snake_case(row):
    names = {"traceId": "trace_id", "sessionId": "session_id", "userId": "user_id"}
    names |= {"parentObservationId": "parent_observation_id", "statusMessage": "status_message"}
    names |= {"startTime": "start_time", "endTime": "end_time", "model": "provided_model_name"}
    names |= {"usageDetails": "usage_details", "costDetails": "cost_details"}

    def value(one):
        is_time = isinstance(one, str) and one.startswith("2025-")
        return one.replace("T", " ").replace("Z", "000") if is_time else one

    return {names.get(key, key): value(one) for key, one in row.items()}


def csv_file(rows) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                key: ""
                if value is None
                else json.dumps(value)
                if isinstance(value, dict)
                else value
                for key, value in row.items()
            }
        )
    return text.getvalue().encode()


def jsonl(rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


ENRICHED = [
    {**snake_case(row), "trace_name": "checkout", "session_id": "s1", "user_id": "u1"}
    for row in ROWS
]
DELIVERIES = {
    "download": [{"trace": {**TRACE_ROW, "observations": []}, "observations": list(ROWS)}],
    "download of today": [
        {
            "observations": [
                {**row, "sessionId": "s1", "userId": "u1", "traceName": "checkout"} for row in ROWS
            ],
            "scores": [],
        }
    ],
    "API lists": [
        {"data": list(ROWS), "meta": {"page": 1}},
        {"data": [{**TRACE_ROW, "observations": ["root", "bob"], "scores": []}], "meta": {}},
    ],
    "API trace": [{**TRACE_ROW, "observations": list(ROWS), "scores": []}],
    "batch export as JSON": [
        [{**row, "traceName": "checkout", "sessionId": "s1", "userId": "u1"} for row in ROWS]
    ],
    "batch export as CSV": [
        csv_file(
            [{**row, "traceName": "checkout", "sessionId": "s1", "userId": "u1"} for row in ROWS]
        )
    ],
    "deprecated blob files": [jsonl([snake_case(TRACE_ROW)]), jsonl(map(snake_case, ROWS))],
    "deprecated blob files as CSV": [
        csv_file([snake_case(TRACE_ROW)]),
        csv_file([snake_case(row) for row in ROWS]),
    ],
    "enriched observations": [jsonl(ENRICHED)],
    "enriched observations as CSV": [csv_file(ENRICHED)],
    "enriched observations as an array": [ENRICHED],
    "both": [jsonl(ENRICHED), jsonl(map(snake_case, ROWS)), jsonl([snake_case(TRACE_ROW)])],
}


@pytest.mark.parametrize("said", ["", None])
def test_a_value_of_two_kinds_says_nothing(said):
    """Some writers name each kind of a value; what else the span says is read."""
    call = span("b1", {"gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-4o"})
    odd = {"stringValue": said, "intValue": "5"}
    call["attributes"].append({"key": "gen_ai.usage.input_tokens", "value": odd})
    (step,) = run_of(call).sessions[0].steps
    assert (step.model_name, step.tokens) == ("gpt-4o", Tokens())


class TestLangfuse:
    @pytest.mark.parametrize("name", DELIVERIES)
    def test_all_shapes_give_the_same_run(self, name):
        run = langfuse_run(*DELIVERIES[name])
        assert run == langfuse_run(*DELIVERIES["download"])
        assert (run.conversation_id, run.user_id) == ("s1", "u1")
        assert (run.workflow_name, run.environment) == ("checkout", "prod")
        assert langfuse_run(*DELIVERIES[name][::-1], *DELIVERIES[name]) == run

    def test_what_a_run_holds(self):
        run = langfuse_run(*DELIVERIES["download"])
        (session,) = run.sessions
        tool, call = sorted(session.steps, key=lambda step: step.step_type)[::-1]
        assert (run.status, run.duration_ms, session.tokens) == ("success", 9000, Tokens())
        assert call.tokens == Tokens(input=10, output=5, cache_read=4)
        assert (call.model_name, call.cost_usd) == ("gemini-2.5-flash", 0.75)
        assert (tool.tool_name, tool.status) == ("grep", "error")
        assert tool.failure.error_message == "no such file"

    def test_parquet(self, tmp_path):
        rows = [
            {
                key: list(value.items()) if isinstance(value, dict) else value
                for key, value in row.items()
            }
            for row in ENRICHED
        ]
        text, number = pyarrow.string(), pyarrow.float64()
        columns = [(key, text) for key in ENRICHED[0] if "_details" not in key]
        columns = [(key, kind) for key, kind in columns if key != "metadata"]
        columns += [("metadata", pyarrow.map_(text, text))]
        columns += [(f"{key}_details", pyarrow.map_(text, number)) for key in ("usage", "cost")]
        path = tmp_path / "2025-01-01.parquet"
        parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(columns)), path)
        run = langfuse_run(path.read_bytes(), path=path)
        assert run == langfuse_run(*DELIVERIES["download"])
        broken = tmp_path / "broken.parquet"
        broken.write_bytes(path.read_bytes()[:300])
        runs, counts = read(langfuse.READER, broken.read_bytes(), path=broken)
        assert (runs, counts.skipped) == ([], {langfuse.UNREADABLE_PARQUET: 1})

    def test_without_field_groups(self):
        core = ("id", "trace_id", "type", "parent_observation_id", "start_time", "end_time")
        rows = [{key: row[key] for key in core} for row in ENRICHED]
        run = langfuse_run(jsonl(rows))
        assert (run.conversation_id, run.status, run.duration_ms) == ("t1", "success", 9000)
        assert sorted(step.step_type for step in steps_of(run)) == ["llm_call", "tool_call"]
        assert all(step.tokens == Tokens() and step.cost_usd is None for step in steps_of(run))
        # What another delivery of the same rows knows is kept.
        assert langfuse_run(jsonl(rows), jsonl(ENRICHED)) == langfuse_run(jsonl(ENRICHED))

    def test_kinds_of_spans_that_attributes_tell(self):
        def told(row_id, parent=None, **attributes):
            named = {key.replace("__", "."): value for key, value in attributes.items()}
            return observation(row_id, "SPAN", parent, metadata={"attributes": named})

        rows = [
            told("one", openinference__span__kind="AGENT"),
            told("two", "one", gen_ai__tool__name="grep"),
            told("three", "one", gen_ai__operation__name="execute_tool"),
            told("four", "one", openinference__span__kind="CHAIN"),
            told("five", "four", agent_name="helper"),
            told("six", "five", gen_ai__request__model="small", gen_ai__operation__name="chat"),
            told("seven", "four", gen_ai__agent__name="other"),
        ]
        # Metadata and attributes may be text that holds JSON.
        rows[1]["metadata"] = json.dumps(rows[1]["metadata"])
        rows[2]["metadata"] = {"attributes": json.dumps(rows[2]["metadata"]["attributes"])}
        run = langfuse_run({"observations": rows})
        names = {one.agent_name: [step.step_id for step in one.steps] for one in run.sessions}
        assert names == {"one": ["three", "two"], "helper": ["six"], "other": []}
        tools = {step.step_id: step.tool_name for step in steps_of(run)}
        assert tools == {"two": "grep", "three": "three", "six": None}

    def test_creating_an_agent_is_no_session(self):
        created = {"attributes": {OPERATION: "create_agent"}}
        rows = [*ROWS, observation("create", "AGENT", metadata=created)]
        run = langfuse_run({"trace": TRACE_ROW, "observations": rows})
        assert [one.agent_session_id for one in run.sessions] == ["bob"]

    def test_without_an_agent_there_is_one_session_named_after_the_trace(self):
        rows = [observation("root", "SPAN", lasts=5), observation("call", "GENERATION", "root")]
        run = langfuse_run({"trace": TRACE_ROW, "observations": rows})
        (session,) = run.sessions
        assert (session.agent_name, session.status, session.duration_ms) == (
            "checkout",
            "success",
            5000,
        )

    def test_an_open_root_is_not_completed(self):
        rows = [observation("root", "SPAN", lasts=None), observation("call", "GENERATION", "root")]
        run = langfuse_run({"trace": TRACE_ROW, "observations": rows})
        assert (run.status, run.ended_at, run.sessions[0].ended_at) == (None, None, None)
        rows[0]["endTime"] = "2025-01-01T00:00:09.250Z"
        assert langfuse_run({"trace": TRACE_ROW, "observations": rows}).status == "success"
        rows[0]["level"] = "ERROR"
        assert langfuse_run({"trace": TRACE_ROW, "observations": rows}).status == "error"
        rows[0]["level"] = "WARNING"
        assert langfuse_run({"trace": TRACE_ROW, "observations": rows}).status == "success"

    def test_an_open_call_is_in_progress_unless_it_reports_usage(self):
        rows = [
            observation("root", "SPAN", lasts=5),
            observation("open", "GENERATION", "root", lasts=None),
            observation("spent", "GENERATION", "root", lasts=None, usageDetails={"input": 5}),
        ]
        run = langfuse_run({"trace": TRACE_ROW, "observations": rows})
        statuses = {step.step_id: (step.status, step.duration_ms) for step in steps_of(run)}
        assert statuses == {"open": ("in_progress", None), "spent": ("success", None)}

    def test_an_event_is_no_step_and_needs_no_end(self):
        rows = [observation("call", "GENERATION"), observation("note", "EVENT", lasts=None)]
        run = langfuse_run({"trace": TRACE_ROW, "observations": rows})
        assert (step_ids(run), run.status) == (["call"], "success")

    def test_a_trace_without_an_id_is_counted(self):
        without_id = {key: value for key, value in TRACE_ROW.items() if key != "id"}
        listed = {"data": [TRACE_ROW, {**without_id, "observations": ["call"]}]}
        _, counts = read(langfuse.READER, listed)
        assert (counts.read, counts.skipped.total()) == (1, 1)

    def test_scores_of_users_are_actions(self):
        def score(row_id, source, **more):
            base = {"id": row_id, "traceId": "t1", "name": "thumbs", "source": source}
            at = "2025-01-01T00:01:00.000Z"
            return {**base, "timestamp": at, "dataType": "NUMERIC", "value": 1, **more}

        scores = [
            score("one", "API"),
            score("two", "ANNOTATION", dataType="CATEGORICAL", stringValue="good"),
            score("three", "EVAL"),
            score("four", "API", dataType="TEXT", stringValue="what a user wrote"),
            score("five", "API", traceId=None, sessionId="s1"),
        ]
        expected = [("four", None), ("one", "1"), ("two", "good")]
        nested = {"trace": {**TRACE_ROW, "scores": scores[:4]}, "observations": list(ROWS)}
        blob = jsonl([{**snake_case(one), "data_type": one["dataType"]} for one in scores])
        blob = blob.replace(b"stringValue", b"string_value")
        for files in ([nested], [jsonl(ENRICHED), blob], [nested, {"data": scores}]):
            run = langfuse_run(*files)
            assert [(one.action_id, one.feedback_value) for one in run.actions] == expected
            assert {one.action_type for one in run.actions} == {"feedback_given"}
        _, counts = read(langfuse.READER, jsonl(ENRICHED), blob)
        assert counts.skipped[langfuse.JUDGEMENT] == 1
        assert counts.skipped[langfuse.NOT_OF_A_TRACE] == 1

    @pytest.mark.parametrize(
        ("details", "tokens"),
        [
            (
                {
                    "input": 179,
                    "output": 35,
                    "total": 278,
                    "output_reasoning": 64,
                    "input_audio": 0,
                },
                Tokens(input=179, output=99, reasoning=64),
            ),
            (
                {"input": 6, "output": 2055, "total": 2061, "completion_details.reasoning": 1104},
                Tokens(input=6, output=2055, reasoning=1104),
            ),
            (
                {"input": 100, "prompt_details.cache_read": 60, "output": 5, "total": 105},
                Tokens(input=40, output=5, cache_read=60),
            ),
            (
                {"input": 10, "input_audio": 7, "output": 5, "output_audio": 2, "total": 24},
                Tokens(input=17, output=7),
            ),
            (
                {
                    "input": 10,
                    "output": 5,
                    "input_cache_creation_5m": 3,
                    "input_cache_creation_1h": 4,
                },
                Tokens(input=10, output=5, cache_write=7, cache_write_1h=4),
            ),
            ({"input": 5, "output": 845, "total": 2023}, Tokens(input=5, output=845)),
            ({"input": 0, "output": 0, "total": 0}, Tokens()),
            ({}, Tokens()),
        ],
    )
    def test_usage_details(self, details, tokens):
        row = observation("call", "GENERATION", usageDetails=details)
        (step,) = steps_of(langfuse_run({"observations": [row]}))
        assert step.tokens == tokens

    @pytest.mark.parametrize(
        ("unit", "tokens"),
        [("TOKENS", Tokens(input=3, output=2)), ("CHARACTERS", Tokens()), (None, Tokens(3, 2))],
    )
    def test_usage_of_older_rows(self, unit, tokens):
        usage = {"input": 3, "output": 2, "total": 5, "unit": unit, "inputCost": 1.0}
        row = observation("call", "GENERATION", usage=usage)
        del row["usageDetails"]
        (step,) = steps_of(langfuse_run({"observations": [row]}))
        assert step.tokens == tokens

    @pytest.mark.parametrize(
        ("fields", "cost"),
        [
            ({"costDetails": {"input": 0.25, "output": 0.5}}, 0.75),
            ({"costDetails": {}, "totalCost": 0}, None),
            ({"costDetails": {}, "totalCost": 0.00011}, 0.00011),
            ({"costDetails": {"total": 0}}, None),
            ({"costDetails": None, "calculatedTotalCost": 0.5}, 0.5),
        ],
    )
    def test_costs(self, fields, cost):
        row = observation("call", "GENERATION", **fields)
        (step,) = steps_of(langfuse_run({"observations": [row]}))
        assert step.cost_usd == cost

    def test_a_row_that_is_cut_off_is_counted(self):
        content = csv_file(ENRICHED)
        _, counts = read(langfuse.READER, content[: content.rfind(b"no such")])
        assert counts.skipped[CUT_OFF] == 1

    def test_no_text_is_kept_by_default(self):
        canary = "canary-7c1f"
        rows = [{**row, "input": canary, "output": canary} for row in ROWS]
        rows[0]["metadata"] = {"attributes": {"input.value": canary}, "note": canary}
        document = {"trace": {**TRACE_ROW, "input": canary}, "observations": rows}
        text = json.dumps(document).encode()
        records = list(langfuse.READER.read(Path("x"), io.BytesIO(text), Counts()))
        assert len(records) == 5
        assert canary not in json.dumps([record.fields for record in records])
        reader = langfuse.LangfuseReader()
        reader.with_text = True
        (run,), _ = read(reader, document)
        tools = [step for step in steps_of(run) if step.step_type == "tool_call"]
        assert (run.prompt_text, tools[0].tool_input, tools[0].tool_output) == (canary,) * 3


# ---------------------------------------------------------------------------------- mutations

ODD_VALUES = [None, "", "x", -1, 0, 1.5, 10**30, True, [], {}, [None], {"a": 1}, "\ud800", "\0"]
ODD_VALUES += ["1e999", float("nan"), float("inf"), [[[]]], {"stringValue": {}}, "9" * 5000]


def mutate(value, choose: random.Random, *, depth=0):
    """Change one place somewhere below a value: another type, gone, repeated, another name."""
    if isinstance(value, dict) and value and (depth == 0 or choose.random() < 0.8):
        key = choose.choice(sorted(value))
        what = choose.random()
        if what < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.2:
            return {f"{k}x" if k == key else k: v for k, v in value.items()}
        return {k: mutate(v, choose, depth=depth + 1) if k == key else v for k, v in value.items()}
    if isinstance(value, list) and value and (depth == 0 or choose.random() < 0.8):
        place = choose.randrange(len(value))
        if choose.random() < 0.1:
            return [*value, value[place]]
        return [
            mutate(item, choose, depth=depth + 1) if n == place else item
            for n, item in enumerate(value)
        ]
    return choose.choice(ODD_VALUES)


def broken_file(document, choose: random.Random) -> bytes:
    for _ in range(choose.randint(1, 4)):
        document = mutate(document, choose)
    text = json.dumps(document, indent=choose.choice([None, None, 1])).encode()
    if choose.random() < 0.3:
        text = text[: choose.randrange(len(text) + 1)]
    if choose.random() < 0.2:
        place = choose.randrange(len(text) + 1)
        text = (
            text[:place] + choose.choice([b"\xff", b"}", b'"', b"\n", b"{", b"\0"]) + text[place:]
        )
    return text


OTLP_SPANS = (
    *TestFiles.SPANS,
    span(
        "odd", CHAT | {"gen_ai.response.finish_reasons": ["stop"]}, "agent", events=[{"name": "x"}]
    ),
)
OTLP_DOCUMENT = otlp(*OTLP_SPANS)
JAEGER_DOCUMENT = {
    "data": [
        {
            "traceID": TRACE,
            "spans": [
                {
                    "traceID": TRACE,
                    "spanID": "a",
                    "operationName": "invoke_agent bob",
                    "references": [{"refType": "CHILD_OF", "spanID": "b"}],
                    "startTime": DAY * 10**6,
                    "duration": 5,
                    "tags": [{"key": OPERATION, "value": "invoke_agent"}],
                    "logs": [{"timestamp": 1, "fields": [{"key": "event", "value": "exception"}]}],
                    "processID": "p1",
                }
            ],
            "processes": {"p1": {"serviceName": "shop", "tags": []}},
        }
    ]
}
SDK_DOCUMENT = [
    {
        "name": "chat",
        "context": {"trace_id": TRACE, "span_id": "a"},
        "parent_id": None,
        "start_time": "2025-01-01T00:00:00Z",
        "end_time": [1735689601, 5],
        "status": {"status_code": "ERROR", "description": "no"},
        "attributes": CHAT | usage(1, 2),
    }
]


LAST_MILLISECOND = 253_402_300_799_999


def check_sound(runs: list[Run]) -> None:
    """Check that runs can be written: real text, whole and finite numbers, times that exist."""
    for run in runs:
        plain = msgspec.to_builtins(run)
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
        times = [run.started_at, run.prompted_at, run.ended_at or 0]
        times += [action.at for action in run.actions]
        for session in run.sessions:
            times += [session.started_at, session.ended_at or 0]
            times += [step.ended_at for step in session.steps]
        assert all(type(at) is int and 0 <= at <= LAST_MILLISECOND for at in times)


@pytest.mark.parametrize(
    ("reader", "documents"),
    [
        (otel.READER, [OTLP_DOCUMENT, JAEGER_DOCUMENT, SDK_DOCUMENT]),
        (langfuse.READER, [document for files in DELIVERIES.values() for document in files]),
    ],
    ids=["otel", "langfuse"],
)
def test_broken_files_never_raise(reader, documents):
    choose = random.Random(14)
    values = [one for one in documents if not isinstance(one, bytes)]
    for _ in range(250):
        content = broken_file(choose.choice(values), choose)
        runs, counts = read(reader, content, change=lambda records: records * 2)
        check_sound(runs)
        if not runs and content.strip(b" \n[]{},"):
            assert counts.read + counts.skipped.total() > 0
    for content in (one for one in documents if isinstance(one, bytes)):
        for _ in range(20):
            place = choose.randrange(len(content))
            check_sound(read(reader, content[:place])[0])
            check_sound(read(reader, content[:place] + b"\0\xff\n" + content[place:])[0])


@pytest.mark.parametrize(
    ("reader", "items", "file_of"),
    [
        (otel.READER, OTLP_SPANS, lambda spans: otlp(*spans)),
        (otel.READER, SDK_DOCUMENT * 2, list),
        (otel.READER, JAEGER_DOCUMENT["data"][0]["spans"], lambda spans: {"spans": spans}),
        (langfuse.READER, ROWS, lambda rows: {"observations": rows}),
        (langfuse.READER, [TRACE_ROW, *ROWS], lambda rows: {"data": rows}),
    ],
)
def test_each_broken_span_is_read_or_skipped(reader, items, file_of):
    choose = random.Random(3)
    for _ in range(100):
        broken = [
            mutate(item, choose, depth=choose.choice([0, 0, 1])) if choose.random() < 0.5 else item
            for item in items
        ]
        # Without any object in it a list is none of spans.
        if not any(isinstance(item, dict) for item in broken):
            continue
        runs, counts = read(reader, file_of(broken))
        check_sound(runs)
        assert counts.read + counts.skipped.total() == len(broken)


@pytest.mark.parametrize(
    ("head", "of_otel", "of_langfuse"),
    [
        (json.dumps(OTLP_DOCUMENT).encode(), True, False),
        (json.dumps(JAEGER_DOCUMENT).encode(), True, False),
        (json.dumps(SDK_DOCUMENT, indent=2).encode(), True, False),
        (json.dumps(DELIVERIES["download"][0]).encode(), False, True),
        (DELIVERIES["enriched observations as CSV"][0], False, True),
        (DELIVERIES["deprecated blob files"][1], False, True),
        (b'{"type":"user","sessionId":"x","uuid":"y"}\n', False, False),
        (b"PAR1\x15\x04", False, True),
        (b"", False, False),
    ],
)
def test_formats_are_recognised(head, of_otel, of_langfuse):
    assert otel.READER.recognises(Path("a.json"), head) is of_otel
    assert langfuse.READER.recognises(Path("a.json"), head) is of_langfuse
