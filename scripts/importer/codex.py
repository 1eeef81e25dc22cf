"""Reader of the rollouts of Codex CLI: one JSON object a line below ~/.codex/sessions.

A file is one thread, and only its first line names it. The order of lines is information: which
model a token count belongs to, which of two lines of the same moment came first. So each record
carries its time and its position; files of the same thread may come in any order and overlap.

A forked thread and a sub-agent's thread begin with a replay of the parent's lines, restamped with
the time of the copy. What is replayed is told by the number of each line (versions since the middle
of 2026), by the turn ids (they carry the time of the turn), in older files by the burst of lines in
the thread's first second, and by the parent's own file if it is among those read. It counts once,
in the parent. Newer forks copy nothing and say so with their `history_base`.

Model calls are the `token_usage_record` lines, one per response, where a thread has them: they know
calls that no token count shows, such as those that compact a conversation. Elsewhere they are the
token counts whose total has changed.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.importer.json_lines import read_json
from scripts.importer.lines import (
    json_objects,
    kind_name,
    mapping,
    milliseconds,
    objects,
    user_line_meaning,
)
from scripts.importer.model import (
    Action,
    Counts,
    Failure,
    Fields,
    Reader,
    Record,
    Run,
    Session,
    Step,
    Tokens,
)
from scripts.importer.tool_failures import tool_failure
from scripts.importer.values import (
    LONGEST_ERROR_MESSAGE,
    count,
    model,
    name,
    text,
)

AGENT = "codex"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
# Lines of a copy carry the time of the copy: all of them within this time.
BURST_MS = 1_000
# The first line holds the system prompt in newer versions and can be longer than what is looked at.
FIRST_LINE = re.compile(rb'\s*\{.{0,200}"type"\s*:\s*"session_meta"\s*,\s*"payload"\s*:')
INTERRUPTED = "interrupted"
UNNAMED_TURN = "?"
LINE_TYPES = ("session_meta", "turn_context", "response_item", "event_msg")
TOOL_CALLS = ("function_call", "custom_tool_call", "local_shell_call")
TOOL_OUTPUTS = ("function_call_output", "custom_tool_call_output")
TOOL_ENDS = ("exec_command_end", "patch_apply_end", "mcp_tool_call_end")
TOOL_ITEMS = ("CommandExecution", "FileChange", "McpToolCall")
OLD_LINES = (*TOOL_CALLS, *TOOL_OUTPUTS, "message", "reasoning")
STARTS = ("turn", "prompt", "item_prompt")
# What the agent does: it makes a run last. What the client notes for the next turn does not.
WORK = frozenset(
    {"answer", "thought", "tokens", "call", "output", "end", "complete", "aborted", "error"}
)
USAGE = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "total_tokens",
)


class _Thread:
    """What is known of the thread while its file is read: its id, and whether a copy goes on."""

    def __init__(self, path: Path) -> None:
        """Take the id of the thread from the name of the file, if it has one."""
        found = UUID.findall(path.name)
        self.named: str | None = found[-1].lower() if found else None
        self.thread_id: str | None = self.named
        self.created_at: int | None = _uuid_time(self.named)
        self.latest_at: int | None = None
        self.of_this_moment: Counter[str] = Counter()
        self.parents: tuple[str, ...] = ()
        self.is_copying = False
        # The number of the first line that is the thread's own, if the file says it.
        self.own_from: int | None = None
        self.has_turn_ids = False
        self.has_begun = False
        self.is_named = False

    def begin(self, payload: Fields, line: Fields, number: int) -> Record | None:
        """Take the first line of a thread; inside a copy it is the parent's and changes nothing."""
        thread_id = name(payload.get("id")) or name(payload.get("session_id"))
        if thread_id is None:
            return None
        at = milliseconds(payload.get("timestamp")) or milliseconds(line.get("timestamp"))
        started_as = _started_as(payload)
        spawn = mapping(mapping(started_as).get("thread_spawn"))
        above = name(payload.get("parent_thread_id"))
        is_agent = bool(started_as) or payload.get("thread_source") == "subagent"
        parent = name(spawn.get("parent_thread_id")) or (above if is_agent else None)
        forked_from = name(payload.get("forked_from_id")) or above
        # A rollout is named after its thread: other threads in it are those that it copies. In a
        # file of another name a first line can begin the next thread of several.
        is_of_parent = thread_id != self.thread_id and (self.is_copying or self.is_named)
        if is_of_parent:
            self.is_copying = True
            self.parents = tuple(dict.fromkeys((*self.parents, thread_id)))
        elif not self.has_begun or thread_id != self.thread_id:
            self.thread_id = thread_id
            self.parents = tuple(dict.fromkeys(other for other in (parent, forked_from) if other))
            self.created_at = _uuid_time(thread_id) or at
            self.latest_at = at
            self.own_from = count(payload.get("subagent_history_start_ordinal"))
            has_base = bool(mapping(payload.get("history_base")))
            self.is_copying = self.own_from is not None or (bool(self.parents) and not has_base)
            self.has_turn_ids = False
            self.is_named = thread_id == self.named
            self.has_begun = True
        fields = {
            "kind": "meta",
            "thread": self.thread_id,
            "at": at or self.created_at or 0,
            "line": number,
        }
        if is_of_parent:
            fields["replay"] = True
        else:
            fields |= {
                "created": self.created_at,
                "is_agent": is_agent or None,
                "parent": parent,
                "forked_from": forked_from,
                "agent_name": name(spawn.get("agent_role"))
                or name(payload.get("agent_role"))
                or name(started_as),
            }
        return Record(
            keys=self.keys(None), fields={k: v for k, v in fields.items() if v is not None}
        )

    def is_replay(self, fields: Fields, at: int, ordinal: int | None) -> bool:
        """Return whether a line is a copy of the parent's, and note where the copy ends."""
        if self.own_from is not None and ordinal is not None:
            self.is_copying = ordinal < self.own_from
            return self.is_copying
        if not self.is_copying:
            return False
        created = self.created_at or 0
        turn_at = _uuid_time(fields.get("turn"))
        if turn_at is not None:
            self.has_turn_ids = True
            self.is_copying = turn_at < created
        elif not self.has_turn_ids and at >= created + BURST_MS:
            self.is_copying = False
        return self.is_copying

    def nth(self, fields: Fields, at: int) -> int | None:
        """Return how many lines that say the same stood before this one at the same moment."""
        if at != self.latest_at:
            self.of_this_moment.clear()
            self.latest_at = at
        same = repr(fields)
        self.of_this_moment[same] += 1
        return self.of_this_moment[same] - 1 or None

    def keys(self, call: str | None) -> tuple[str, ...]:
        """Return the keys of a line: its thread, the threads it came from, its tool call."""
        threads = (self.thread_id, *self.parents)
        keys = [f"thread|{thread}" for thread in threads]
        return (*keys, f"call|{call}") if call else tuple(keys)


class CodexReader(Reader):
    """Reads rollouts: those with an envelope {timestamp, type, payload} and those before it."""

    name = "codex"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether a file is of this format, from its path and first 64 KiB, unpacked."""
        if FIRST_LINE.match(head):
            return True
        is_rollout = path.name.startswith("rollout-")
        for _, line in json_objects(head.splitlines(), Counts()):
            kind = line.get("type")
            if kind in LINE_TYPES and isinstance(line.get("payload"), dict):
                return True
            if is_rollout and (kind in OLD_LINES or "instructions" in line):
                return True
        return False

    def read(self, path: Path, chunks: Iterable[bytes], counts: Counts) -> Iterator[Record]:
        """Yield the records of one file. `chunks` are its lines, unpacked, read once, in order."""
        thread = _Thread(path)
        for number, line in json_objects(chunks, counts):
            kind, payload = _unwrapped(line)
            if kind == "session_meta":
                record = thread.begin(payload, line, number)
                if record is None:
                    counts.skipped["session_meta: no id"] += 1
                    continue
            else:
                record = self._record(thread, kind, payload, line, number)
                if isinstance(record, str):
                    counts.skipped[record] += 1
                    continue
            counts.read += 1
            yield record

    def _record(
        self, thread: _Thread, kind: str, payload: Fields, line: Fields, number: int
    ) -> Record | str:
        """Return the record of a line, or why it has none."""
        at = milliseconds(line.get("timestamp")) or thread.latest_at or thread.created_at
        if thread.thread_id is None:
            return f"{kind}: no session_meta before it"
        if at is None:
            return f"{kind}: no time"
        found = self._fields(kind, payload)
        if isinstance(found, str):
            return found
        if found.pop("of", None) in thread.parents:
            return f"{kind}: counted in the thread it was copied from"
        found["nth"] = thread.nth(found, at)
        found["replay"] = thread.is_replay(found, at, count(line.get("ordinal"))) or None
        fields = {"thread": thread.thread_id, "at": at, "line": number, **found}
        fields = {key: value for key, value in fields.items() if value is not None}
        return Record(keys=thread.keys(fields.get("call")), fields=fields)

    def _fields(self, kind: str, payload: Fields) -> Fields | str:
        """Return what a line says, or the kind of a line that says nothing here."""
        inner = kind_name(payload.get("type"))
        if kind == "turn_context":
            return {
                "kind": "context",
                "model": model(payload.get("model")),
                "turn": name(payload.get("turn_id")),
            }
        if kind == "response_item":
            return self._response_item(inner, payload)
        if kind == "event_msg":
            return self._event(inner, payload)
        if kind == "token_usage_record":
            return _response(payload)
        return f"{kind}: nothing to count"

    def _response_item(self, inner: str, payload: Fields) -> Fields | str:
        """Return what an item of the model's conversation says."""
        call = name(payload.get("call_id")) or name(payload.get("id"))
        if inner in TOOL_CALLS and call:
            said = payload.get("arguments", payload.get("input", payload.get("action")))
            return {
                "kind": "call",
                "call": call,
                "tool": name(payload.get("name")) or inner.removesuffix("_call"),
                "input": _written(said) if self.with_text else None,
            }
        if inner in TOOL_OUTPUTS and call:
            said = _output(payload.get("output"))
            fields = {"kind": "output", "call": call, **_outcome(payload)}
            return self._with_output(fields, said)
        if inner == "message":
            role = payload.get("role")
            if role == "assistant":
                return {"kind": "answer"}
            words = self._words_of_user(payload) if role == "user" else None
            if words is not None:
                return {"kind": "item_prompt", "text": words if self.with_text else None}
            return "message of the client: nothing to count"
        if inner == "reasoning":
            return {"kind": "thought"}
        return f"response_item {inner}: nothing to count"

    def _event(self, inner: str, payload: Fields) -> Fields | str:
        """Return what an event of the client says."""
        if inner == "token_count":
            info = mapping(payload.get("info"))
            total = _usage(info.get("total_token_usage"))
            last = _usage(info.get("last_token_usage"))
            if total is None and last is None:
                return "event_msg token_count: no usage"
            return {
                "kind": "tokens",
                "total": total,
                "last": last,
                "model": model(info.get("model")) or model(info.get("model_name")),
            }
        if inner == "user_message":
            words = text(payload.get("message")) or ""
            sort = payload.get("kind")
            if sort not in (None, "plain") or user_line_meaning(self.name, words):
                return "message of the client: nothing to count"
            return {"kind": "prompt", "text": words if self.with_text else None}
        if inner in ("task_started", "turn_started"):
            return {"kind": "turn", "turn": name(payload.get("turn_id"))}
        if inner in ("task_complete", "turn_complete"):
            return {"kind": "complete"}
        if inner == "turn_aborted":
            return {"kind": "aborted", "reason": name(payload.get("reason"))}
        if inner == "agent_message":
            return {"kind": "answer"}
        if inner == "item_completed":
            return self._completed_item(mapping(payload.get("item")))
        if inner in ("agent_reasoning", "agent_reasoning_raw_content"):
            return {"kind": "thought"}
        if inner == "error":
            said = text(payload.get("message"))
            return {
                "kind": "error",
                "error": said[:LONGEST_ERROR_MESSAGE] if said and self.error_text else None,
                "error_type": _error_type(payload.get("codex_error_info")),
            }
        if inner == "thread_settings_applied":
            tier = name(mapping(payload.get("thread_settings")).get("service_tier"))
            return {"kind": "settings", "tier": tier}
        call = name(payload.get("call_id"))
        if inner in TOOL_ENDS and call:
            return {"kind": "end", "call": call, **_end_outcome(payload)}
        return f"event_msg {inner}: nothing to count"

    def _completed_item(self, item: Fields) -> Fields | str:
        """Return what an item says that newer versions write instead of the events before."""
        sort = kind_name(item.get("type"))
        if sort == "AgentMessage":
            return {"kind": "answer"}
        words = self._words_of_user(item) if sort == "UserMessage" else None
        if words is not None:
            return {"kind": "item_prompt", "text": words if self.with_text else None}
        call = name(item.get("id"))
        if sort in TOOL_ITEMS and call:
            return {"kind": "end", "call": call, **_end_outcome(item)}
        return f"event_msg item_completed {sort}: nothing to count"

    def _words_of_user(self, payload: Fields) -> str | None:
        """Return what a user's message says; None if all of it was written by the client.

        The client puts its own texts beside the user's, each in a block. Newer versions say of
        each block what it is, in older ones its beginning tells. A picture is the user's.
        """
        content = payload.get("content")
        blocks = [{"text": content}] if isinstance(content, str) else objects(content)
        said = mapping(payload.get("internal_chat_message_metadata_passthrough"))
        kinds = said.get("content_item_kinds")
        if not isinstance(kinds, list) or len(kinds) != len(blocks):
            kinds = [None] * len(blocks)
        own = []
        for block, kind in zip(blocks, kinds, strict=True):
            words = text(block.get("text")) or ""
            if isinstance(kind, str) and kind:
                is_own = kind.startswith(("user.", "images.", "audio.")) or kind == "unknown"
            else:
                has_picture = "image" in kind_name(block.get("type"))
                is_own = has_picture or bool(words and not user_line_meaning(self.name, words))
            if is_own:
                own.append(words)
        return " ".join(words for words in own if words) if own else None

    def _with_output(self, fields: Fields, said: str) -> Fields:
        """Add a tool's text if it is asked for, and leave out what is not."""
        if not self.error_text:
            fields.pop("error", None)
        elif self.with_text and fields.get("status") == "error":
            fields["error"] = said[:LONGEST_ERROR_MESSAGE] or None
        if self.with_text:
            fields["output"] = said
        return fields

    def assemble(self, records: Sequence[Fields], counts: Counts) -> Iterator[Run]:
        """Yield the runs of one group of records, which come in any order and may repeat."""
        yield from _Threads(records).runs()


def _unwrapped(line: Fields) -> tuple[str, Fields]:
    """Return the kind and the payload of a line, also of the versions before the envelope."""
    kind = line.get("type")
    payload = line.get("payload")
    if isinstance(payload, dict):
        return kind_name(kind), payload
    if kind in OLD_LINES:
        return "response_item", line
    if kind is None and "id" in line and "timestamp" in line:
        return "session_meta", line
    return kind_name(kind or line.get("record_type")), {}


def _started_as(payload: Fields) -> object:
    """Return what the first line of a sub-agent's thread says of it: an object, or one word."""
    source = mapping(payload.get("source"))
    return source.get("subagent") or source.get("sub_agent")


def _uuid_time(word: object) -> int | None:
    """Return the milliseconds in a UUID of version 7; None for anything else."""
    if not isinstance(word, str) or UUID.fullmatch(word) is None or word[14] != "7":
        return None
    return int(word[:8] + word[9:13], 16)


def _usage(value: object) -> list[int | None] | None:
    """Return the counts of a usage in the order of USAGE, None if it has none."""
    usage = mapping(value)
    counts = [count(usage.get(word)) for word in USAGE]
    if counts[1] is None:
        counts[1] = count(usage.get("cache_read_input_tokens"))
    return counts if any(found is not None for found in counts) else None


def _response(payload: Fields) -> Fields | str:
    """Return the model call that a record of a response's usage tells."""
    usage = _usage(payload.get("usage"))
    if usage is None:
        return "token_usage_record: no usage"
    said = mapping(payload.get("attribution"))
    return {
        "kind": "tokens",
        "record": name(payload.get("response_id")) or "",
        "total": _usage(payload.get("thread_token_usage")),
        "last": usage,
        "of": name(payload.get("thread_id")),
        "model": model(payload.get("model")) or model(said.get("model")),
    }


def _written(value: object) -> str | None:
    """Return a value as text."""
    return value if isinstance(value, str) or value is None else json.dumps(value)


def _output(value: object) -> str:
    """Return the text of an output or a content: text, or a list of blocks with text."""
    if isinstance(value, dict):
        value = value.get("content", value.get("output"))
    if isinstance(value, str):
        return text(value) or ""
    return " ".join(words for block in objects(value) if (words := text(block.get("text"))))


def _outcome(payload: Fields) -> Fields:
    """Return status and failure of a tool's output, empty for a success."""
    value = payload.get("output")
    if mapping(value).get("success") is False or payload.get("status") in ("failed", "error"):
        return tool_failure(_output(value), is_failed=True)
    said = _output(value)
    try:
        inside = mapping(read_json(said)) if said.startswith("{") else {}
    except (ValueError, RecursionError):
        inside = {}
    code = mapping(inside.get("metadata")).get("exit_code", inside.get("exit_code"))
    if isinstance(code, int):
        return tool_failure(f"exit code {code}", is_failed=False)
    return tool_failure(said, is_failed=False)


def _end_outcome(payload: Fields) -> Fields:
    """Return status and failure that an event of the client tells about a tool call."""
    status = payload.get("status")
    if status == "declined":
        return tool_failure("rejected by user", is_failed=True)
    code = payload.get("exit_code")
    if isinstance(code, int):
        return tool_failure(f"exit code {code}", is_failed=False)
    result = mapping(payload.get("result"))
    is_failed = payload.get("success") is False or status == "failed" or "Err" in result
    is_failed = is_failed or mapping(result.get("Ok")).get("is_error") is True
    return tool_failure("", is_failed=True) if is_failed else {}


def _error_type(value: object) -> str | None:
    """Return the word for an error: a text, or the only key of an object."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value))
    return name(value)


@dataclass
class _Draft:
    """A run while its lines are collected."""

    thread: str
    started_at: int
    number: int = 0
    turn: str | None = None
    prompt: Fields | None = None
    lines: list[Fields] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    is_ended: bool = False
    has_worked: bool = False

    @property
    def run_id(self) -> str:
        """Return the thread's id and the position of the run in it."""
        return f"{self.thread}-{self.number}"

    @property
    def session_id(self) -> str:
        """Return the id of the run's only session."""
        return f"{self.run_id}-{AGENT}"

    def add(self, line: Fields) -> None:
        """Add a line, and note what it says about the state of the run."""
        self.lines.append(line)
        self.is_ended = self.is_ended or line["kind"] in ("complete", "aborted")
        self.has_worked = self.has_worked or line["kind"] in WORK


class _State:
    """What earlier lines of a thread say about later ones: model, tier, totals, waiting time."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.model: str | None = None
        self.tier: str | None = None
        self.total: list[int | None] | None = None
        self.counted: set[str] = set()
        # Records of responses came before: token counts repeat them.
        self.has_records = False
        # The last two moments at which the model could begin: lines of one moment have no order
        # that can be relied on, and no call begins when it ends.
        self.ready_at: list[int] = []

    def read(self, line: Fields) -> Step | None:
        """Take a line, and return the model call that it counts."""
        kind = line["kind"]
        step = None
        if kind == "context":
            self.model = line.get("model") or self.model
        elif kind == "settings":
            self.tier = line.get("tier")
        elif kind == "tokens":
            step = self._call(line)
        if kind in (*STARTS, "output", "end", "tokens"):
            self.ready_at = sorted({*self.ready_at, line["at"]})[-2:]
        return step

    def _call(self, line: Fields) -> Step | None:
        """Return the model call of a line; None if it repeats one or counts nothing."""
        total, last, record = line.get("total"), line.get("last"), line.get("record")
        if record is None and self.has_records:
            return None
        self.has_records = record is not None
        same = record or json.dumps(total or [line["at"], last])
        usage = last or _difference(total, self.total)
        is_counted = same in self.counted
        self.counted.add(same)
        self.total = total or self.total
        if is_counted or not any(usage[:5]):
            return None
        given, cached, written, output, reasoning, _ = usage
        inside = (cached or 0) + (written or 0)
        fresh = given if given is None or inside > given else given - inside
        used = (total or usage)[5]
        used = sum(found or 0 for found in usage[:4]) if used is None else used
        ended_at = line["at"]
        return Step(
            step_id=record or f"{line['thread']}-{ended_at}-{used}",
            step_type="llm_call",
            ended_at=ended_at,
            status="success",
            duration_ms=min((ended_at - at for at in self.ready_at if at < ended_at), default=None),
            model_name=line.get("model") or self.model,
            tokens=Tokens(
                input=fresh,
                output=output,
                cache_read=cached,
                cache_write=written,
                reasoning=reasoning,
            ),
            service_tier=self.tier,
        )


def _difference(total: list[int | None], before: list[int | None] | None) -> list[int | None]:
    """Return what a total grew by; a total that shrank was reset and counts whole."""
    if before is None or any(
        (now or 0) < (then or 0) for now, then in zip(total, before, strict=True)
    ):
        return total
    return [
        None if now is None else now - (then or 0) for now, then in zip(total, before, strict=True)
    ]


class _Threads:
    """Sorts the lines of threads that share lines into runs."""

    def __init__(self, records: Sequence[Fields]) -> None:
        """Keep each line of a thread once, without what it copied from another."""
        by_thread: dict[str, dict[str, Fields]] = defaultdict(dict)
        for line in records:
            same = json.dumps({**line, "line": None}, sort_keys=True)
            known = by_thread[line["thread"]].get(same)
            if known is None or line["line"] < known["line"]:
                by_thread[line["thread"]][same] = line
        self.metas: dict[str, Fields] = {}
        self.threads: dict[str, list[Fields]] = {}
        for thread, found in by_thread.items():
            lines = [found[same] for same in sorted(found)]
            lines.sort(key=lambda line: (line["at"], line["line"]))
            own = (line for line in lines if line["kind"] == "meta" and "replay" not in line)
            self.metas[thread] = next(own, {})
            self.threads[thread] = [line for line in lines if line["kind"] != "meta"]
        copied = self._copied()
        self.drafts = {
            thread: _drafts(thread, lines, _first_own_line(lines, copied[thread]))
            for thread, lines in self.threads.items()
        }

    def _age(self, thread: str) -> tuple[bool, int, str]:
        """Order threads: what declares no origin first, then by the time of their creation."""
        meta = self.metas[thread]
        lines = self.threads[thread]
        created = meta.get("created") or (lines[0]["at"] if lines else 0)
        return "forked_from" in meta or "parent" in meta, created, thread

    def _copied(self) -> dict[str, int]:
        """Return how many calls at a thread's beginning are those of an older thread."""
        copied: dict[str, int] = {}
        by_first: dict[tuple[str, ...], list[list[tuple[str, ...]]]] = defaultdict(list)
        for thread in sorted(self.threads, key=self._age):
            calls = [call for line in self.threads[thread] if (call := _identity(line))]
            copied[thread] = 0
            if not calls:
                continue
            for others in by_first[calls[0]]:
                pairs = zip(calls, others, strict=False)
                same = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
                length = min(len(calls), len(others)) if same is None else same
                copied[thread] = max(copied[thread], length)
            by_first[calls[0]].append(calls)
        return copied

    def runs(self) -> Iterator[Run]:
        """Yield the runs in the order of their beginning."""
        drafts = [draft for found in self.drafts.values() for draft in found]
        for draft in sorted(drafts, key=lambda d: (d.started_at, d.thread, d.number)):
            yield self._run(draft)

    def _run(self, draft: _Draft) -> Run:
        """Return the run of a draft."""
        meta = self.metas[draft.thread]
        work = [line for line in draft.lines if line["kind"] in WORK]
        ended_at = max((line["at"] for line in work), default=draft.started_at)
        status, failure = _status(work)
        parent = self._parent(draft, meta)
        is_agent = "is_agent" in meta
        session = Session(
            agent_session_id=draft.session_id,
            agent_name=meta.get("agent_name") or AGENT,
            started_at=draft.started_at,
            ended_at=ended_at if status else None,
            status=status,
            duration_ms=ended_at - draft.started_at if status else None,
            parent_agent_session_id=parent,
            failure=failure,
            steps=draft.steps,
        )
        prompted_at = draft.prompt["at"] if draft.prompt and not is_agent else None
        trigger = "agent" if is_agent else ("user" if prompted_at is not None else None)
        has_worked = any(line["kind"] not in ("aborted", "error") for line in work)
        return Run(
            conversation_id=draft.thread,
            interaction_id=draft.run_id,
            started_at=draft.started_at,
            ended_at=ended_at if status else None,
            status=status,
            duration_ms=ended_at - draft.started_at if status else None,
            prompted_at=prompted_at,
            prompt_text=draft.prompt.get("text") if draft.prompt and not is_agent else None,
            trigger_type=trigger,
            failure=failure,
            sessions=[session] if has_worked else [],
            actions=[
                Action(
                    action_id=f"{draft.run_id}-interrupted-{line['at']}",
                    action_type="interrupted",
                    at=line["at"],
                )
                for line in work
                if line["kind"] == "aborted" and line.get("reason") == INTERRUPTED
            ],
        )

    def _parent(self, draft: _Draft, meta: Fields) -> str | None:
        """Return the session that started a sub-agent: of its parent's runs the latest before."""
        found = self.drafts.get(meta.get("parent", ""), [])
        before = [other for other in found if other.started_at <= draft.started_at]
        return before[-1].session_id if before else None


def _identity(line: Fields) -> tuple[str, ...] | None:
    """Return what tells a call from every other, wherever it is copied to."""
    if line["kind"] == "call":
        return "call", line["call"]
    if line["kind"] == "tokens":
        return "tokens", line.get("record") or json.dumps([line.get("total"), line.get("last")])
    return None


def _first_own_line(lines: list[Fields], copied_calls: int) -> int:
    """Return the position of the first line that is not a copy of another thread's.

    `copied_calls` is how many calls stand in an older thread too. What the reader told by the turn
    ids or the burst of a copy is marked `replay`.
    """
    own = next((i for i, line in enumerate(lines) if "replay" not in line), len(lines))
    if own and (own == len(lines) or lines[own]["kind"] not in STARTS):
        # The prompt of the first turn can stand before the line that shows the end of the copy.
        while own and lines[own - 1]["kind"] in (*STARTS, "context", "settings"):
            own -= 1
    calls = [i for i, line in enumerate(lines) if _identity(line)]
    if copied_calls:
        after = calls[copied_calls - 1] + 1
        until = calls[copied_calls] if copied_calls < len(calls) else len(lines)
        starts = (i for i in range(after, until) if lines[i]["kind"] in STARTS)
        own = max(own, next(starts, until))
    return own


def _drafts(thread: str, lines: list[Fields], first: int) -> list[_Draft]:
    """Return the runs of a thread's own lines, those from position `first` on."""
    kinds = {line["kind"] for line in lines[first:]}
    # A user's message stands in the file as an event and, a line before, as an item of the
    # conversation. Files of some versions have the item only.
    prompt = "prompt" if "prompt" in kinds else "item_prompt"
    drafts: list[_Draft] = []
    state = _State()
    for position, line in enumerate(lines):
        kind = line["kind"]
        current = drafts[-1] if drafts else None
        if position >= first and _begins_run(line, current, prompt):
            drafts.append(_Draft(thread, line["at"]))
        step = state.read(line)
        if position < first or not drafts:
            continue
        current = drafts[-1]
        current.add(line)
        if kind == "turn":
            current.turn = line.get("turn") or UNNAMED_TURN
        elif kind == prompt or (kind == "item_prompt" and current.turn):
            current.prompt = current.prompt or line
        if step is not None:
            current.steps.append(step)
    kept = [draft for draft in drafts if draft.prompt or draft.has_worked]
    seen: set[str] = set()
    results = _results(lines)
    for number, draft in enumerate(kept):
        draft.number = number
        for line in draft.lines:
            if line["kind"] == "call" and line["call"] not in seen:
                seen.add(line["call"])
                draft.steps.append(_tool_call(line, results.get(line["call"])))
        draft.steps.sort(key=lambda step: (step.ended_at, step.step_type, step.step_id))
    return kept


def _begins_run(line: Fields, current: _Draft | None, prompt: str) -> bool:
    """Return whether a line begins a run: a turn, or a user's message outside of a turn."""
    kind = line["kind"]
    if current is None:
        return kind in WORK or kind in (prompt, "turn")
    if kind == "turn" and current.turn and not current.is_ended:
        return current.turn != line.get("turn")
    if kind == "turn":
        # A message can stand before the first line of its turn.
        return current.is_ended or current.has_worked
    return kind == prompt and (current.is_ended or not current.turn)


def _results(lines: list[Fields]) -> dict[str, Fields]:
    """Return the outputs by tool call, each with the failure that any of its lines tells."""
    results: dict[str, Fields] = {}
    for line in lines:
        if line["kind"] not in ("output", "end"):
            continue
        known = results.get(line["call"], {})
        first, second = (line, known) if line["kind"] == "output" else (known, line)
        results[line["call"]] = {**second, **first}
    return results


def _tool_call(line: Fields, result: Fields | None) -> Step:
    """Return the step of a tool call; without an output it is in progress."""
    began = line["at"]
    ended_at = began if result is None else max(began, result["at"])
    outcome = result or {}
    return Step(
        step_id=line["call"],
        step_type="tool_call",
        ended_at=ended_at,
        status="in_progress" if result is None else outcome.get("status", "success"),
        duration_ms=None if result is None else ended_at - began,
        tool_name=line.get("tool"),
        failure=Failure(outcome.get("error_type"), outcome.get("error")),
        tool_input=line.get("input"),
        tool_output=outcome.get("output"),
    )


def _status(work: list[Fields]) -> tuple[str | None, Failure]:
    """Return how a run ended and why it failed, from its lines in order; None if it did not."""
    aborted = [line for line in work if line["kind"] == "aborted"]
    if aborted:
        reason = aborted[-1].get("reason")
        if reason == INTERRUPTED:
            return "user_cancelled", Failure()
        return "error", Failure(error_type=reason)
    telling = [line for line in work if line["kind"] not in ("thought", "tokens")]
    answers = [i for i, line in enumerate(telling) if line["kind"] == "answer"]
    after = telling[answers[-1] + 1 :] if answers else telling
    errors = [line for line in after if line["kind"] == "error"]
    if errors:
        return "error", Failure(errors[-1].get("error_type"), errors[-1].get("error"))
    if telling and telling[-1]["kind"] in ("answer", "complete"):
        return "success", Failure()
    return None, Failure()


READER = CodexReader()
