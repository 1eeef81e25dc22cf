"""Readers of Claude Code and Codex logs: runs, sessions and steps straight from files, no dbt.

Samples of real logs and tables counted from them by other programs lie beside the project, in
../shared/traces; without them the tests that need them are skipped. The rest makes its logs itself.
"""

import csv
import json
import random
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.importer.claude_code import READER as CLAUDE_CODE
from scripts.importer.claude_code import RETRY_STEP_TYPE
from scripts.importer.codex import READER as CODEX
from scripts.importer.model import Counts
from scripts.importer.tables import rows_of
from scripts.importer.tool_failures import tool_failure

TRACES = Path(__file__).resolve().parents[2].parent / "shared" / "traces"
FOLDERS = {"claude_code": CLAUDE_CODE, "codex": CODEX}
needs_samples = pytest.mark.skipif(not TRACES.is_dir(), reason=f"no sample logs at {TRACES}")

SESSION = "11111111-aaaa-4aaa-8aaa-000000000001"
OTHER_SESSION = "00000000-bbbb-4bbb-8bbb-000000000002"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


# Reading files --------------------------------------------------------------------------------


def records_of(reader, files, counts=None):
    """The records of files given as (path, lines); each must survive a trip through JSON."""
    counts = counts or Counts()
    found = []
    for path, lines in files:
        for record in reader.read(Path(path), iter(lines), counts):
            assert json.loads(json.dumps(record.fields)) == record.fields
            assert record.keys and all(isinstance(key, str) for key in record.keys)
            found.append(record)
    return found


def groups_of(records):
    """The fields of records in groups that share a key, directly or through others."""
    above = {}

    def root(key):
        above.setdefault(key, key)
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    for record in records:
        for key in record.keys:
            above[root(key)] = root(record.keys[0])
    groups = defaultdict(list)
    for record in records:
        groups[root(record.keys[0])].append(record.fields)
    return list(groups.values())


def runs_of(reader, files, shuffle=None):
    """All runs of files by interaction_id; with `shuffle` each group is mixed first."""
    runs = []
    for group in groups_of(records_of(reader, files)):
        if shuffle:
            shuffle.shuffle(group)
        runs += reader.assemble(group, Counts())
    ids = Counter(run.interaction_id for run in runs)
    assert max(ids.values(), default=1) == 1, "a run came twice"
    steps = Counter(step.step_id for run in runs for s in run.sessions for step in s.steps)
    assert max(steps.values(), default=1) == 1, "a step came twice"
    return {run.interaction_id: run for run in runs}


def sample_files(folder):
    """The sample files of a format as (path, lines)."""
    paths = sorted(path for path in (TRACES / folder).rglob("*.jsonl*") if path.is_file())
    return [(path, path.read_bytes().splitlines(keepends=True)) for path in paths]


def written(lines):
    """Objects as the lines of a file."""
    return [json.dumps(line).encode() + b"\n" for line in lines]


def steps_of(run, step_type=None):
    """The steps of all sessions of a run."""
    steps = [step for session in run.sessions for step in session.steps]
    return [step for step in steps if step_type in (None, step.step_type)]


# The truth of the samples ---------------------------------------------------------------------


def truth(folder, table):
    """The rows of a truth table."""
    with (TRACES / "truth" / folder / f"{table}.csv").open(newline="") as rows:
        return list(csv.DictReader(rows))


def iso(at):
    """Milliseconds since 1970 as the truth writes times."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def counted(sessions):
    """What the truth counts of sessions."""
    steps = [step for session in sessions for step in session.steps]
    calls = [step for step in steps if step.step_type == "llm_call"]
    tools = [step for step in steps if step.step_type == "tool_call"]

    def tokens(kind):
        return sum(getattr(step.tokens, kind) or 0 for step in calls)

    return {
        "llm_calls": sum(step.status == "success" for step in calls),
        "failed_llm_calls": sum(step.status != "success" for step in calls),
        "api_retries": sum(step.step_type == RETRY_STEP_TYPE for step in steps),
        "tool_calls": len(tools),
        "failed_tool_calls": sum(step.status in ("error", "cancelled") for step in tools),
        "rejected_tool_calls": sum(step.status == "cancelled" for step in tools),
        "unfinished_tool_calls": sum(step.status == "in_progress" for step in tools),
        "input_tokens": tokens("input"),
        "output_tokens": tokens("output"),
        "cache_read_tokens": tokens("cache_read"),
        "cache_write_tokens": tokens("cache_write"),
        "cache_write_1h_tokens": tokens("cache_write_1h"),
        "reasoning_tokens": tokens("reasoning"),
        "reported_cost": "".join(str(s.cost_usd) for s in calls if s.cost_usd is not None),
        "models": "|".join(sorted({s.model_name for s in calls if s.model_name})),
    }


def lasted(started_at, ended_at, sessions):
    """Milliseconds to the end, or to the last step of what has no end."""
    ends = [step.ended_at for session in sessions for step in session.steps]
    return (max(ends, default=started_at) if ended_at is None else ended_at) - started_at


def tools_of(run):
    """Calls, failures and unfinished calls by tool."""
    tools = defaultdict(lambda: [0, 0, 0])
    for step in steps_of(run, "tool_call"):
        tools[step.tool_name][0] += 1
        tools[step.tool_name][1] += step.status in ("error", "cancelled")
        tools[step.tool_name][2] += step.status == "in_progress"
    return tools


def numbered(runs):
    """The runs with their number in their conversation, as the truth counts them."""
    by_conversation = defaultdict(list)
    for run in sorted(runs.values(), key=lambda run: (run.started_at, run.interaction_id)):
        by_conversation[run.conversation_id].append(run)
    return [
        (conversation, str(number), run)
        for conversation, found in sorted(by_conversation.items())
        for number, run in enumerate(found)
    ]


def run_rows(runs):
    """The runs as rows of the truth."""
    rows = []
    for conversation, number, run in numbered(runs):
        logged = [session for session in run.sessions if session.steps]
        main = [session for session in logged if session.agent_name in ("main", "codex")]
        span = lasted(run.started_at, main[0].ended_at if main else run.ended_at, main)
        rows.append(
            {
                "conversation_id": conversation,
                "run": number,
                "prompt_uuid": run.interaction_id,
                "status": run.status or "",
                "agent_sessions": len(logged),
                "agents_without_log": len(run.sessions) - len(logged),
                "started_at": iso(run.started_at),
                "span_ms": span,
                "duration_ms": span,
                "reported_duration_ms": run.duration_ms,
                **counted(run.sessions),
            }
        )
    return rows


def agent_rows(runs):
    """The sessions with steps as rows of the truth."""
    rows = []
    for conversation, number, run in numbered(runs):
        for session in run.sessions:
            if session.steps:
                parent = session.parent_agent_session_id or ""
                row = {
                    "conversation_id": conversation,
                    "run": number,
                    "agent_id": session.agent_session_id.removeprefix(f"{run.interaction_id}-"),
                    "agent_name": session.agent_name,
                    "parent_agent_id": parent.removeprefix(f"{run.interaction_id}-"),
                    "span_ms": lasted(session.started_at, session.ended_at, [session]),
                    **counted([session]),
                }
                rows.append(row)
    return rows


def tool_rows(runs):
    """The tools as rows of the truth."""
    return [
        {
            "conversation_id": conversation,
            "run": number,
            "tool": tool,
            "calls": calls,
            "failed": failed,
            "unfinished": unfinished,
        }
        for conversation, number, run in numbered(runs)
        for tool, (calls, failed, unfinished) in tools_of(run).items()
    ]


def same_rows(found, expected, keys, without=()):
    """Both tables row for row, over all columns of the truth that a reader can tell."""
    known = set(found[0]) - set(without)
    columns = [name for name in expected[0] if name in known]
    assert len(columns) > len(keys)

    def table(rows):
        return {
            tuple(str(row[key]) for key in keys): {name: str(row[name]) for name in columns}
            for row in rows
        }

    assert table(found) == table(expected)


@needs_samples
@pytest.mark.parametrize("folder", FOLDERS)
def test_runs_equal_the_truth(folder):
    """Every run of the samples, every column that a reader tells; no run more, none less."""
    expected = truth(folder, "runs")
    found = run_rows(runs_of(FOLDERS[folder], sample_files(folder)))
    for row in expected:
        if "reported_duration_ms" in row and not row["reported_duration_ms"]:
            match = next(r for r in found if r["prompt_uuid"] == row["prompt_uuid"])
            match["reported_duration_ms"] = ""
    same_rows(found, expected, ("conversation_id", "run"))


@needs_samples
def test_agents_equal_the_truth():
    """Every session that did anything, with its parent, span and models."""
    did = [row for row in truth("claude_code", "agents") if row["llm_calls"] != "0"]
    found = agent_rows(runs_of(CLAUDE_CODE, sample_files("claude_code")))
    same_rows(found, did, ("conversation_id", "run", "agent_id"))


@needs_samples
@pytest.mark.parametrize("folder", FOLDERS)
def test_tools_equal_the_truth(folder):
    """Every tool of every run."""
    found = tool_rows(runs_of(FOLDERS[folder], sample_files(folder)))
    same_rows(found, truth(folder, "tools"), ("conversation_id", "run", "tool"))


# The same files in other shapes ---------------------------------------------------------------


def claude_example():
    """Two sessions: sub-agents in files, in progress lines and inline, retries, commands."""
    log = ClaudeLog()
    log.prompt("Please refactor", uuid="p1")
    log.answer("m1", "text", output=1)
    log.answer("m1", "Task", "t1", output=40, agent="Explore", prompt="look around")
    log.progress("a1", "t1", "agent-m1", "Grep", "agent-t1")
    log.result("t1", started={"agentId": "a1", "status": "completed", "totalDurationMs": 900})
    log.answer("m2", "Bash", "t2")
    log.result("t2", "Exit code 2\nno such thing", failed=True)
    log.system("api_error", retryAttempt=1, error={"status": 529})
    log.answer("m3", "text", output=90)
    log.system("turn_duration", durationMs=5000)
    log.command("/exit", uuid="p2")
    log.prompt("And now the tests", uuid="p3")
    log.answer("m4", "Edit", "t4")
    log.result("t4", "The user doesn't want to proceed with this tool use.", failed=True)
    log.interrupt()
    agent = ClaudeLog(seconds=3, agent="a1")
    agent.prompt("look around", uuid="ap")
    agent.answer("agent-m1", "Grep", "agent-t1", output=12)
    agent.result("agent-t1", "found")
    agent.answer("agent-m2", "text", output=30)
    other = ClaudeLog(session=OTHER_SESSION, seconds=500)
    other.prompt("old style", uuid="q1")
    other.answer("n1", "Task", "u1", prompt="side work", agent="reviewer")
    side = other.side_chain("side work", uuid="s1")
    side.answer("n2", "text", output=7)
    other.lines += side.lines
    other.result("u1")
    other.answer("n3", "text")
    return [
        (f"p/{SESSION}.jsonl", written(log.lines)),
        (f"p/{SESSION}/subagents/agent-a1.jsonl", written(agent.lines)),
        (f"p/{OTHER_SESSION}.jsonl", written(other.lines)),
    ]


def codex_example():
    """A thread of two turns, a fork of it, a sub-agent's thread, and one of newer versions."""
    log = CodexLog(THREAD)
    log.turn("read the code")
    log.call("c1", "shell", '{"output":"x","metadata":{"exit_code":1}}')
    log.tokens(100, 40, 10)
    log.event("agent_message", message="done")
    log.turn("go on", model="gpt-9-mini")
    log.call("c2", "shell", "Process exited with code 0\nOutput:\nProcess exited with code 1")
    log.tokens(200, 150, 20)
    log.event("turn_aborted", reason="interrupted")
    fork = CodexLog(FORK, forked_from_id=THREAD, seconds=1000)
    fork.replay(log)
    fork.turn("another way", seconds=20)
    fork.tokens(300, 200, 30)
    fork.event("agent_message", message="done")
    spawn = {"subagent": {"thread_spawn": {"parent_thread_id": THREAD, "agent_role": "worker"}}}
    agent = CodexLog(AGENT_THREAD, source=spawn, seconds=40)
    agent.turn("look around")
    agent.tokens(50, 0, 5)
    agent.event("task_complete")
    newer = newer_agent(log)
    return [
        (f"s/rollout-2026-03-01T12-00-00-{log.thread}.jsonl", written(lines.lines))
        for lines, log in ((lines, lines) for lines in (log, fork, agent, newer))
    ]


def newer_agent(parent):
    """A sub-agent's thread as versions since the middle of 2026 write it."""
    spawn = {"subagent": {"thread_spawn": {"parent_thread_id": THREAD, "agent_role": "reader"}}}
    meta = {"source": spawn, "subagent_history_start_ordinal": len(parent.lines) + 1}
    agent = CodexLog(NEWER_THREAD, seconds=60, **meta)
    agent.replay(parent)
    agent.turn("read it")
    agent.call("n1", "shell", "words")
    item = {"type": "CommandExecution", "id": "n1", "status": "failed", "exit_code": 3}
    agent.event("item_completed", item=item)
    agent.response("resp_1", 80, 30, 8)
    agent.total = [0] * 4
    agent.tokens(80, 30, 8)
    agent.response("resp_2", 70, 0, 7)
    agent.event("task_complete")
    for ordinal, line in enumerate(agent.lines):
        line["ordinal"] = ordinal
    return agent


THREAD, FORK, AGENT_THREAD, NEWER_THREAD = (
    f"{int((START.timestamp() + seconds) * 1000):012x}"[:8]
    + "-"
    + f"{int((START.timestamp() + seconds) * 1000):012x}"[8:]
    + f"-7aaa-8aaa-00000000000{number}"
    for number, seconds in enumerate((0, 1000, 40, 60))
)


class ClaudeLog:
    """Writes the lines of one chain of a session, a second apart."""

    def __init__(self, session=SESSION, seconds=0, agent=None, side=False, parent=None):
        self.session = session
        self.seconds = seconds
        self.agent = agent
        self.side = side or agent is not None
        self.lines = []
        self.parent = parent

    def add(self, kind, uuid=None, **fields):
        """Add a line after the last."""
        self.seconds += 1
        uuid = uuid or f"{self.session[:2]}-{self.agent or 'l'}-{self.side}-{self.seconds}"
        line = {
            "type": kind,
            "uuid": uuid,
            "parentUuid": self.parent,
            "sessionId": self.session,
            "isSidechain": self.side,
            "cwd": "/home/somebody/CANARY",
            "gitBranch": "CANARY",
            "timestamp": iso(int((START.timestamp() + self.seconds) * 1000)),
            **({"agentId": self.agent} if self.agent else {}),
            **fields,
        }
        self.lines.append({key: value for key, value in line.items() if value is not ABSENT})
        self.parent = uuid
        return line

    def user(self, content, **fields):
        """Add a user line."""
        return self.add("user", message={"role": "user", "content": content}, **fields)

    def prompt(self, words, **fields):
        """Add a prompt."""
        return self.user(f"{words} CANARY", **fields)

    def command(self, words, **fields):
        """Add a command and what it printed."""
        self.user(f"<command-name>{words}</command-name>", **fields)
        self.user("<local-command-stdout>bye CANARY</local-command-stdout>")

    def interrupt(self):
        """Add what the client writes when the user stops the agent."""
        return self.user([{"type": "text", "text": "[Request interrupted by user for tool use]"}])

    def message(self, message, block, use=None, *, output=5, agent=None, prompt="CANARY", **fields):
        """A message of the model with one block: a text or a tool use."""
        content = {"type": "text", "text": "CANARY"}
        if use:
            inputs = {"subagent_type": agent, "prompt": prompt} if agent else {"x": "CANARY"}
            content = {"type": "tool_use", "id": use, "name": block, "input": inputs}
        return {
            "id": message,
            "role": "assistant",
            "model": "claude-opus-4-6",
            "content": [{"type": "thinking", "thinking": "CANARY"}, content],
            "stop_reason": None,
            "usage": {
                "input_tokens": 3,
                "output_tokens": output,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 20,
                "cache_creation": {"ephemeral_1h_input_tokens": 15},
                "service_tier": "standard",
            },
            **fields,
        }

    def answer(self, *args, **kwargs):
        """Add a line of a message of the model."""
        return self.add("assistant", message=self.message(*args, **kwargs))

    def result(self, use, said="fine", failed=False, started=None, **fields):
        """Add the result of a tool use."""
        block = {"type": "tool_result", "tool_use_id": use, "content": f"{said} CANARY"}
        if failed:
            block |= {"is_error": True, "content": said}
        return self.user([block], toolUseResult=started or "CANARY", **fields)

    def progress(self, agent, use, *message):
        """Add a line that repeats a message of a sub-agent."""
        inner = {"type": "assistant", "uuid": f"{message[0]}-inner"}
        inner |= {"message": self.message(*message, output=2)}
        data = {"type": "agent_progress", "agentId": agent, "message": inner, "prompt": "CANARY"}
        return self.add("progress", data=data, parentToolUseID=use, toolUseID="x")

    def system(self, subtype, **fields):
        """Add a line of the client."""
        return self.add("system", subtype=subtype, content="CANARY", **fields)

    def side_chain(self, prompt, **fields):
        """Begin a chain of a sub-agent in the same file."""
        side = ClaudeLog(self.session, self.seconds, side=True)
        side.user(prompt, **fields)
        self.seconds += 10
        return side


ABSENT = object()


class CodexLog:
    """Writes the lines of a thread, a second apart."""

    def __init__(self, thread, seconds=0, **meta):
        self.thread = thread
        self.seconds = seconds
        self.total = [0] * 4
        self.lines = []
        meta = {"id": thread, "cwd": "/home/CANARY", "git": {"branch": "CANARY"}, **meta}
        self.add("session_meta", seconds=0, **meta)

    def now(self):
        """The time of the next line."""
        return int((START.timestamp() + self.seconds) * 1000)

    def add(self, kind, seconds=1, **payload):
        """Add a line."""
        self.seconds += seconds
        self.lines.append({"timestamp": iso(self.now()), "type": kind, "payload": payload})

    def event(self, inner, seconds=1, **payload):
        """Add an event of the client."""
        self.add("event_msg", seconds=seconds, type=inner, **payload)

    def item(self, inner, seconds=1, **payload):
        """Add an item of the model's conversation."""
        self.add("response_item", seconds=seconds, type=inner, **payload)

    def turn(self, words, model="gpt-9", seconds=1, with_id=True):
        """Begin a turn as versions since 2026 do, or as those before."""
        self.seconds += seconds
        found = f"{self.now():012x}"
        turn = f"{found[:8]}-{found[8:]}-7bbb-8bbb-{self.thread[-12:]}" if with_id else None
        environment = [{"type": "input_text", "text": "<environment_context>CANARY"}]
        if turn:
            self.event("task_started", turn_id=turn, seconds=0)
        self.item("message", role="user", content=environment, seconds=0)
        said = [{"type": "input_text", "text": f"{words} CANARY"}]
        self.item("message", role="user", content=said, seconds=0)
        self.event("user_message", message=f"{words} CANARY", seconds=0)
        self.add("turn_context", model=model, turn_id=turn, cwd="CANARY", seconds=0)

    def call(self, call, tool, output):
        """Add a tool call and its output."""
        self.item("function_call", name=tool, arguments='{"x": "CANARY"}', call_id=call)
        if output is not None:
            self.item("function_call_output", call_id=call, output=output)

    def tokens(self, given, cached, output, reasoning=0, reset=False):
        """Add a token count; `given` includes the cached tokens."""
        last = [given, cached, output, reasoning]
        self.total = last if reset else [a + b for a, b in zip(self.total, last, strict=True)]
        self.event("token_count", info=self.info(self.total, last))

    def response(self, response, given, cached, output, of=None, **fields):
        """Add the record of a response, as versions since the middle of 2026 do."""
        usage = self.info([given, cached, output, 0], [0] * 4)["total_token_usage"]
        fields = {"response_id": response, "thread_id": of or self.thread, "usage": usage, **fields}
        self.add("token_usage_record", **fields)

    def info(self, total, last):
        """The usage of a token count."""
        words = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
        return {
            "total_token_usage": {
                **dict(zip(words, total, strict=True)),
                "total_tokens": total[0] + total[2],
            },
            "last_token_usage": {
                **dict(zip(words, last, strict=True)),
                "total_tokens": last[0] + last[2],
            },
        }

    def replay(self, other):
        """Copy the lines of another thread, with the time of the copy."""
        self.lines += [{**line, "timestamp": iso(self.now())} for line in other.lines]
        self.total = list(other.total)


EXAMPLES = {"claude-code": (CLAUDE_CODE, claude_example), "codex": (CODEX, codex_example)}
each_example = pytest.mark.parametrize("name", EXAMPLES)


def example(name):
    """The reader and the files of an example."""
    reader, files = EXAMPLES[name]
    return reader, files()


SAMPLES = {f"samples of {folder}": folder for folder in FOLDERS if TRACES.is_dir()}
each_case = pytest.mark.parametrize("name", [*EXAMPLES, *SAMPLES])


def case(name):
    """The reader and the files of an example or of samples."""
    if name in EXAMPLES:
        return example(name)
    return FOLDERS[SAMPLES[name]], sample_files(SAMPLES[name])


@each_case
def test_order_of_files_and_records_does_not_matter(name):
    """Files from last to first, records mixed, each file twice: the same runs."""
    reader, files = case(name)
    expected = runs_of(reader, files)
    assert len(expected) > 1
    rng = random.Random(5)
    for other in (files[::-1], files * 2, rng.sample(files, len(files))):
        assert runs_of(reader, other, shuffle=rng) == expected


@each_case
def test_concatenated_and_split_files(name):
    """All files in one, and each file in three: the same runs."""
    reader, files = case(name)
    expected = runs_of(reader, files)
    main = [file for file in files if "agent-" not in Path(file[0]).name]
    beside = [file for file in files if file not in main]
    whole = ("all.jsonl", [line for _, lines in main for line in lines])
    assert runs_of(reader, [whole, *beside]) == expected
    pieces = [
        (path, lines[at : at + -(-len(lines) // 3)])
        for path, lines in files
        for at in range(0, len(lines), -(-len(lines) // 3))
    ]
    if name != "codex":  # the copy at the beginning of a fork cannot be told from its rest alone
        assert runs_of(reader, pieces) == expected


def named_calls(value):
    """The ids of all model and tool calls inside a JSON value, wherever they stand."""
    if isinstance(value, list):
        return {call for inner in value for call in named_calls(inner)}
    if not isinstance(value, dict):
        return set()
    found = {call for inner in value.values() for call in named_calls(inner)}
    if value.get("role") == "assistant" and value.get("model", "<synthetic>") != "<synthetic>":
        found.add(value["id"])
    if value.get("type") == "tool_use":
        found.add(value["id"])
    if str(value.get("type")).endswith("_call") and "call_id" in value:
        found.add(value["call_id"])
    return found


@each_case
def test_every_call_counts_once(name):
    """Each id of a model or tool call in the files is one step; runs_of sees that none is two."""
    reader, files = case(name)
    expected = {
        call for _, lines in files for line in lines for call in named_calls(json.loads(line))
    }
    steps = {step.step_id for run in runs_of(reader, files).values() for step in steps_of(run)}
    assert len(expected) > 1
    assert expected <= steps


@pytest.mark.parametrize("name", [name for name in [*EXAMPLES, *SAMPLES] if "claude" in name])
def test_shuffled_lines(name):
    """Lines of Claude Code name their parent: their order in the file breaks ties only."""
    reader, files = case(name)
    rng = random.Random(7)
    mixed = [(path, rng.sample(lines, len(lines))) for path, lines in files]
    assert runs_of(reader, mixed) == runs_of(reader, files)


@each_case
def test_growing_and_cut_files(name):
    """A prefix, cut in a line, then the whole: the same ids, renewed content, nothing left over."""
    reader, files = case(name)
    whole = runs_of(reader, files)
    steps = {s.step_id for run in whole.values() for s in steps_of(run)}
    for share in (0.3, 0.6, 0.9):
        text = [(path, b"".join(lines)) for path, lines in files]
        cut = [
            (path, lines[: int(len(lines) * share)].splitlines(keepends=True))
            for path, lines in text
        ]
        before = runs_of(reader, cut)
        assert before.keys() <= whole.keys()
        assert {s.step_id for run in before.values() for s in steps_of(run)} <= steps
        assert runs_of(reader, [*cut, *files]) == whole


@each_example
def test_no_text_by_default(name):
    """Nothing that a person, a model or a tool said, no path and no branch, is in a record."""
    reader, files = example(name)
    assert any(b"CANARY" in line for _, lines in files for line in lines)
    records = records_of(reader, files)
    assert "CANARY" not in json.dumps([[record.keys, record.fields] for record in records])
    assert "CANARY" not in repr(runs_of(reader, files))


@each_example
def test_text_when_asked_for(name, monkeypatch):
    """Prompts and what tools got and gave, for the hashes of the events."""
    reader, files = example(name)
    monkeypatch.setattr(reader, "with_text", True)
    runs = runs_of(reader, files).values()
    assert any("CANARY" in (run.prompt_text or "") for run in runs)
    steps = [step for run in runs for step in steps_of(run, "tool_call")]
    assert any("CANARY" in (step.tool_input or "") for step in steps)
    assert any(step.tool_output for step in steps)


# Broken files ---------------------------------------------------------------------------------

ODD_VALUES = (
    None, True, 0, -1, 1e308, 2**70, "", " ", "x" * 5000, "\ud800", [], {}, [[]], {"a": []}, "7"
)  # fmt: skip


def places(value, path=()):
    """All paths to values inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in inside:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def mutated(lines, rng):
    """Lines of a file with one to five kinds of damage."""
    lines = list(lines)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(lines))
        damage = rng.randrange(9)
        if damage == 0:
            lines[at] = lines[at][: rng.randrange(len(lines[at]))]
        elif damage == 1:
            lines[at] = bytes(rng.randrange(256) for _ in range(20)).replace(b"\n", b"") + b"\n"
        elif damage == 2:
            lines.insert(rng.randrange(len(lines)), lines[at])
        elif damage == 3:
            lines[at] = b"[" * 3000 + b"\n"
        elif damage == 4 and len(lines) > 1:
            del lines[at]
        elif damage == 5:
            rng.shuffle(lines)
        else:
            try:
                line = json.loads(lines[at])
            except (ValueError, RecursionError):
                continue
            if not isinstance(line, dict):
                continue
            *path, last = rng.choice(list(places(line)))
            inner = line
            for key in path:
                inner = inner[key]
            others = [line.get("uuid"), "p1", THREAD, "t1"]
            if damage == 6:
                del inner[last]
            else:
                inner[last] = rng.choice([*ODD_VALUES, *others])
            lines[at] = json.dumps(line).encode() + b"\n"
    return lines


@each_example
def test_mutated_files(name):
    """250 broken files a format: no exception, each line read or skipped with a reason, once."""
    reader, files = example(name)
    rng = random.Random(11)
    for _ in range(250):
        counts = Counts()
        broken = [(path, mutated(lines, rng)) for path, lines in files]
        lines = sum(bool(line.strip()) for _, found in broken for line in found)
        records = records_of(reader, broken, counts)
        assert counts.read + counts.skipped.total() == lines
        assert all(reason and len(reason) < 100 for reason in counts.skipped)
        for group in groups_of(records):
            runs = list(reader.assemble(group, counts))
            rng.shuffle(group)
            assert sorted(map(repr, reader.assemble(group, counts))) == sorted(map(repr, runs))
        for run in runs_of_any(reader, records):
            assert run.status is None or run.ended_at is not None
            for step in steps_of(run):
                assert step.duration_ms is None or step.duration_ms >= 0


def runs_of_any(reader, records):
    """The runs of records, also where ids are broken and come twice."""
    return [run for group in groups_of(records) for run in reader.assemble(group, Counts())]


def test_cycles_of_parents():
    """Lines that are each other's parents end in the run before them, and nothing hangs."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "Bash", "t1")
    log.result("t1")
    log.answer("m2", "text")
    log.lines[1]["parentUuid"] = log.lines[3]["uuid"]
    [run] = runs_of(CLAUDE_CODE, [("a.jsonl", written(log.lines))]).values()
    assert (run.interaction_id, len(steps_of(run, "llm_call")), run.status) == ("p1", 2, "success")


@each_example
def test_files_are_recognised_by_their_reader_only(name):
    """By the first bytes, packed or not, also when a line is cut."""
    reader, files = example(name)
    others = [other for other, _ in EXAMPLES.values() if other is not reader]
    for path, lines in files:
        head = b"".join(lines)
        for cut in (head, head[:300]):
            assert reader.recognises(Path(path), cut)
            assert not any(other.recognises(Path(path), cut) for other in others)
    for nothing in (b"", b"\x00\xff", b"[]", b'{"resourceSpans": []}', b'{"type": "track"}'):
        assert not reader.recognises(Path("x.jsonl"), nothing)


# Claude Code ----------------------------------------------------------------------------------


def claude_runs(*logs, **kwargs):
    """The runs of logs, each in its session's file."""
    files = [(f"p/{log.session}.jsonl", written(log.lines)) for log in logs]
    return runs_of(CLAUDE_CODE, files, **kwargs)


def test_the_example_of_claude_code():
    """Sessions, parents, names, statuses and tokens of the example."""
    runs = runs_of(CLAUDE_CODE, claude_example())
    assert {key: (run.conversation_id, run.status) for key, run in runs.items()} == {
        "p1": (SESSION, "success"),
        "p3": (SESSION, "user_cancelled"),
        "q1": (OTHER_SESSION, "success"),
    }
    first = runs["p1"]
    assert first.duration_ms == 5000
    assert [(s.agent_session_id, s.agent_name, s.status, s.parent_agent_session_id)
            for s in first.sessions] == [
        ("p1-main", "main", "success", None),
        ("p1-a1", "Explore", "success", "p1-main"),
    ]  # fmt: skip
    tokens = {s.step_id: s.tokens.output for s in steps_of(first, "llm_call")}
    assert tokens == {"m1": 40, "m2": 5, "m3": 90, "agent-m1": 12, "agent-m2": 30}
    assert {s.step_id for s in steps_of(first, "tool_call")} == {"t1", "t2", "agent-t1"}
    call = next(step for step in steps_of(first) if step.step_id == "m1")
    assert (call.tokens.cache_write, call.tokens.cache_write_1h, call.duration_ms) == (20, 15, 2000)
    [retry] = steps_of(first, RETRY_STEP_TYPE)
    assert (retry.status, retry.attempt_number, retry.failure.http_status) == ("error", 1, 529)
    bash = next(step for step in steps_of(first) if step.step_id == "t2")
    assert (bash.status, bash.failure.error_message) == ("error", "exit code 2")
    [edit] = steps_of(runs["p3"], "tool_call")
    assert (edit.tool_name, edit.status) == ("Edit", "cancelled")
    assert [action.action_type for action in runs["p3"].actions] == ["interrupted"]
    side = runs["q1"].sessions[1]
    assert (side.agent_session_id, side.agent_name) == ("q1-s1", "reviewer")
    assert side.parent_agent_session_id == "q1-main"


def usage_of(given, output, **fields):
    """The usage of a response, or of one of its iterations."""
    cached = {"cache_read_input_tokens": 7, "cache_creation_input_tokens": 3}
    return {"input_tokens": given, "output_tokens": output, **cached, **fields}


@pytest.mark.parametrize(
    ("given", "inside"),
    [
        # as Anthropic says it: the counts of a response are those of its messages
        (14, [("m1-1", "claude-9-large", 900, 300, 40), ("m1-2", "claude-9", 5000, 60, None)]),
        # as a gateway does that adds the compaction to them
        (5014, [("m1-1", "claude-9-large", 900, 300, 40)]),
    ],
)
def test_calls_inside_a_response(given, inside):
    """An adviser is billed as another model, a compaction beside what the response counts."""
    log = ClaudeLog()
    log.prompt("go")
    thought = {"output_tokens_details": {"thinking_tokens": 40}}
    usage = usage_of(
        given,
        given + 6,
        speed="fast",
        service_tier="standard",
        output_tokens_details={"thinking_tokens": 4},
        iterations=[
            usage_of(6, 12, type="message"),
            usage_of(900, 300, type="advisor_message", model="claude-9-large", **thought),
            usage_of(5000, 60, type="compaction"),
            usage_of(8, 8, type="message"),
            usage_of(1, 1, type="something_new"),
        ],
    )
    message = {"id": "m1", "role": "assistant", "model": "claude-9", "usage": usage}
    log.add("assistant", message={**message, "content": [{"type": "text", "text": "fine"}]})
    [run] = claude_runs(log).values()
    call, *others = steps_of(run, "llm_call")
    assert (call.step_id, call.model_name, call.service_tier) == ("m1", "claude-9", "fast")
    assert (call.tokens.input, call.tokens.output, call.tokens.reasoning) == (given, given + 6, 4)
    assert [
        (s.step_id, s.model_name, s.tokens.input, s.tokens.output, s.tokens.reasoning)
        for s in others
    ] == inside
    assert {(s.tokens.cache_read, s.tokens.cache_write, s.duration_ms) for s in others} == {
        (7, 3, None)
    }


@pytest.mark.parametrize("way", ["same uuids", "other uuids", "forkedFrom", "remapped"])
@pytest.mark.parametrize("is_longer", [False, True])
def test_copied_sessions_count_once(way, is_longer):
    """A session copied under a new id: what both hold counts once, in the older session."""
    log = ClaudeLog()
    log.prompt("stop", uuid="p0")
    log.interrupt()
    log.prompt("go", uuid="p1")
    log.answer("m1", "Task", "t1", agent="Explore")
    log.progress("a1", "t1", "x1", "text")
    log.result("t1")
    log.answer("m2", "text")
    copy = ClaudeLog(session=OTHER_SESSION)
    for line in log.lines:
        changed = {**line, "sessionId": OTHER_SESSION}
        if way in ("other uuids", "remapped"):
            changed["uuid"] = f"copy-{line['uuid']}"
            changed["parentUuid"] = line["parentUuid"] and f"copy-{line['parentUuid']}"
        if way in ("forkedFrom", "remapped"):
            changed["forkedFrom"] = {"sessionId": SESSION, "messageUuid": line["uuid"]}
        copy.lines.append(changed)
    copy.parent, copy.seconds = copy.lines[-1]["uuid"], 100
    copy.answer("m2b", "text")
    copy.prompt("further", uuid="p2")
    copy.answer("m3", "text")
    if is_longer:
        log.seconds = 50
        log.prompt("the first one goes on", uuid="p9")
        log.answer("m9", "text")
    for logs in ((log, copy), (copy, log)):
        runs = claude_runs(*logs)
        calls = {s.step_id: (r.conversation_id, r.interaction_id)
                 for r in runs.values() for s in steps_of(r, "llm_call")}  # fmt: skip
        assert calls.pop("m2b") == (
            (OTHER_SESSION, "copy-p1") if way == "other uuids" else (SESSION, "p1")
        )
        expected = dict.fromkeys(("m1", "x1", "m2"), (SESSION, "p1"))
        expected["m3"] = (OTHER_SESSION, "p2")
        assert calls == expected | ({"m9": (SESSION, "p9")} if is_longer else {})
        assert [run.interaction_id for run in runs.values() if not run.sessions] == ["p0"]


def test_a_copy_that_is_read_alone():
    """A fork names its origin: read without it, its copied lines are the origin's all the same."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "text")
    copy = ClaudeLog(session=OTHER_SESSION, seconds=100, parent=log.parent)
    copy.lines = [
        {**line, "sessionId": OTHER_SESSION, "forkedFrom": {"sessionId": SESSION}}
        for line in log.lines
    ]
    copy.prompt("further", uuid="p2")
    copy.answer("m2", "text")
    alone = claude_runs(copy)
    assert {r.interaction_id: r.conversation_id for r in alone.values()} == {
        "p1": SESSION,
        "p2": OTHER_SESSION,
    }
    assert alone == claude_runs(copy, log)


def test_a_fork_of_a_fork():
    """Each copy names the one before: the line is the first session's, also if that is missing."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "text")
    copies = []
    for number, above in enumerate((SESSION, OTHER_SESSION), 2):
        copy = ClaudeLog(session=f"00000000-cccc-4ccc-8ccc-00000000000{4 - number}", seconds=99)
        copy.session = OTHER_SESSION if number == 2 else copy.session
        fork = {"sessionId": copy.session, "forkedFrom": {"sessionId": above}}
        copy.lines = [{**line, **fork} for line in log.lines]
        copies.append(copy)
    copies[0].seconds, copies[0].parent = 500, log.parent
    copies[0].answer("m2", "text")
    for logs in (copies, copies[::-1]):
        assert {run.conversation_id for run in claude_runs(*logs).values()} == {SESSION}


def test_a_line_that_was_written_again():
    """Of two versions of a line the one with more output counts."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "text", output=1)
    again = {**log.lines[-1], "message": log.message("m1", "text", output=70)}
    for lines in ([*log.lines, again], [log.lines[0], again, log.lines[1]]):
        [run] = runs_of(CLAUDE_CODE, [("x.jsonl", written(lines))]).values()
        assert [s.tokens.output for s in steps_of(run)] == [70]


def test_a_tool_use_that_stands_in_a_message_twice():
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "Read", "t1")
    content = log.lines[-1]["message"]["content"]
    content.append(content[-1])
    log.result("t1")
    [run] = claude_runs(log).values()
    assert [step.step_id for step in steps_of(run, "tool_call")] == ["t1"]


@pytest.mark.parametrize(
    ("content", "fields", "is_run"),
    [
        ("do it", {}, True),
        ([{"type": "text", "text": "do it"}], {}, True),
        ([{"type": "image", "source": {}}], {}, True),
        ([{"type": "text", "text": "<system-reminder>\nx"}, {"type": "text", "text": "do"}],
         {}, True),
        ("<ide_opened_file>a</ide_opened_file> do it", {}, True),
        ("<div> is wrong here", {}, True),
        ("<command-name>/review</command-name>", {}, True),
        ("<system-reminder>only this</system-reminder>", {}, False),
        ("do it", {"isMeta": True}, False),
        ("summary", {"isCompactSummary": True}, False),
        ("This session is being continued from a previous conversation that", {}, False),
        ("<task-notification>\n<task-id>a</task-id>", {}, False),
        ("[SYSTEM NOTIFICATION - NOT USER INPUT]\n\n<task-notification>", {}, False),
        ("<bash-input>ls</bash-input>", {}, False),
        ("<local-command-stdout>x</local-command-stdout>", {}, False),
        ("Caveat: The messages below were generated", {}, False),
        ("any words", {"origin": {"kind": "task-notification"}}, False),
        ("# A skill", {"sourceToolUseID": "t1"}, False),
        ("any words", {"origin": {"kind": "human"}}, True),
        ([{"type": "text", "text": "[Request interrupted by user]"}], {}, False),
    ],
)  # fmt: skip
def test_what_begins_a_run(content, fields, is_run):
    """Users' words do, and commands that the model answers; what the client adds does not."""
    log = ClaudeLog()
    log.prompt("first", uuid="p1")
    log.answer("m1", "text")
    log.user(content, uuid="p2", **fields)
    log.answer("m2", "text")
    runs = claude_runs(log)
    assert runs.keys() == ({"p1", "p2"} if is_run else {"p1"})
    assert len(steps_of(runs["p2" if is_run else "p1"], "llm_call")) == (1 if is_run else 2)


def test_a_command_without_a_model_call_is_no_run_and_prolongs_none():
    """/exit minutes later: the run before it ends with its last answer."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "text")
    log.seconds += 600
    log.command("/exit", uuid="p2")
    log.add("assistant", message=log.message("x", "text", model="<synthetic>"))
    [run] = claude_runs(log).values()
    assert (run.interaction_id, run.duration_ms, len(steps_of(run))) == ("p1", 1000, 1)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("text", "success"),
        ("open tool", None),
        ("result", None),
        ("result and turn end", "success"),
        ("api error", "error"),
        ("api error and turn end", "error"),
        ("interrupt", "user_cancelled"),
        ("interrupt in the result", "user_cancelled"),
        ("nothing", None),
    ],
)
def test_how_a_run_ends(ending, status):
    """Success, error, cancelled, or not ended: then it gets no completion."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    if ending != "nothing":
        log.answer("m1", "Bash", "t1")
    if ending == "interrupt in the result":
        block = {"type": "tool_result", "tool_use_id": "t1", "content": "x", "is_error": True}
        log.user([block, {"type": "text", "text": "[Request interrupted by user for tool use]"}])
    elif ending not in ("nothing", "open tool"):
        log.result("t1")
    if ending == "text":
        log.answer("m2", "text")
    if "api error" in ending:
        said = 'API Error: 529 {"type":"error","error":{"type":"overloaded_error"}}'
        message = {"id": "e1", "model": "<synthetic>", "content": [{"type": "text", "text": said}]}
        log.add("assistant", message=message, isApiErrorMessage=True)
    if "turn end" in ending:
        log.system("stop_hook_summary")
    if ending == "interrupt":
        log.interrupt()
    [run] = claude_runs(log).values()
    assert (run.status, run.ended_at is None) == (status, status is None)
    assert all(session.status == status for session in run.sessions)
    failed = [step for step in steps_of(run, "llm_call") if step.status == "error"]
    assert [(s.failure.http_status, s.failure.error_type) for s in failed] == (
        [(529, "overloaded_error")] if "api error" in ending else []
    )
    open_tools = [s.step_id for s in steps_of(run) if s.status == "in_progress"]
    assert open_tools == (["t1"] if ending == "open tool" else [])


def test_agents_that_only_their_result_names():
    """A session with the time of the result, without tokens; one in the background is open."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "Agent", "t1", agent="Plan")
    log.seconds += 60
    log.result("t1", started={"agentId": "a1", "status": "completed", "totalDurationMs": 30_000})
    log.answer("m2", "Agent", "t2", agent="Plan")
    log.result("t2", started={"agentId": "a2", "status": "async_launched"})
    [run] = claude_runs(log).values()
    known, launched = run.sessions[1:]
    assert (known.agent_name, known.duration_ms, known.status) == ("Plan", 30_000, "success")
    assert known.ended_at - known.started_at == 30_000
    assert (known.steps, known.tokens.input, known.parent_agent_session_id) == ([], None, "p1-main")
    assert (launched.status, launched.ended_at, launched.duration_ms) == (None, None, None)


def test_progress_lines_count_only_what_stands_nowhere_else():
    """The file of an agent goes before what its parent's progress lines repeat of it."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "Task", "t1", agent="Explore")
    log.progress("a1", "t1", "x1", "text")
    log.progress("a1", "t1", "x2", "Grep", "g2")
    agent = ClaudeLog(agent="a1", seconds=2)
    agent.user("look", uuid="ap")
    agent.answer("x1", "text", output=77)
    path = f"p/{SESSION}/subagents/agent-a1.jsonl"
    files = [(f"p/{SESSION}.jsonl", written(log.lines)), (path, written(agent.lines))]
    [run] = runs_of(CLAUDE_CODE, files).values()
    assert {s.step_id: s.tokens.output for s in run.sessions[1].steps} == {
        "x1": 77,
        "x2": 2,
        "g2": None,
    }


@pytest.mark.parametrize("prefix", ["s-", ""])
def test_side_questions_replay_messages_of_the_main_chain(prefix):
    """A replayed message counts in the main chain, and takes no time of the side chain."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "Bash", "t1", output=50)
    log.result("t1")
    log.answer("m2", "text")
    side = ClaudeLog(agent="aside_question-1", seconds=300)
    side.lines = [
        {**line, "uuid": prefix + line["uuid"], "isSidechain": True, "agentId": "aside_question-1"}
        for line in log.lines[:2]
    ]
    side.user("by the way", uuid="s3")
    side.answer("m3", "text")
    path = f"p/{SESSION}/subagents/agent-aside_question-1.jsonl"
    files = [(f"p/{SESSION}.jsonl", written(log.lines)), (path, written(side.lines))]
    [run] = runs_of(CLAUDE_CODE, files).values()
    main, aside = run.sessions
    assert [s.step_id for s in main.steps] == ["m1", "t1", "m2"]
    assert ([s.step_id for s in aside.steps], aside.duration_ms) == (["m3"], 1000)


def test_names_of_agents():
    """What the call says, else the .meta.json, else compaction by its id, else general-purpose."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "text")
    names = {"a1": "reviewer", "acompact-2": "compact", "a3": "general-purpose"}
    files = [(f"p/{SESSION}.jsonl", written(log.lines))]
    for number, agent in enumerate(names):
        chain = ClaudeLog(agent=agent, seconds=2)
        chain.user("look", uuid=f"u{number}")
        chain.answer(f"x{number}", "text")
        files.append((f"p/{SESSION}/subagents/agent-{agent}.jsonl", written(chain.lines)))
    meta = json.dumps({"agentType": "reviewer", "description": "CANARY"}, indent=1).encode()
    path = Path(f"p/{SESSION}/subagents/agent-a1.meta.json")
    assert CLAUDE_CODE.recognises(path, meta)
    files.append((path, meta.splitlines(keepends=True)))
    for order in (files, files[::-1]):
        [run] = runs_of(CLAUDE_CODE, order).values()
        found = {s.agent_session_id: s.agent_name for s in run.sessions[1:]}
        assert found == {f"p1-{agent}": name for agent, name in names.items()}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("look around", "look around"),
        ("look around", [{"type": "text", "text": "look around\n"}]),
        ("look around", "<system-reminder>be brief</system-reminder>\nlook around"),
        ("<command-name>look</command-name>", "<command-name>look</command-name>"),
    ],
)
@pytest.mark.parametrize("way", ["inline", "a file"])
def test_an_agent_is_known_by_its_prompt(asked, said, way):
    """Where nothing names the agent's caller, its first text is what the caller asked."""
    log = ClaudeLog()
    for number in (1, 2):
        log.prompt("go", uuid=f"p{number}")
        log.answer(f"m{number}", "Task", f"t{number}", agent=f"kind-{number}", prompt=asked)
        side = log.side_chain(said) if way == "inline" else ClaudeLog(agent=f"a{number}")
        if way == "a file":
            side.seconds = log.seconds
            side.user(said)
        side.answer(f"x{number}", "text")
        log.lines += side.lines
        log.seconds = max(log.seconds, side.seconds)
        log.result(f"t{number}")
    runs = claude_runs(log)
    found = [[(s.agent_name, [x.step_id for x in s.steps][:1]) for s in run.sessions[1:]]
             for run in runs.values()]  # fmt: skip
    assert found == [[("kind-1", ["x1"])], [("kind-2", ["x2"])]]


def test_an_agent_that_nobody_called_stays_in_one_run():
    """A compaction belongs to the run in which it began, also when the next prompt comes before."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "text")
    compact = ClaudeLog(seconds=log.seconds, agent="acompact-1")
    compact.user("sum up", uuid="c1")
    log.seconds = compact.seconds
    log.prompt("further", uuid="p2")
    compact.seconds = log.seconds
    compact.answer("c2", "text")
    path = f"p/{SESSION}/subagents/agent-acompact-1.jsonl"
    files = [(f"p/{SESSION}.jsonl", written(log.lines)), (path, written(compact.lines))]
    runs = runs_of(CLAUDE_CODE, files)
    assert [s.agent_name for s in runs["p1"].sessions] == ["main", "compact"]
    assert runs["p2"].sessions == []


def test_lines_without_a_time_and_turns_longer_than_their_lines():
    """A line takes the time of the one before; hooks after the last line are part of the turn."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "text")
    log.answer("m2", "text")
    log.lines[-1]["timestamp"] = "yesterday"
    log.system("turn_duration", durationMs=9000)
    [run] = claude_runs(log).values()
    assert [step.duration_ms for step in steps_of(run)] == [1000, 0]
    assert (run.duration_ms, run.ended_at - run.started_at) == (9000, 9000)
    assert run.sessions[0].duration_ms == 1000


def test_an_agent_that_names_its_caller_itself():
    """Its lines say which tool use started it, before that has a result."""
    log = ClaudeLog()
    log.prompt("go", uuid="p1")
    log.answer("m1", "Agent", "t1", agent="Plan")
    log.prompt("meanwhile", uuid="p2")
    log.answer("m2", "text")
    side = ClaudeLog(seconds=200, agent="a1")
    side.user("plan it", uuid="s1", parentToolUseId="t1")
    side.answer("m3", "text")
    path = f"p/{SESSION}/subagents/agent-a1.jsonl"
    files = [(f"p/{SESSION}.jsonl", written(log.lines)), (path, written(side.lines))]
    runs = runs_of(CLAUDE_CODE, files)
    assert [s.agent_name for s in runs["p1"].sessions] == ["main", "Plan"]
    assert runs["p1"].sessions[1].parent_agent_session_id == "p1-main"


@pytest.mark.parametrize("way", ["Agent", "resume", "to"])
def test_an_agent_that_a_later_run_resumes(way):
    """Each run has a session with the calls of its time, by a new call or by a message to it."""
    log = ClaudeLog()
    agent = ClaudeLog(agent="a1")
    for number in (1, 2):
        log.prompt("go", uuid=f"p{number}")
        log.answer(f"m{number}", "Agent", f"t{number}", agent="Explore")
        started = {"agentId": "a1", "status": "completed"}
        if number == 2 and way != "Agent":
            use = {"type": "tool_use", "id": "t2", "name": "SendMessage", "input": {way: "a1"}}
            log.lines[-1]["message"]["content"] = [use]
            started = {"success": True}
        agent.seconds = log.seconds
        agent.user("look", uuid=f"u{number}")
        agent.answer(f"x{number}", "text")
        log.seconds = agent.seconds
        log.result(f"t{number}", started=started)
        log.answer(f"n{number}", "text")
    path = f"p/{SESSION}/subagents/agent-a1.jsonl"
    files = [(f"p/{SESSION}.jsonl", written(log.lines)), (path, written(agent.lines))]
    runs = runs_of(CLAUDE_CODE, files)
    found = {s.agent_session_id: (s.agent_name, [step.step_id for step in s.steps])
             for run in runs.values() for s in run.sessions[1:]}  # fmt: skip
    assert found == {"p1-a1": ("Explore", ["x1"]), "p2-a1": ("Explore", ["x2"])}


def test_lines_whose_parent_is_missing():
    """They belong to the run before them in time; before the first prompt there is a run too."""
    log = ClaudeLog(parent="nowhere")
    log.answer("m0", "text")
    log.prompt("go", uuid="p1")
    log.answer("m1", "Bash", "t1")
    log.result("t1", parentUuid="lost")
    log.parent = "lost, too"
    log.answer("m2", "text")
    runs = claude_runs(log)
    assert {key: [s.step_id for s in steps_of(run, "llm_call")] for key, run in runs.items()} == {
        f"{SESSION}-start": ["m0"],
        "p1": ["m1", "m2"],
    }
    assert runs[f"{SESSION}-start"].prompted_at is None


# Codex ----------------------------------------------------------------------------------------


def codex_runs(*logs):
    """The runs of logs, each in its thread's file."""
    return runs_of(
        CODEX, [(f"rollout-2026-03-01T12-00-00-{x.thread}.jsonl", written(x.lines)) for x in logs]
    )


def test_the_example_of_codex():
    """Runs, models, tokens without the cached, failures; replays count in the parent."""
    runs = runs_of(CODEX, codex_example())
    assert {key: (r.status, r.trigger_type) for key, r in runs.items()} == {
        f"{THREAD}-0": ("success", "user"),
        f"{THREAD}-1": ("user_cancelled", "user"),
        f"{FORK}-0": ("success", "user"),
        f"{AGENT_THREAD}-0": ("success", "agent"),
        f"{NEWER_THREAD}-0": ("success", "agent"),
    }
    calls = {
        key: [(s.model_name, s.tokens.input, s.tokens.cache_read, s.tokens.output)
              for s in steps_of(run, "llm_call")]
        for key, run in runs.items()
    }  # fmt: skip
    assert calls == {
        f"{THREAD}-0": [("gpt-9", 60, 40, 10)],
        f"{THREAD}-1": [("gpt-9-mini", 50, 150, 20)],
        f"{FORK}-0": [("gpt-9", 100, 200, 30)],
        f"{AGENT_THREAD}-0": [("gpt-9", 50, 0, 5)],
        f"{NEWER_THREAD}-0": [("gpt-9", 50, 30, 8), ("gpt-9", 70, 0, 7)],
    }
    [failed] = steps_of(runs[f"{NEWER_THREAD}-0"], "tool_call")
    assert failed.failure.error_message == "exit code 3"
    [failed] = steps_of(runs[f"{THREAD}-0"], "tool_call")
    assert (failed.status, failed.failure.error_message) == ("error", "exit code 1")
    assert [step.status for step in steps_of(runs[f"{THREAD}-1"], "tool_call")] == ["success"]
    assert [a.action_type for a in runs[f"{THREAD}-1"].actions] == ["interrupted"]
    [session] = runs[f"{AGENT_THREAD}-0"].sessions
    assert (session.agent_name, session.parent_agent_session_id) == (
        "worker",
        f"{THREAD}-1-codex",
    )


@pytest.mark.parametrize("with_id", [True, False])
@pytest.mark.parametrize(
    ("way", "with_parent"),
    [
        ("declared", True),
        ("declared", False),
        ("named inside", True),
        ("named inside", False),
        ("silent", True),
    ],
)
def test_a_fork_counts_only_its_own(with_id, with_parent, way):
    """By turn ids, by the burst of the copy, or by the parent's file; whatever is there."""
    log = CodexLog(THREAD)
    for number in range(3):
        log.turn(f"turn {number}", with_id=with_id)
        log.call(f"c{number}", "shell", "fine")
        log.tokens(100 + number, 40, 10)
        log.event("agent_message", message="done")
    fork = CodexLog(FORK, seconds=1000, **({"forked_from_id": THREAD} if way == "declared" else {}))
    fork.replay(log)
    if way == "silent":
        del fork.lines[1]
    fork.turn("another way", seconds=0 if not with_id else 1, with_id=with_id)
    fork.call("c9", "shell", "fine")
    fork.tokens(300, 200, 30)
    fork.event("agent_message", message="done")
    runs = codex_runs(*([log] if with_parent else []), fork)
    own = {key: [s.step_id for s in steps_of(run, "tool_call")] for key, run in runs.items()}
    parents = {f"{THREAD}-{n}": [f"c{n}"] for n in range(3)} if with_parent else {}
    assert own == {**parents, f"{FORK}-0": ["c9"]}
    assert all(run.prompted_at for run in runs.values())
    [call] = steps_of(runs[f"{FORK}-0"], "llm_call")
    assert (call.tokens.input, call.tokens.cache_read, call.model_name) == (100, 200, "gpt-9")


def test_token_counts_written_twice_and_totals_that_restart():
    """A repeated total is no call; one that restarts on resume is one; one of nothing is none."""
    log = CodexLog(THREAD)
    log.turn("go")
    log.total = [5000, 4000, 300, 0]  # a resumed thread can go on from a total that it never wrote
    log.tokens(100, 40, 10)
    log.lines.append({**log.lines[-1], "timestamp": iso(log.now() + 500)})
    log.event("token_count", info=None)
    log.tokens(50, 0, 5, reset=True)
    full = {"total_token_usage": {"total_tokens": 9999}, "last_token_usage": {"total_tokens": 9}}
    log.event("token_count", info=full)
    log.event("token_count", info={"total_token_usage": log.info([80, 0, 9, 0], [0] * 4)
                                   ["total_token_usage"]})  # fmt: skip
    log.event("token_count", info={"total_token_usage": log.info([95, 5, 19, 0], [0] * 4)
                                   ["total_token_usage"]})  # fmt: skip
    [run] = codex_runs(log).values()
    found = [(s.tokens.input, s.tokens.output) for s in steps_of(run, "llm_call")]
    assert found == [(60, 10), (50, 5), (80, 9), (10, 10)]


def test_cache_writes_and_priority():
    """Cache writes are inside the input too; the tier is that of the last settings."""
    log = CodexLog(THREAD)
    log.event("thread_settings_applied", thread_settings={"service_tier": "priority"})
    log.turn("go")
    usage = {
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "cache_write_input_tokens": 25,
        "output_tokens": 9,
        "reasoning_output_tokens": 4,
    }
    log.event("token_count", info={"total_token_usage": usage, "last_token_usage": usage})
    [run] = codex_runs(log).values()
    [step] = steps_of(run, "llm_call")
    tokens = step.tokens
    assert (tokens.input, tokens.cache_read, tokens.cache_write) == (35, 40, 25)
    assert (tokens.output, tokens.reasoning, step.service_tier) == (9, 4, "priority")


def test_records_of_responses_count_once_beside_token_counts():
    """Newer files say each response twice; what compacts the conversation they say once."""
    log = CodexLog(FORK, forked_from_id=THREAD, history_base={"thread_id": THREAD})
    log.turn("go")
    log.response("r0", 900, 0, 90, of=THREAD)  # the parent's
    log.response("r1", 100, 40, 10)
    log.tokens(100, 40, 10)
    log.response("r1", 100, 40, 10)
    log.response("r2", 70, 0, 7)  # no token count: the conversation is compacted
    log.event("token_count", info=log.info(log.total, [0] * 4))
    log.response("r3", 50, 0, 5, attribution={"model": "gpt-9-nano"})
    log.tokens(50, 0, 5)
    [run] = codex_runs(log).values()
    found = [
        (s.step_id, s.model_name, s.tokens.input, s.tokens.cache_read, s.tokens.output)
        for s in steps_of(run, "llm_call")
    ]
    assert found == [
        ("r1", "gpt-9", 60, 40, 10),
        ("r2", "gpt-9", 70, 0, 7),
        ("r3", "gpt-9-nano", 50, 0, 5),
    ]


def test_a_copy_with_numbered_lines():
    """The number of the first own line parts a copy from the rest, however long copying took."""
    log = CodexLog(THREAD)
    log.turn("go", with_id=False)
    log.call("c1", "shell", "fine")
    log.tokens(900, 0, 90)
    log.event("agent_message", message="done")
    spawn = {"subagent": {"thread_spawn": {"parent_thread_id": THREAD}}}
    meta = {"source": spawn, "subagent_history_start_ordinal": len(log.lines) + 1}
    agent = CodexLog(AGENT_THREAD, seconds=40, **meta)
    # The copy takes ten seconds, and what is new begins at once.
    agent.seconds += 10
    agent.replay(log)
    agent.turn("look around", with_id=False, seconds=0)
    agent.tokens(50, 0, 5)
    agent.event("task_complete")
    for ordinal, line in enumerate(agent.lines):
        line["ordinal"] = ordinal
    [run] = codex_runs(agent).values()
    assert [(s.step_type, s.tokens.input) for s in steps_of(run)] == [("llm_call", 50)]
    assert (run.trigger_type, run.status) == ("agent", "success")


def test_a_fork_that_copies_nothing():
    """Lines of its first second are its own, as its first line says where the others lie."""
    meta = {"forked_from_id": THREAD, "history_base": {"thread_id": THREAD}}
    fork = CodexLog(FORK, seconds=1000, **meta)
    fork.turn("another way", seconds=0, with_id=False)
    fork.lines[-1]["payload"]["turn_id"] = "turn-1"
    fork.item("function_call", name="shell", arguments="{}", call_id="c1", seconds=0)
    fork.item("function_call_output", call_id="c1", output="fine", seconds=0)
    fork.event("agent_message", message="done")
    [run] = codex_runs(fork).values()
    assert [step.step_id for step in steps_of(run)] == ["c1"]
    assert run.prompted_at is not None


@pytest.mark.parametrize(
    ("content", "kinds", "words"),
    [
        (["# AGENTS.md instructions for x", "<environment_context>x"], None, None),
        (["# AGENTS.md instructions for x", "mend it"], None, "mend it"),
        (["<recommended_plugins>x", ""], None, None),
        (["<skill>is my word", "<what>"], ["user.text", "host.skill"], "<skill>is my word"),
        (["what", "ever"], ["host.plan", "host.skill"], None),
        (["what", "ever"], ["host.plan"], "what ever"),
        ([None], None, ""),
    ],
)
def test_what_a_user_says_beside_the_client(content, kinds, words, monkeypatch):
    """Blocks of the client are no prompt; a picture is one without words."""
    log = CodexLog(THREAD)
    blocks = [
        {"type": "input_image", "image_url": "x"}
        if said is None
        else {"type": "input_text", "text": said}
        for said in content
    ]
    passed = {"content_item_kinds": kinds} if kinds else {}
    item = {"content": blocks, "internal_chat_message_metadata_passthrough": passed}
    log.item("message", role="user", **item)
    log.call("c1", "shell", "fine")
    monkeypatch.setattr(CODEX, "with_text", True)
    [run] = codex_runs(log).values()
    assert (run.prompt_text, run.prompted_at is not None) == (words, words is not None)


@pytest.mark.parametrize("word", ["review", "guardian"])
def test_a_thread_of_the_client_itself(word):
    """It is an agent's, named by the word for it, whoever its parent is."""
    log = CodexLog(THREAD, source={"subagent": word})
    log.turn("look")
    log.tokens(50, 0, 5)
    log.event("task_complete")
    [run] = codex_runs(log).values()
    assert (run.trigger_type, run.sessions[0].agent_name) == ("agent", word)


def test_files_before_the_envelope():
    """No times but the first line's and no tokens: runs and tool calls all the same."""
    lines = [
        {"id": THREAD, "timestamp": "2025-08-01T10:00:00.000Z", "instructions": "CANARY"},
        {"record_type": "state"},
        {"type": "message", "role": "user",
         "content": [{"type": "input_text", "text": "<environment_context>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
        {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c1"},
        {"type": "function_call_output", "call_id": "c1",
         "output": '{"output":"","metadata":{"exit_code":0}}'},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
    ]  # fmt: skip
    path = Path(f"rollout-2025-08-01T10-00-00-{THREAD}.jsonl")
    assert CODEX.recognises(path, b"".join(written(lines)))
    [run] = runs_of(CODEX, [(path, written(lines))]).values()
    assert (run.conversation_id, run.status, iso(run.started_at)) == (
        THREAD,
        "success",
        "2025-08-01T10:00:00.000Z",
    )
    assert [(s.step_type, s.tool_name, s.status) for s in steps_of(run)] == [
        ("tool_call", "shell", "success")
    ]


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (("agent_message", {}), "success"),
        (("task_complete", {}), "success"),
        (("turn_aborted", {"reason": "interrupted"}), "user_cancelled"),
        (("turn_aborted", {"reason": "replaced"}), "error"),
        (("error", {"message": "usage limit"}), "error"),
        (("agent_reasoning", {}), None),
    ],
)
def test_how_a_turn_ends(last, status):
    """What the client wrote last says it; nothing, and the run has not ended."""
    log = CodexLog(THREAD)
    log.turn("go", with_id=False)
    log.tokens(100, 0, 10)
    log.call("c1", "shell", None)
    log.event(last[0], **last[1])
    log.event("token_count", info=None)
    [run] = codex_runs(log).values()
    assert (run.status, run.ended_at is None) == (status, status is None)
    assert [s.status for s in steps_of(run, "tool_call")] == ["in_progress"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"output": "fine"}, "success"),
        ({"output": '{"output":"x","metadata":{"exit_code":2}}'}, "error"),
        ({"output": '{"exit_code":2,"output":"x"}'}, "error"),
        ({"output": '{"output":"exit code: 1","metadata":{"exit_code":0}}'}, "success"),
        ({"output": [{"type": "input_text", "text": "Exit code: 3\nOutput:\n"}]}, "error"),
        ({"output": {"content": "x", "success": False}}, "error"),
        ({"output": "x", "status": "failed"}, "error"),
        ({"output": "exec command rejected by user"}, "cancelled"),
        ({}, "success"),
    ],
)
@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call", "local_shell_call"])
def test_outputs_of_tools(kind, fields, status):
    """Whatever shape the output has: a code, a flag, words at the beginning."""
    log = CodexLog(THREAD)
    log.turn("go")
    log.item(kind, call_id="c1", name="shell")
    log.item("custom_tool_call_output" if kind.startswith("c") else "function_call_output",
             call_id="c1", **fields)  # fmt: skip
    log.event("exec_command_end", call_id="c1")
    [step] = steps_of(*codex_runs(log).values())
    assert step.status == status


@pytest.mark.parametrize(
    ("inner", "fields"),
    [
        ("exec_command_end", {"exit_code": 1}),
        ("patch_apply_end", {"success": False}),
        ("mcp_tool_call_end", {"result": {"Err": "CANARY"}}),
        ("mcp_tool_call_end", {"result": {"Ok": {"is_error": True}}}),
        ("item_completed", {"item": {"type": "CommandExecution", "id": "c1", "exit_code": 2}}),
        ("item_completed", {"item": {"type": "McpToolCall", "id": "c1", "status": "failed"}}),
    ],
)
def test_ends_of_tools(inner, fields):
    """What the client says of a call counts where its output says nothing."""
    log = CodexLog(THREAD)
    log.turn("go")
    log.call("c1", "tool", "words")
    log.event(inner, call_id="c1", **fields)
    [step] = steps_of(*codex_runs(log).values())
    assert step.status == "error"


def test_a_command_that_the_user_declined():
    """It was cancelled and did not fail."""
    log = CodexLog(THREAD)
    log.turn("go")
    log.call("c1", "shell", "words")
    item = {"type": "CommandExecution", "id": "c1", "status": "declined", "exit_code": -1}
    log.event("item_completed", item=item)
    [step] = steps_of(*codex_runs(log).values())
    assert (step.status, step.failure.error_type) == ("cancelled", "rejected")


def test_messages_that_stand_as_items_only():
    """Files without events of messages: a turn has its prompt and its answer all the same."""
    log = CodexLog(THREAD)
    for number in range(2):
        log.turn(f"turn {number}")
        del log.lines[-2]  # the event
        log.event("user_message", message="rather so") if number else None
        log.tokens(100, number, 10)
        item = {"type": "AgentMessage", "content": [{"type": "Text", "text": "CANARY"}]}
        log.event("item_completed", item=item)
    runs = codex_runs(log)
    assert [(r.status, r.prompted_at is not None) for r in runs.values()] == [("success", True)] * 2


def test_a_message_before_the_first_line_of_its_turn():
    """It is the prompt of that turn, not a run of its own."""
    log = CodexLog(THREAD)
    for number in range(2):
        log.event("user_message", message="go")
        log.event("task_started", turn_id=f"turn-{number}", seconds=0)
        log.tokens(100, number, 10)
        log.event("task_complete", turn_id=f"turn-{number}")
    runs = codex_runs(log)
    assert [(r.prompted_at is not None, len(steps_of(r))) for r in runs.values()] == [(True, 1)] * 2


def test_a_fork_is_no_sub_agent():
    """A person's fork names the thread it came from and was started by nobody else."""
    log = CodexLog(THREAD)
    log.turn("go")
    log.tokens(100, 0, 10)
    meta = {"forked_from_id": THREAD, "parent_thread_id": THREAD, "thread_source": "user"}
    fork = CodexLog(FORK, seconds=1000, **meta)
    fork.replay(log)
    fork.turn("another way")
    fork.tokens(200, 0, 10)
    run = codex_runs(log, fork)[f"{FORK}-0"]
    assert (run.trigger_type, run.sessions[0].parent_agent_session_id) == ("user", None)


def test_two_silent_copies_of_a_thread():
    """Each is compared with every older thread: the longest beginning that it shares counts."""
    log = CodexLog(THREAD)
    for number in range(3):
        log.turn(f"turn {number}", with_id=False)
        log.call(f"c{number}", "shell", "fine")
        log.event("agent_message", message="done")
    short = CodexLog(AGENT_THREAD, seconds=40)
    short.lines += [{**x, "timestamp": iso(short.now())} for x in log.lines[1:8]]
    long = CodexLog(FORK, seconds=1000)
    long.lines += [{**x, "timestamp": iso(long.now())} for x in log.lines[1:]]
    for other, call in ((short, "s1"), (long, "l1")):
        other.turn("own", with_id=False, seconds=5)
        other.call(call, "shell", "fine")
    runs = codex_runs(log, short, long)
    own = {key: [s.step_id for s in steps_of(run)] for key, run in runs.items()}
    assert own == {
        **{f"{THREAD}-{n}": [f"c{n}"] for n in range(3)},
        f"{AGENT_THREAD}-0": ["s1"],
        f"{FORK}-0": ["l1"],
    }


def test_messages_during_a_turn_steer_it():
    """With turn ids a second message belongs to its turn; without them it begins a run."""
    for with_id, runs in ((True, 1), (False, 2)):
        log = CodexLog(THREAD)
        log.turn("go", with_id=with_id)
        log.tokens(100, 0, 10)
        log.event("user_message", message="rather so")
        log.tokens(100, 50, 10)
        log.event("agent_message", message="done")
        assert len(codex_runs(log)) == runs


# Words in CSV files ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "is_failed", "status", "message"),
    [
        ("Exit code 1\nmake: *** error", True, "error", "exit code 1"),
        ("<tool_use_error>File does not exist.</tool_use_error>", True, "error", "no such file"),
        ("The user doesn't want to proceed with this tool use", True, "cancelled", None),
        ("[Request interrupted by user for tool use]", True, "error", "interrupted by the user"),
        ("something never seen", True, "error", None),
        ("MCP error -32602: secret", True, "error", "MCP error -32602"),
        ("the docs say: timed out, no such file", False, None, None),
        ("Process exited with code 0\nOutput:\nexecution error", False, None, None),
        ("Chunk ID: a\nWall time: 1 s\nProcess exited with code 127\nOutput:\nx", False,
         "error", "exit code 127"),
        ("Exit code: 0\nWall time: 1\nOutput:\nExit code: 2", False, None, None),
        ("Exit code: 2\nWall time: 1\nOutput:\n", False, "error", "exit code 2"),
        ("Wall time: 1\nOutput:\nProcess exited with code 1", False, None, None),
        ("failed in sandbox MacosSeatbelt with execution error: sandbox denied exec error, "
         "exit code: 1, stdout: , stderr: x", False, "error", "denied by the sandbox, exit code 1"),
        ("cat ci.log\nearlier\nProcess exited with code 1\n", False, None, None),
        ("Command: ls\nProcess exited with code 1\n", False, "error", "exit code 1"),
        ("Script error:\napply_patch verification failed: secret", False, "error", "script error"),
        ("Script completed\nWall time 1.2 seconds\nOutput:\n", False, None, None),
        ("patch rejected by user", False, "cancelled", None),
        ("aborted by user after 5.1s", False, "cancelled", None),
        ("exec command rejected by user", False, "cancelled", None),
        ("apply_patch verification failed: secret", False, "error", None),
        ("Success. Updated the following files:", False, None, None),
    ],
)  # fmt: skip
def test_what_tools_say_of_their_failure(said, is_failed, status, message):
    """The known phrase is kept, never the text around it."""
    found = tool_failure(said, is_failed=is_failed)
    assert (found.get("status"), found.get("error")) == (status, message)
    assert "secret" not in json.dumps(found)


def test_csv_files_hold_what_their_columns_say():
    """Every pattern compiles, every word is one that the code knows."""
    for row in rows_of("tool_failures.csv"):
        assert re.compile(row["pattern"])
        assert row["is_proof"] in ("yes", "no")
        assert row["status"] in ("success", "error", "cancelled")
        assert bool(row["error_type"]) == (row["status"] != "success")
    meanings = {"interruption", "command", "context", "client"}
    for row in rows_of("user_lines.csv"):
        assert row["format"] in (CLAUDE_CODE.name, CODEX.name)
        assert row["prefix"] == row["prefix"].strip() and row["what_it_is"]
        assert row["meaning"] in meanings
