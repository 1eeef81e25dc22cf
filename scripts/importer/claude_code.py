"""Reader of the session logs of Claude Code: one JSON object a line below ~/.claude/projects.

A session's file holds its main chain; each sub-agent has a file of its own, stands in the main file
(before version 2) or, in part, in the main file's progress lines. Resumed and forked sessions copy
lines of others. So nothing here depends on which file a line came from or in which order:

* a line is known by its uuid, a model call by its message id, and each counts once;
* of copies the session that declares no fork owns a line, else the one that ended first;
* a line belongs to the prompt that its chain of parents leads to, else to the latest before it;
* a sub-agent belongs to the run of the tool use that started it, else to the latest run before it.

Only the order of lines of the same moment is taken from the file.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.importer.json_lines import read_json
from scripts.importer.lines import (
    fingerprint,
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
    amount,
    count,
    http_status,
    model,
    name,
    text,
)

MAIN = "main"
# Lines that can stand at the beginning of a file.
SESSION_LINES = (
    "user",
    "assistant",
    "system",
    "attachment",
    "progress",
    "queue-operation",
    "mode",
    "permission-mode",
    "last-prompt",
    "ai-title",
)
SYNTHETIC_MODEL = "<synthetic>"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
AGENT_FILE = re.compile(r"agent-(?P<agent>.+?)(\.meta)?\.jsonl?$")
META_FILE = ".meta.json"
LARGEST_META_FILE = 1 << 20
COMPACTION = "acompact"
DEFAULT_AGENT = "general-purpose"
# Processing at a higher price, and the kinds of iterations that are calls of their own.
FAST = "fast"
ADVISER, COMPACTED = "advisor_message", "compaction"
# A try that the client repeats is no model call of its own: the call counts once, when it answers.
RETRY_STEP_TYPE = "llm_attempt"
CONTEXT_TAG = re.compile(r"\s*<(?P<tag>system-reminder|ide_\w+)>.*?</(?P=tag)>\s*", re.DOTALL)
API_ERROR = re.compile(r"API Error\D{0,40}(?P<code>[1-5]\d\d)\b", re.IGNORECASE)

# A chain is the main chain of a session, or one agent in it.
Chain = tuple[str, str]


class ClaudeCodeReader(Reader):
    """Reads session files, sub-agent files and the .meta.json files beside them."""

    name = "claude-code"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether a file is of this format, from its path and first 64 KiB, unpacked."""
        place = _Place(path)
        if place.is_meta:
            return place.agent is not None and b'"agentType"' in head
        if b'"sessionId"' in head and b'"parentUuid"' in head:
            return True
        return any(
            ("sessionId" in line and line.get("type") in SESSION_LINES)
            or all(word in line for word in ("type", "messageId", "snapshot"))
            or all(word in line for word in ("type", "summary", "leafUuid"))
            for _, line in json_objects(head.splitlines(), Counts())
        )

    def read(self, path: Path, chunks: Iterable[bytes], counts: Counts) -> Iterator[Record]:
        """Yield the records of one file. `chunks` are its lines, unpacked, read once, in order."""
        place = _Place(path)
        if place.is_meta:
            yield from self._read_meta(place, chunks, counts)
            return
        for number, line in json_objects(chunks, counts):
            kind = kind_name(line.get("type"))
            session = name(line.get("sessionId")) or place.session
            if session is None:
                counts.skipped[f"{kind}: no session id"] += 1
                continue
            records = list(self._read_line(line, kind, session, number, place))
            if records:
                counts.read += 1
                yield from records
            else:
                counts.skipped[f"{kind}: nothing to count"] += 1

    def _read_meta(
        self, place: _Place, chunks: Iterable[bytes], counts: Counts
    ) -> Iterator[Record]:
        """Yield what a .meta.json file says about its agent."""
        whole = b"".join(chunks)[:LARGEST_META_FILE]
        try:
            meta = mapping(read_json(whole))
        except (ValueError, RecursionError):
            meta = {}
        if place.session and place.agent and name(meta.get("agentType")):
            counts.read += 1
            yield Record(
                keys=(f"session|{place.session}",),
                fields={
                    "kind": "meta",
                    "uuid": f"meta|{place.session}|{place.agent}",
                    "session": place.session,
                    "agent": place.agent,
                    "agent_name": name(meta.get("agentType")),
                    "tool_use": name(meta.get("toolUseId")),
                },
            )
        else:
            counts.skipped["meta file: no agent type"] += 1

    def _read_line(
        self, line: Fields, kind: str, session: str, number: int, place: _Place
    ) -> Iterator[Record]:
        """Yield the record of a line and, of a progress line, that of the message inside."""
        agent = name(line.get("agentId")) or place.agent
        is_side = line.get("isSidechain") is True or place.agent is not None
        place.latest_at = milliseconds(line.get("timestamp")) or place.latest_at
        uuid = name(line.get("uuid"))
        fork = mapping(line.get("forkedFrom"))
        origin = name(fork.get("messageUuid")) or uuid
        common: Fields = {
            "uuid": origin,
            "copied_as": uuid if uuid != origin else None,
            "forked_from": name(fork.get("sessionId")),
            "parent": name(line.get("parentUuid")) or name(line.get("logicalParentUuid")),
            "session": session,
            "agent": agent if is_side else None,
            "side": is_side,
            "started_by": name(line.get("parentToolUseId")) if is_side else None,
            "at": place.latest_at,
            "line": number,
        }
        if kind in ("user", "assistant") and common["at"] is not None:
            yield self._message(line, kind, common)
            return
        if kind == "progress":
            yield from self._progress(line, common)
        if kind == "system" and common["at"] is not None:
            record = self._system(line, common)
            if record:
                yield record
                return
        if common["uuid"]:
            yield self._record({**common, "kind": "link"})

    def _record(self, fields: Fields, *others: str | None) -> Record:
        """Return a record with its keys; a line without a uuid is known by what it holds."""
        kept = {
            key: value
            for key, value in fields.items()
            if value is not None and value is not False and value != []
        }
        if "uuid" not in kept:
            kept["uuid"] = fingerprint({**kept, "line": None})
        sessions = [kept["session"], kept.get("forked_from")]
        keys = [f"session|{session}" for session in dict.fromkeys(sessions) if session]
        return Record(keys=(*keys, *(key for key in others if key)), fields=kept)

    def _message(self, line: Fields, kind: str, common: Fields) -> Record:
        """Return the record of a user or assistant line."""
        message = mapping(line.get("message"))
        if kind == "user":
            return self._user(line, message, common)
        usage = mapping(message.get("usage"))
        uses: dict[str, Fields] = {}
        for block in objects(message.get("content")):
            if block.get("type") == "tool_use" and (use_id := name(block.get("id"))):
                uses.setdefault(use_id, self._use(block))
        is_failed = line.get("isApiErrorMessage") is True
        model_name = model(message.get("model"))
        is_call = not is_failed and model_name != SYNTHETIC_MODEL
        message_id = name(message.get("id"))
        fields: Fields = {
            **common,
            "kind": "assistant",
            "uses": list(uses.values()),
        }
        if is_call:
            fields |= {
                "message": message_id,
                "model": model_name,
                **_tokens(usage),
                "inside": _calls_inside(usage) or None,
                "cost": amount(line.get("costUSD")),
                "tier": FAST if usage.get("speed") == FAST else name(usage.get("service_tier")),
                "stop": name(message.get("stop_reason")),
            }
        elif is_failed:
            fields |= {"failed": True, **self._api_failure(line, message)}
        else:
            fields["synthetic"] = True
        key = f"message|{message_id}" if is_call and message_id else None
        return self._record(fields, key)

    def _use(self, block: Fields) -> Fields:
        """Return what a tool use says: of its input only hashes, unless text is asked for."""
        given = mapping(block.get("input"))
        prompt = text(given.get("prompt"))
        agent = name(given.get("resume")) or name(given.get("to"))
        use = {
            "id": name(block.get("id")),
            "tool": name(block.get("name")),
            "agent_name": name(given.get("subagent_type")),
            "prompt": fingerprint(_without_context(prompt)) if prompt else None,
            "resumes": fingerprint(agent) if agent else None,
            "input": json.dumps(block.get("input")) if self.with_text else None,
        }
        return {key: value for key, value in use.items() if value is not None}

    def _api_failure(self, line: Fields, message: Fields) -> Fields:
        """Return what the line of a failed model call says: code, type and text."""
        said = " ".join(_texts(message.get("content")))
        code = API_ERROR.match(said)
        error = mapping(mapping(_json_inside(said)).get("error"))
        word = name(error.get("type")) or name(line.get("error"))
        return {
            "error_type": None if word == "unknown" else word,
            "error": said[:LONGEST_ERROR_MESSAGE] if self.error_text and said else None,
            "http": http_status(code["code"] if code else line.get("apiErrorStatus")),
        }

    def _user(self, line: Fields, message: Fields, common: Fields) -> Record:
        """Return the record of a user line: a prompt, results of tools, or words of the client."""
        content = message.get("content")
        meaning, words = _meaning(line, content)
        result = mapping(line.get("toolUseResult"))
        results = []
        for block in objects(content):
            use = name(block.get("tool_use_id"))
            if block.get("type") != "tool_result" or not use:
                continue
            entry: Fields = {"use": use}
            said = " ".join(_texts(block.get("content")))
            if block.get("is_error") is True:
                entry |= tool_failure(said, is_failed=True)
                if self.with_text and self.error_text and entry["status"] != "cancelled":
                    entry["error"] = said[:LONGEST_ERROR_MESSAGE] or None
                if not self.error_text:
                    entry.pop("error", None)
            if self.with_text:
                entry["output"] = said
            results.append(entry)
        fields: Fields = {**common, "kind": "user", "meaning": meaning, "results": results}
        agent = name(result.get("agentId"))
        if agent and len(results) == 1:
            fields["started_agent"] = {
                "agent": agent,
                "agent_name": name(result.get("agentType")),
                "duration": count(result.get("totalDurationMs")),
                "is_running": name(result.get("status")) not in (None, "completed"),
            }
        if common["side"] and words:
            fields["prompt"] = fingerprint(words)
        if self.with_text and meaning in ("prompt", "command"):
            fields["text"] = words
        is_start = meaning in ("prompt", "command") and not common["side"] and common["uuid"]
        return self._record(fields, f"line|{common['uuid']}" if is_start else None)

    def _progress(self, line: Fields, common: Fields) -> Iterator[Record]:
        """Yield the message of a sub-agent that a progress line of its parent repeats."""
        data = mapping(line.get("data"))
        agent = name(data.get("agentId"))
        inner = mapping(data.get("message"))
        kind = inner.get("type")
        at = milliseconds(inner.get("timestamp")) or common["at"]
        if data.get("type") != "agent_progress" or not agent or at is None:
            return
        if kind not in ("user", "assistant"):
            return
        found = {
            **common,
            "uuid": name(inner.get("uuid")),
            "copied_as": None,
            "parent": None,
            "agent": agent,
            "side": True,
            "at": at,
            "is_progress": True,
            "started_by": name(line.get("parentToolUseID")),
        }
        yield self._message(inner, str(kind), found)

    def _system(self, line: Fields, common: Fields) -> Record | None:
        """Return the record of a line of the client that ends a turn or tells of a failed try."""
        subtype = line.get("subtype")
        if subtype == "turn_duration":
            duration = count(line.get("durationMs"))
            return self._record({**common, "kind": "turn_end", "duration": duration})
        if subtype == "stop_hook_summary":
            return self._record({**common, "kind": "turn_end"})
        if subtype == "api_error":
            error = mapping(line.get("error"))
            inner = mapping(mapping(error.get("error")).get("error")) or mapping(error.get("error"))
            cause = mapping(line.get("cause")) or mapping(error.get("cause"))
            said = text(inner.get("message")) or text(error.get("message"))
            return self._record(
                {
                    **common,
                    "kind": "retry",
                    "attempt": count(line.get("retryAttempt")),
                    "http": http_status(error.get("status")),
                    "error_type": name(inner.get("type")) or name(cause.get("code")),
                    "error": said[:LONGEST_ERROR_MESSAGE] if said and self.error_text else None,
                }
            )
        return None

    def assemble(self, records: Sequence[Fields], counts: Counts) -> Iterator[Run]:
        """Yield the runs of one group of records, which come in any order and may repeat."""
        yield from _Conversations(records).runs()


class _Place:
    """What the path of a file says: the session, and the agent of a sub-agent's file."""

    def __init__(self, path: Path) -> None:
        """Read the path: <session>.jsonl, <session>/subagents/…/agent-<id>.jsonl or .meta.json."""
        file_name = path.name.removesuffix(".gz")
        found = AGENT_FILE.fullmatch(file_name)
        folders = path.parts[:-1]
        self.is_meta = file_name.endswith(META_FILE)
        self.agent: str | None = found["agent"] if found else None
        self.session: str | None = None
        # The time of the last line that has one, for those that have none.
        self.latest_at: int | None = None
        if "subagents" in folders[1:]:
            self.session = folders[folders.index("subagents", 1) - 1]
        elif found is None and UUID.fullmatch(file_name.removesuffix(".jsonl")):
            self.session = file_name.removesuffix(".jsonl")


def _texts(content: object) -> list[str]:
    """Return the texts of a message's content."""
    if isinstance(content, str):
        return [found] if (found := text(content)) else []
    found = [text(block.get("text")) for block in objects(content) if block.get("type") == "text"]
    return [words for words in found if words]


def _json_inside(said: str) -> object:
    """Return the JSON object that follows the words of an error."""
    start = said.find("{")
    try:
        return read_json(said[start:]) if start >= 0 else None
    except (ValueError, RecursionError):
        return None


def _meaning(line: Fields, content: object) -> tuple[str, str]:
    """Return what a user line is (prompt, command, interruption, client, result), and its words."""
    blocks = objects(content)
    is_result = any(block.get("type") == "tool_result" for block in blocks)
    words = ""
    for part in map(_without_context, _texts(content)):
        known = user_line_meaning("claude-code", part)
        if known == "context" or not part.strip():
            continue
        if known == "interruption":
            return known, ""
        if is_result:
            continue
        if _is_of_client(line):
            return "client", part
        if known:
            return known, part
        words = words or part
    if is_result:
        return "result", ""
    if _is_of_client(line):
        return "client", words
    origin = mapping(line.get("origin")).get("kind")
    if isinstance(origin, str) and origin != "human":
        return "client", words
    if words or any(block.get("type") == "image" for block in blocks):
        return "prompt", words
    return "client", ""


def _is_of_client(line: Fields) -> bool:
    """Return whether the client says that it wrote a line itself."""
    says = line.get("isMeta") is True or line.get("isCompactSummary") is True
    return says or "sourceToolUseID" in line


def _origin(line: Fields, copies: list[Fields]) -> str:
    """Return the session that a line was written in: a copy names the one it was copied from."""
    above = {copy["session"]: copy["forked_from"] for copy in copies if "forked_from" in copy}
    session = line["session"]
    seen: set[str] = set()
    while session in above and session not in seen:
        seen.add(session)
        session = above[session]
    return session


@dataclass(slots=True)
class _Use:
    """A tool use, the line it stands in, and how it ended."""

    fields: Fields
    line: Fields
    chain: Chain
    result: Fields | None = None
    result_at: int | None = None


def _without_context(words: str) -> str:
    """Return a text without what the client or the editor put before it."""
    while found := CONTEXT_TAG.match(words):
        words = words[found.end() :]
    return words


@dataclass
class _Draft:
    """A run while its lines are collected by chain: its own and those of its sub-agents."""

    session: str
    start: Fields | None
    lines: dict[Chain, list[Fields]] = field(default_factory=lambda: defaultdict(list))
    calls: int = 0
    copied_calls: int = 0

    @property
    def run_id(self) -> str:
        """Return the uuid of the prompt; what came before a session's first prompt is one run."""
        return self.start["uuid"] if self.start else f"{self.session}-start"

    @property
    def started_at(self) -> int:
        """Return the time of the prompt, else of the first line."""
        if self.start:
            return self.start["at"]
        return min((line["at"] for lines in self.lines.values() for line in lines), default=0)


class _Conversations:
    """Sorts the lines of sessions that share lines into runs and agents."""

    def __init__(self, records: Sequence[Fields]) -> None:
        """Keep each line once, in the session that owns it, and tell runs and agents apart."""
        self.ended: dict[str, int] = {}
        self.metas: dict[Chain, Fields] = {}
        self.lines = self._unique(records)
        depths = self._depths()
        self.order = {
            uuid: (line.get("at", 0), depths[uuid], line["line"], uuid)
            for uuid, line in self.lines.items()
        }
        self.sorted = sorted(self.lines.values(), key=lambda line: self.order[line["uuid"]])
        self.chains = self._chains()
        self.before = self._lines_before()
        self.owners = self._message_owners()
        self.uses = self._uses()
        self.invocations = self._invocations()
        self.drafts = self._drafts()
        self.by_session: dict[str, list[_Draft]] = defaultdict(list)
        for draft in sorted(self.drafts.values(), key=lambda d: (d.started_at, d.run_id)):
            self.by_session[draft.session].append(draft)
        self.unlogged: dict[str, list[_Use]] = defaultdict(list)
        self._add_agents()

    def _unique(self, records: Sequence[Fields]) -> dict[str, Fields]:
        """Return each line once, by its uuid, in the session that owns it."""
        copies: dict[str, list[Fields]] = defaultdict(list)
        for fields in records:
            copies[fields["uuid"]].append(fields)
            if fields["kind"] in ("user", "assistant") and "is_progress" not in fields:
                session = fields["session"]
                self.ended[session] = max(self.ended.get(session, 0), fields["at"])
        lines: dict[str, Fields] = {}
        for uuid, found in copies.items():
            line = found[0] if len(found) == 1 else min(found, key=self._precedence)
            if line["kind"] == "meta":
                self.metas[line["session"], line["agent"]] = line
            else:
                lines[uuid] = {**line, "session": _origin(line, found)}
        origins = {line["copied_as"]: line["uuid"] for line in records if "copied_as" in line}
        for line in lines.values():
            if line.get("parent") in origins:
                line["parent"] = origins[line["parent"]]
        return lines

    def _precedence(self, line: Fields) -> tuple[Any, ...]:
        """Order the copies of a line: files first, the main chain, the session that ended first."""
        return (
            "is_progress" in line,
            "side" in line,
            self._age(line["session"]),
            -line.get("output", 0),
            json.dumps(line, sort_keys=True),
        )

    def _depths(self) -> dict[str, int]:
        """Return how many known ancestors each line has; a cycle ends the climb."""
        depths: dict[str, int] = {}
        for uuid in sorted(self.lines):
            path: dict[str, None] = {}
            at: str | None = uuid
            while at is not None and at in self.lines and at not in depths and at not in path:
                path[at] = None
                at = self.lines[at].get("parent")
            depth = depths.get(at, -1) if at else -1
            for step in reversed(path):
                depth += 1
                depths[step] = depth
        return depths

    def _inherited(self, own: Callable[[Fields], str | None]) -> dict[str, str | None]:
        """Return for each line its own value, else that of its nearest ancestor which has one."""
        known: dict[str, str | None] = {}
        for line in self.sorted:
            path: dict[str, None] = {}
            at: str | None = line["uuid"]
            value: str | None = None
            while at is not None and at in self.lines and at not in path:
                if at in known:
                    value = known[at]
                    break
                path[at] = None
                value = own(self.lines[at])
                if value is not None:
                    break
                at = self.lines[at].get("parent")
            known.update(dict.fromkeys(path, value))
        return known

    def _chains(self) -> dict[str, Chain]:
        """Return the chain of each line: main, an agent's id, or the first line of a side chain."""

        def own(line: Fields) -> str | None:
            if "side" not in line:
                return MAIN
            above = self.lines.get(line.get("parent", ""), {})
            return line.get("agent") or (None if "side" in above else line["uuid"])

        found = self._inherited(own)
        return {
            line["uuid"]: (line["session"], found[line["uuid"]] or line["uuid"])
            for line in self.sorted
        }

    def _lines_before(self) -> dict[str, int]:
        """Return for each line the time of the line before it in its chain, else of its parent."""
        before: dict[str, int] = {}
        latest: dict[Chain, int] = {}
        for line in self.sorted:
            if "at" not in line:
                continue
            chain = self.chains[line["uuid"]]
            parent_at = self.lines.get(line.get("parent", ""), {}).get("at")
            times = [at for at in (latest.get(chain), parent_at) if at and at <= line["at"]]
            before[line["uuid"]] = max(times, default=line["at"])
            latest[chain] = line["at"]
        return before

    def _message_owners(self) -> dict[str, Chain]:
        """Return the chain that owns each model call: main before agents, files before progress."""
        best: dict[str, tuple[Any, ...]] = {}
        for line in self.sorted:
            message = line.get("message")
            if message is None:
                continue
            chain = self.chains[line["uuid"]]
            rank = (
                chain[1] != MAIN,
                "is_progress" in line,
                self._age(chain[0]),
                line["at"],
                chain,
            )
            best[message] = min(best.get(message, rank), rank)
        return {message: rank[-1] for message, rank in best.items()}

    def _is_owned(self, line: Fields) -> bool:
        """Return whether a line's model call counts in the line's chain."""
        message = line.get("message")
        return message is None or self.owners[message] == self.chains[line["uuid"]]

    def _uses(self) -> dict[str, _Use]:
        """Return the tool uses by id, each where its model call counts, with its first result."""
        uses: dict[str, _Use] = {}
        # What stands in an agent's file goes before what its parent's progress lines repeat.
        for line in sorted(self.sorted, key=lambda line: "is_progress" in line):
            if self._is_owned(line):
                for use in line.get("uses", ()):
                    uses.setdefault(use["id"], _Use(use, line, self.chains[line["uuid"]]))
        ranks: dict[str, tuple[Any, ...]] = {}
        for line in self.sorted:
            for result in line.get("results", ()):
                use = uses.get(result["use"])
                if use is None:
                    continue
                rank = (
                    self.chains[line["uuid"]] != use.chain,
                    "is_progress" in line,
                    self.order[line["uuid"]],
                )
                if use.result is None or rank < ranks[result["use"]]:
                    ranks[result["use"]] = rank
                    use.result = {**result, "agent": line.get("started_agent")}
                    use.result_at = max(line["at"], use.line["at"])
        return uses

    def _invocations(self) -> dict[Chain, list[_Use]]:
        """Return the tool uses that started or resumed each agent, in order."""
        found: dict[Chain, dict[str, _Use]] = defaultdict(dict)

        def add(chain: Chain, use_id: str | None) -> None:
            use = self.uses.get(use_id or "")
            if use is not None and use.chain != chain:
                found[chain][use.fields["id"]] = use

        for use_id, use in self.uses.items():
            started = (use.result or {}).get("agent")
            if started:
                add((use.chain[0], started["agent"]), use_id)
        for line in self.sorted:
            if "started_by" in line:
                add(self.chains[line["uuid"]], line["started_by"])
        for chain, meta in self.metas.items():
            add(chain, meta.get("tool_use"))
        agents = {(chain[0], fingerprint(chain[1])): chain for chain in set(self.chains.values())}
        for use_id, use in self.uses.items():
            resumed = agents.get((use.chain[0], use.fields.get("resumes", "")))
            if resumed:
                add(resumed, use_id)
        linked = {use_id for uses in found.values() for use_id in uses}
        by_prompt: dict[tuple[str, str], list[_Use]] = defaultdict(list)
        for use in sorted(self.uses.values(), key=self._use_order):
            if "prompt" in use.fields and use.fields["id"] not in linked:
                by_prompt[use.chain[0], use.fields["prompt"]].append(use)
        first_seen: set[Chain] = set()
        for line in self.sorted:
            chain = self.chains[line["uuid"]]
            if "prompt" not in line or chain in first_seen:
                continue
            first_seen.add(chain)
            same = by_prompt.get((chain[0], line["prompt"]))
            if same and chain not in found:
                add(chain, same.pop(0).fields["id"])
        return {chain: sorted(uses.values(), key=self._use_order) for chain, uses in found.items()}

    def _use_order(self, use: _Use) -> tuple[Any, ...]:
        """Order tool uses by their lines."""
        return (self.order[use.line["uuid"]], use.fields["id"])

    def _drafts(self) -> dict[str, _Draft]:
        """Return the runs with the lines of their main chains, by the uuid of the prompt."""

        def own(line: Fields) -> str | None:
            is_start = "side" not in line and line.get("meaning") in ("prompt", "command")
            return line["uuid"] if is_start else None

        starts = self._inherited(own)
        latest: dict[str, str] = {}
        drafts: dict[str, _Draft] = {}
        self.draft_of: dict[str, _Draft] = {}
        self.prompted: dict[int, set[str]] = defaultdict(set)
        for line in self.sorted:
            if "side" in line or "at" not in line:
                continue
            session = line["session"]
            if own(line):
                latest[session] = line["uuid"]
                self.prompted[line["at"]].add(session)
            start_id = starts[line["uuid"]] or latest.get(session)
            start = self.lines[start_id] if start_id else None
            key = start_id or f"|{session}"
            if key not in drafts:
                drafts[key] = _Draft(start["session"] if start else session, start)
            draft = drafts[key]
            self.draft_of[line["uuid"]] = draft
            is_owned = self._is_owned(line)
            if "message" in line or "failed" in line or "model" in line:
                draft.calls += is_owned
                draft.copied_calls += not is_owned
            if is_owned:
                draft.lines[session, MAIN].append(line)
        return {
            key: draft
            for key, draft in drafts.items()
            if _is_run(draft) and not self._is_copied_prompt(draft)
        }

    def _is_copied_prompt(self, draft: _Draft) -> bool:
        """Return whether a prompt that nobody answered stands in an older session, too.

        Sessions are only read together if they share lines; a message of the same millisecond in
        two of them is one that was copied, also under another uuid.
        """
        if draft.calls or draft.start is None:
            return False
        return self._age(draft.session) > min(map(self._age, self.prompted[draft.started_at]))

    def _age(self, session: str) -> tuple[int, str]:
        """Order sessions by their end: of two that share lines the copy goes on for longer."""
        return self.ended.get(session, 0), session

    def _draft_at(self, session: str, at: int) -> _Draft:
        """Return the latest run of a session that had begun at a time, else its first."""
        found = self.by_session[session]
        if not found:
            found.append(_Draft(session, None))
            self.drafts[f"|{session}"] = found[0]
        return next((d for d in reversed(found) if d.started_at <= at), found[0])

    def _draft_of_agent(self, chain: Chain, at: int) -> tuple[_Draft, _Use | None]:
        """Return the run that an agent worked for at a time, and the tool use that called it."""
        called: _Use | None = None
        seen: set[Chain] = set()
        while chain[1] != MAIN and chain not in seen:
            seen.add(chain)
            uses = self.invocations.get(chain)
            if not uses:
                break
            use = next((use for use in reversed(uses) if use.line["at"] <= at), uses[0])
            called = called or use
            chain, at = use.chain, use.line["at"]
            if chain[1] == MAIN:
                draft = self.draft_of.get(use.line["uuid"])
                if draft is not None and draft.run_id in self.run_ids:
                    return draft, called
        return self._draft_at(chain[0], at), called

    def _add_agents(self) -> None:
        """Add the lines of sub-agents to the runs they worked for, and agents without a log."""
        self.run_ids = {draft.run_id for draft in self.drafts.values()}
        self.callers: dict[tuple[str, Chain], _Use | None] = {}
        has_file = {
            self.chains[line["uuid"]]
            for line in self.sorted
            if "side" in line and "is_progress" not in line and line["kind"] != "link"
        }
        in_file = {
            line["message"]
            for line in self.sorted
            if "message" in line and "is_progress" not in line
        }
        # What an agent's file repeats of its parent comes before its own lines.
        copied = {
            self.chains[line["uuid"]]: self.order[line["uuid"]]
            for line in self.sorted
            if not self._is_owned(line)
        }
        began: dict[Chain, int] = {}
        for line in self.sorted:
            chain = self.chains[line["uuid"]]
            if chain[1] == MAIN or "at" not in line or not self._is_owned(line):
                continue
            if chain in copied and self.order[line["uuid"]] < copied[chain]:
                continue
            is_repeated = line.get("message") in in_file or "message" not in line
            if "is_progress" in line and chain in has_file and is_repeated:
                continue
            is_called = chain in self.invocations
            at = line["at"] if is_called else began.setdefault(chain, line["at"])
            draft, use = self._draft_of_agent(chain, at)
            draft.lines[chain].append(line)
            self.callers.setdefault((draft.run_id, chain), use)
        for use in sorted(self.uses.values(), key=self._use_order):
            started = (use.result or {}).get("agent")
            if not started or (use.chain[0], started["agent"]) in has_file:
                continue
            chain = (use.chain[0], started["agent"])
            draft = self.draft_of.get(use.line["uuid"])
            if use.chain[1] != MAIN:
                draft, _ = self._draft_of_agent(use.chain, use.line["at"])
            if draft is not None and chain not in draft.lines:
                self.callers.setdefault((draft.run_id, chain), use)
                self.unlogged[draft.run_id].append(use)

    def runs(self) -> Iterator[Run]:
        """Yield the runs in the order of their beginning."""
        order = sorted(self.drafts.values(), key=lambda d: (d.started_at, d.session, d.run_id))
        for draft in order:
            run = self._run(draft)
            if run is not None:
                yield run

    def _run(self, draft: _Draft) -> Run | None:
        """Return the run of a draft; None if nothing of it counts."""
        main_lines = [
            line for chain, lines in draft.lines.items() if chain[1] == MAIN for line in lines
        ]
        main_lines.sort(key=lambda line: self.order[line["uuid"]])
        moments = [line["at"] for line in main_lines if _is_work(line)]
        status = _run_status(main_lines)
        sessions = []
        main = self._session(draft, (draft.session, MAIN), main_lines, status)
        if main.steps:
            sessions.append(main)
        for chain, lines in draft.lines.items():
            if chain[1] != MAIN:
                session = self._session(draft, chain, lines, status)
                if session.steps:
                    sessions.append(session)
        sessions += [self._unlogged_session(draft, use) for use in self.unlogged[draft.run_id]]
        if draft.start is None and not sessions:
            return None
        known = {session.agent_session_id for session in sessions}
        for session in sessions:
            if session.parent_agent_session_id not in known:
                session.parent_agent_session_id = None
        started_at = draft.started_at
        ended_at = max(moments, default=started_at)
        turns = [line["duration"] for line in main_lines if "duration" in line]
        duration = sum(turns) if turns else ended_at - started_at
        prompt_id = draft.start["uuid"] if draft.start else None
        return Run(
            conversation_id=draft.session,
            interaction_id=draft.run_id,
            started_at=started_at,
            ended_at=max(ended_at, started_at + duration) if status else None,
            status=status,
            duration_ms=duration if status else None,
            prompted_at=started_at if prompt_id else None,
            prompt_text=draft.start.get("text") if draft.start else None,
            trigger_type="user" if prompt_id else None,
            sessions=sessions,
            actions=[
                Action(action_id=line["uuid"], action_type="interrupted", at=line["at"])
                for line in main_lines
                if line.get("meaning") == "interruption"
            ],
        )

    def _session(
        self, draft: _Draft, chain: Chain, lines: list[Fields], run_status: str | None
    ) -> Session:
        """Return the session of a chain in a run: main, or a sub-agent."""
        work = [line for line in lines if _is_work(line)]
        moments = [line["at"] for line in work]
        started_at = min(moments, default=draft.started_at)
        ended_at = max(moments, default=started_at)
        status = run_status
        parent = None
        agent_name = MAIN
        if chain[1] != MAIN:
            use = self.callers.get((draft.run_id, chain))
            parent = _session_id(draft, use.chain) if use else None
            agent_name = self._agent_name(chain, use)
            status = _agent_status(use, lines, run_status)
        elif draft.start:
            started_at = draft.started_at
        return Session(
            agent_session_id=_session_id(draft, chain),
            agent_name=agent_name,
            started_at=started_at,
            ended_at=ended_at if status else None,
            status=status,
            duration_ms=ended_at - started_at if status else None,
            parent_agent_session_id=parent,
            steps=self._steps(lines),
        )

    def _unlogged_session(self, draft: _Draft, use: _Use) -> Session:
        """Return the session of an agent that only a tool result names."""
        started = (use.result or {})["agent"]
        chain = (use.chain[0], started["agent"])
        ended_at = use.result_at if use.result_at is not None else use.line["at"]
        duration = started.get("duration")
        status = None if started["is_running"] else (use.result or {}).get("status", "success")
        return Session(
            agent_session_id=_session_id(draft, chain),
            agent_name=self._agent_name(chain, use),
            started_at=ended_at - duration if duration is not None else use.line["at"],
            ended_at=ended_at if status else None,
            status=status,
            duration_ms=duration if status else None,
            parent_agent_session_id=_session_id(draft, use.chain),
        )

    def _agent_name(self, chain: Chain, use: _Use | None) -> str:
        """Return what kind of agent a sub-agent is."""
        callers = [use] if use else []
        callers += self.invocations.get(chain, [])
        said = [caller.fields.get("agent_name") for caller in callers]
        said += [((caller.result or {}).get("agent") or {}).get("agent_name") for caller in callers]
        return (
            next((found for found in said if found), None)
            or self.metas.get(chain, {}).get("agent_name")
            or ("compact" if chain[1].startswith(COMPACTION) else DEFAULT_AGENT)
        )

    def _steps(self, lines: list[Fields]) -> list[Step]:
        """Return the model and tool calls of a chain's lines."""
        steps: list[Step] = []
        messages: dict[str, list[Fields]] = defaultdict(list)
        for line in lines:
            if line["kind"] == "retry":
                steps.append(_retry(line))
            elif "failed" in line:
                steps.append(self._failed_call(line))
            elif line["kind"] == "assistant" and "synthetic" not in line:
                messages[line.get("message", line["uuid"])].append(line)
            for use in line.get("uses", ()):
                found = self.uses.get(use["id"])
                if found is not None and found.line is line:
                    steps.append(_tool_call(found))
        for step_id, parts in messages.items():
            steps += self._calls(step_id, parts)
        return sorted(steps, key=lambda step: (step.ended_at, step.step_type, step.step_id))

    def _calls(self, step_id: str, parts: list[Fields]) -> list[Step]:
        """Return the step of a model call and those of the calls inside it.

        Of its lines the one with the most output counts.
        """
        last = max(parts, key=lambda line: (line.get("output", -1), self.order[line["uuid"]]))
        ended_at = max(line["at"] for line in parts)
        began = min(self.before[line["uuid"]] for line in parts)
        stops = [line["stop"] for line in parts if "stop" in line]
        call = Step(
            step_id=step_id,
            step_type="llm_call",
            ended_at=ended_at,
            status="success",
            duration_ms=ended_at - began,
            response_id=last.get("message"),
            model_name=last.get("model"),
            tokens=_as_tokens(last),
            cost_usd=last.get("cost"),
            finish_reason=stops[-1] if stops else None,
            service_tier=last.get("tier"),
        )
        inside = [
            Step(
                step_id=f"{step_id}-{number}",
                step_type="llm_call",
                ended_at=ended_at,
                status="success",
                model_name=part.get("model") or last.get("model"),
                tokens=_as_tokens(part),
                service_tier=last.get("tier"),
            )
            for number, part in enumerate(last.get("inside", ()), start=1)
        ]
        return [call, *inside]

    def _failed_call(self, line: Fields) -> Step:
        """Return the step of a model call that the client gave up."""
        return Step(
            step_id=line["uuid"],
            step_type="llm_call",
            ended_at=line["at"],
            status="error",
            duration_ms=line["at"] - self.before[line["uuid"]],
            failure=_failure(line),
        )


def _tokens(usage: Fields) -> Fields:
    """Return the counts of a usage: input is what was neither read from a cache nor written."""
    cache = mapping(usage.get("cache_creation"))
    written = count(usage.get("cache_creation_input_tokens"))
    by_life = [count(cache.get(f"ephemeral_{life}_input_tokens")) for life in ("5m", "1h")]
    if written is None and any(by_life):
        written = sum(tokens or 0 for tokens in by_life)
    return {
        "input": count(usage.get("input_tokens")),
        "output": count(usage.get("output_tokens")),
        "reasoning": count(mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
        "cache_read": count(usage.get("cache_read_input_tokens")),
        "cache_write": written,
        "cache_write_1h": by_life[1],
    }


def _calls_inside(usage: Fields) -> list[Fields]:
    """Return the calls that a response was billed for beside what its own counts say.

    An adviser is another model, asked while this one answered; a compaction reads the whole
    conversation first. Both are iterations of the usage. Counts of the response are the sum of its
    messages; where a gateway has added compactions to them, these are no calls of their own.
    """
    iterations = objects(usage.get("iterations"))
    messages = [_tokens(part) for part in iterations if part.get("type") in (None, "message")]
    counts = _tokens(usage)
    is_sum = all(
        (counts[word] or 0) == sum(part[word] or 0 for part in messages)
        for word in ("input", "output")
    )
    kinds = (ADVISER, COMPACTED) if is_sum else (ADVISER,)
    found = [
        {"model": model(part.get("model")), **_tokens(part)}
        for part in iterations
        if part.get("type") in kinds
    ]
    return [{key: value for key, value in part.items() if value is not None} for part in found]


def _as_tokens(fields: Fields) -> Tokens:
    """Return the tokens of a call from the fields that _tokens made."""
    return Tokens(
        input=fields.get("input"),
        output=fields.get("output"),
        cache_read=fields.get("cache_read"),
        cache_write=fields.get("cache_write"),
        cache_write_1h=fields.get("cache_write_1h"),
        reasoning=fields.get("reasoning"),
    )


def _is_run(draft: _Draft) -> bool:
    """Return whether lines are a run: a command without a model call and a mere copy are none."""
    if draft.copied_calls and not draft.calls:
        return False
    is_prompt = draft.start is not None and draft.start.get("meaning") == "prompt"
    return is_prompt or draft.calls > 0


def _is_work(line: Fields) -> bool:
    """Return whether a line is work of a run: what the client notes before or after is none."""
    if line["kind"] == "assistant":
        return "synthetic" not in line
    if line["kind"] == "user":
        return line["meaning"] != "client"
    return line["kind"] == "retry"


def _run_status(lines: list[Fields]) -> str | None:
    """Return how a run ended, from the lines of its main chain in order; None if it did not."""
    spoken = [line for line in lines if line["kind"] == "assistant" and "synthetic" not in line]
    last = spoken[-1] if spoken else None
    interruptions = [line["at"] for line in lines if line.get("meaning") == "interruption"]
    if interruptions and (last is None or interruptions[-1] >= last["at"]):
        return "user_cancelled"
    if last is None:
        return None
    if "failed" in last:
        return "error"
    if any(line["kind"] == "turn_end" for line in lines) or not _calls_a_tool(last, spoken):
        return "success"
    return None


def _calls_a_tool(last: Fields, spoken: list[Fields]) -> bool:
    """Return whether the last message uses a tool in any of its lines."""
    if "message" not in last:
        return "uses" in last
    return any("uses" in line for line in spoken if line.get("message") == last["message"])


def _agent_status(use: _Use | None, lines: list[Fields], run_status: str | None) -> str | None:
    """Return how a sub-agent ended: what its caller was told, else its last message."""
    result = use.result if use else None
    if result is not None and not (result.get("agent") or {}).get("is_running"):
        return result.get("status", "success")
    status = _run_status(lines)
    return status or ("user_cancelled" if run_status == "user_cancelled" else None)


def _session_id(draft: _Draft, chain: Chain) -> str:
    """Return the id of an agent's session in a run."""
    return f"{draft.run_id}-{chain[1]}"


def _failure(fields: Fields) -> Failure:
    """Return what a record tells of a failure."""
    return Failure(
        error_type=fields.get("error_type"),
        error_message=fields.get("error"),
        http_status=fields.get("http"),
    )


def _retry(line: Fields) -> Step:
    """Return the step of a failed try that the client repeats by itself."""
    return Step(
        step_id=line["uuid"],
        step_type=RETRY_STEP_TYPE,
        ended_at=line["at"],
        status="error",
        attempt_number=line.get("attempt"),
        failure=_failure(line),
    )


def _tool_call(use: _Use) -> Step:
    """Return the step of a tool use; without a result it is in progress."""
    result = use.result
    began = use.line["at"]
    ended_at = use.result_at if use.result_at is not None else began
    return Step(
        step_id=use.fields["id"],
        step_type="tool_call",
        ended_at=ended_at,
        status="in_progress" if result is None else result.get("status", "success"),
        duration_ms=None if result is None else ended_at - began,
        tool_name=use.fields.get("tool"),
        failure=_failure(result or {}),
        tool_input=use.fields.get("input"),
        tool_output=(result or {}).get("output"),
    )


READER = ClaudeCodeReader()
