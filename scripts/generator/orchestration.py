"""How the agent sessions of a run stand to each other, as docs/semantics.md defines it.

Run by run and pair by pair, where the models sort all sessions at once, so that a mistake in one of
the two shows as a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from scripts.generator.randomness import Bools, Ints

SINGLE, LINEAR, FAN_OUT, NESTED, LOOP = range(5)
TOPOLOGIES = ("single", "linear", "fan_out", "nested", "loop")
MAX_PARTS = 20
TIMES = "\N{MULTIPLICATION SIGN}"
LOOP_REPEATS = 5


@dataclass
class Shapes:
    """One row per run; -1 and None where the run has no agent session."""

    topology: Ints
    max_depth: Ints
    is_multi_agent: Bools
    path: list[str | None]
    critical_path_ms: Ints
    sequential_sibling_ms: Ints
    handoffs: Ints


@dataclass(frozen=True)
class _Session:
    agent: int
    parent: int  # row of the parent session, -1 for none
    depth: int
    start: int
    end: int
    duration: int  # -1 where nobody knows it

    @property
    def has_length(self) -> bool:
        return self.end > self.start


def run_shapes(
    *,
    run: Ints,
    agent: Ints,
    parent: Ints,
    depth: Ints,
    start_ms: Ints,
    end_ms: Ints,
    duration_ms: Ints,
    names: list[str],
    count: int,
) -> Shapes:
    """Return the shape of each run from its sessions; `parent` is a row of the same arrays."""
    shapes = Shapes(
        topology=np.full(count, -1, dtype=np.int64),
        max_depth=np.full(count, -1, dtype=np.int64),
        is_multi_agent=np.zeros(count, dtype=bool),
        path=[None] * count,
        critical_path_ms=np.full(count, -1, dtype=np.int64),
        sequential_sibling_ms=np.full(count, -1, dtype=np.int64),
        handoffs=np.zeros(count, dtype=np.int64),
    )
    order = np.lexsort((end_ms, start_ms, run))
    bounds = np.flatnonzero(np.diff(run[order], prepend=-1, append=-1))
    columns = (agent, parent, depth, start_ms, end_ms, duration_ms)
    for first, last in pairwise(bounds.tolist()):
        rows = order[first:last].tolist()
        number = int(run[rows[0]])
        sessions = {row: _Session(*(int(column[row]) for column in columns)) for row in rows}
        listed = list(sessions.values())
        families: dict[int, list[int]] = {}
        for row, session in sessions.items():
            families.setdefault(session.parent, []).append(row)
        shapes.topology[number] = _topology(sessions, families)
        shapes.max_depth[number] = max(session.depth for session in listed)
        known = {session.agent for session in listed if session.agent >= 0}
        shapes.is_multi_agent[number] = len(known) > 1
        shapes.path[number] = _path(listed, names)
        shapes.critical_path_ms[number] = _critical_path(sessions, families)
        shapes.sequential_sibling_ms[number] = _savable(sessions, families)
        shapes.handoffs[number] = _handoffs(listed)
    return shapes


def _overlap(one: _Session, other: _Session) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _overlaps(one: _Session, other: _Session) -> bool:
    return one.has_length and other.has_length and _overlap(one, other) > 0


def _topology(sessions: dict[int, _Session], families: dict[int, list[int]]) -> int:
    if len(sessions) == 1:
        return SINGLE
    for family in families.values():
        by_agent: dict[int, list[_Session]] = {}
        for row in family:
            if sessions[row].agent >= 0:
                by_agent.setdefault(sessions[row].agent, []).append(sessions[row])
        if any(_circles(calls) for calls in by_agent.values()):
            return LOOP
    if max(session.depth for session in sessions.values()) >= 2:
        return NESTED
    has_parents = any(session.parent >= 0 for session in sessions.values())
    for parent, family in families.items():
        siblings = [sessions[row] for row in family]
        for number, one in enumerate(siblings):
            for other in siblings[number + 1 :]:
                if not _overlaps(one, other):
                    continue
                shorter = min(one.end - one.start, other.end - other.start)
                if parent >= 0 or (not has_parents and 10 * _overlap(one, other) > shorter):
                    return FAN_OUT
    return LINEAR


def _circles(calls: list[_Session]) -> bool:
    """Return whether three calls in a row each began after all before them had ended."""
    follows = [
        not any(_overlaps(call, earlier) for earlier in calls[:number])
        for number, call in enumerate(calls)
    ]
    return any(follows[number] and follows[number - 1] for number in range(2, len(calls)))


def _path(sessions: list[_Session], names: list[str]) -> str:
    parts: list[tuple[str, int]] = []
    for session in sessions:
        name = names[session.agent] if session.agent >= 0 else "(not set)"
        if parts and parts[-1][0] == name:
            parts[-1] = (name, parts[-1][1] + 1)
        else:
            parts.append((name, 1))
    shown = [name if times == 1 else f"{name} {TIMES}{times}" for name, times in parts[:MAX_PARTS]]
    return " > ".join([*shown, "…"] if len(parts) > MAX_PARTS else shown)


def _critical_path(sessions: dict[int, _Session], families: dict[int, list[int]]) -> int:
    chains = {}
    for family in families.values():
        left = sorted(family, key=lambda row: (sessions[row].end, sessions[row].start))
        while left:
            last = left.pop()
            chains[last] = True
            start = sessions[last].start
            # What has no length would come before itself.
            latest = start if sessions[last].has_length else start - 1
            left = [row for row in left if sessions[row].end <= latest]

    def is_on_path(row: int) -> bool:
        while row >= 0:
            if row not in chains:
                return False
            row = sessions[row].parent
        return True

    return _union([session for row, session in sessions.items() if is_on_path(row)])


def _union(sessions: list[_Session]) -> int:
    total, reached = 0, None
    for session in sorted(sessions, key=lambda item: item.start):
        begin = session.start if reached is None else max(session.start, reached)
        total += max(session.end - begin, 0)
        reached = session.end if reached is None else max(reached, session.end)
    return total


def _savable(sessions: dict[int, _Session], families: dict[int, list[int]]) -> int:
    total, is_known = 0, False
    for family in families.values():
        siblings = [sessions[row] for row in family]
        alone = [
            one.duration
            for one in siblings
            if one.duration >= 0
            and not any(_overlaps(one, other) for other in siblings if other is not one)
        ]
        is_known |= bool(alone)
        total += sum(alone) - max(alone, default=0)
    return total if is_known else -1


def _handoffs(sessions: list[_Session]) -> int:
    named = sum(session.parent >= 0 for session in sessions)
    if named:
        return named
    return sum(not _overlaps(one, following) for one, following in pairwise(sessions))


def calls_from_above(
    *, run: Ints, parent: Ints, start_ms: Ints, end_ms: Ints, above: Ints, count: int
) -> Ints:
    """Return 1 for runs whose first session has its work from a run above them, 0 for others.

    It has where exactly one session of that run (`above`, -1 for none) was open when it started.
    """
    calls = np.zeros(count, dtype=np.int64)
    firsts = {}
    for row in np.lexsort((end_ms, start_ms)).tolist():
        if parent[row] < 0 and above[run[row]] >= 0:
            firsts.setdefault(int(run[row]), row)
    for number, row in firsts.items():
        caller = run == above[number]
        is_open = caller & (start_ms <= start_ms[row]) & (end_ms > start_ms[row])
        calls[number] = np.count_nonzero(is_open) == 1
    return calls


def redundant_steps(group: Ints, signature: Ints, is_retry: Bools, count: int) -> tuple[Ints, Ints]:
    """Return per group the repetitions, -1 where no step tells its input, and the most of one.

    `signature` is equal for steps that do the same and -1 where the input is not known.
    """
    redundant = np.full(count, -1, dtype=np.int64)
    most = np.zeros(count, dtype=np.int64)
    redundant[group[signature >= 0]] = 0
    rows = np.flatnonzero((signature >= 0) & ~is_retry)
    if len(rows) == 0:
        return redundant, most
    pairs = np.stack([group[rows], signature[rows]], axis=1)
    distinct, times = np.unique(pairs, axis=0, return_counts=True)
    np.add.at(redundant, distinct[:, 0], times - 1)
    np.maximum.at(most, distinct[:, 0], times)
    return redundant, most
