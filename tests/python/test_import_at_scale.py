"""A gigabyte of OpenTelemetry spans: how much memory and how much time an import takes."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys

import pytest

from scripts.warehouse import PROJECT_DIR

BYTES = 1_000_000_000
MOST_MEMORY = 1024**3
FEWEST_SPANS_PER_SECOND = 20_000
STARTED_AT = 1_772_366_400_000_000_000
SPANS_PER_LINE = 64
# So many traces go on at the same time: their spans are spread over as many lines.
TRACES_AT_ONCE = 200


def attribute(key, value):
    kind = "intValue" if isinstance(value, int) else "stringValue"
    return {"key": key, "value": {kind: str(value)}}


def span(rng, ids, name, start, attributes):
    """Return one span as the collector's file exporter writes it."""
    trace_id, span_id, parent_id = ids
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent_id,
        "flags": 256,
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + rng.randrange(1_000_000, 9_000_000_000)),
        "attributes": [attribute(key, value) for key, value in attributes.items()],
        "status": {},
    }


def spans_of_a_trace(rng, number):
    """Return the spans of one trace, children first: agent, model calls, tools, HTTP requests."""
    trace_id = f"{rng.getrandbits(128):032x}"
    ids = iter(f"{rng.getrandbits(64):016x}" for _ in range(100))
    start = STARTED_AT + number * 50_000_000
    agent = next(ids)
    prompt = "word " * 60
    common = {
        "gen_ai.conversation.id": f"conversation-{number // 3}",
        "gen_ai.agent.name": "planner",
    }
    found = []
    for call in range(rng.randint(2, 6)):
        model = next(ids)
        usage = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": f"chatcmpl-{model}",
            "gen_ai.usage.input_tokens": rng.randint(100, 9_000),
            "gen_ai.usage.output_tokens": rng.randint(1, 900),
            "gen_ai.input.messages": prompt,
        }
        at = start + call * 10_000_000
        http = {"http.request.method": "POST", "server.address": "api.example.com"}
        found.append(span(rng, (trace_id, next(ids), model), "POST", at, http))
        of_call = (trace_id, model, agent)
        found.append(span(rng, of_call, "chat gpt-4o", at, {**common, **usage}))
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": f"tool_{call}"}
        tool["gen_ai.tool.call.arguments"] = prompt
        of_tool = (trace_id, next(ids), agent)
        found.append(span(rng, of_tool, "execute_tool", at, {**common, **tool}))
    whole = {**common, "gen_ai.operation.name": "invoke_agent"}
    found.append(span(rng, (trace_id, agent, ""), "invoke_agent planner", start, whole))
    return found


def write_spans(path, most_bytes):
    """Write lines of spans of many traces at once; return the number of traces and of spans."""
    rng = random.Random(1)
    traces, spans, written = 0, 0, 0
    going_on = []
    with path.open("w", encoding="utf-8") as lines:
        while going_on or written < most_bytes:
            while len(going_on) < TRACES_AT_ONCE and written < most_bytes:
                going_on.append(spans_of_a_trace(rng, traces))
                traces += 1
            batch = []
            while going_on and len(batch) < SPANS_PER_LINE:
                one = rng.choice(going_on)
                batch.append(one.pop(0))
                if not one:
                    going_on.remove(one)
            spans += len(batch)
            scopes = [{"scope": {"name": "agents", "version": "1.0"}, "spans": batch}]
            resource_spans = {"resource": {"attributes": []}, "scopeSpans": scopes}
            written += lines.write(json.dumps({"resourceSpans": [resource_spans]}) + "\n")
    return traces, spans


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_gigabyte_of_spans_takes_little_memory_and_time(tmp_path):
    source = tmp_path / "traces.ndjson"
    traces, spans = write_spans(source, BYTES)
    command = [sys.executable, "scripts/import_traces.py", "--from", "otel", source]
    command += ["--out", tmp_path / "events.ndjson"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert f"{traces:,} runs" in done.stderr
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{spans:,} spans, {seconds:.0f} s, {after.ru_maxrss / 1024:.0f} MiB: {done.stderr}")
    # kilobytes on Linux
    assert after.ru_maxrss * 1024 < MOST_MEMORY
    assert spans / seconds > FEWEST_SPANS_PER_SECOND
