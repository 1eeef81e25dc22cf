"""Who talks to which product when: everything that is decided before a run is played."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from scripts.generator.catalog import WORKFLOWS
from scripts.generator.patterns import move_conversations, returning_users
from scripts.generator.randomness import Bools, Floats, Ints, Stream
from scripts.generator.settings import DAY_MS, HOUR_MS, Settings

BLOCK_RUNS = 8_192
# Clean events arrive within this time; every run begins early enough to be seen before the end.
LONGEST_DELAY_MS = 2_500
LATEST_START_MS = 3_500
# How many runs a conversation may have, by the kind of chain its workflow makes.
_LONGEST_CHAIN = {"turns": 8, "children": 3, "none": 1}
# The first conversations are never made dirty. Number 0 comes first in every file, and the first
# value of a column decides the column's type (RUDDERSTACK 1.7); 1 and 2 guarantee that reused ids
# really occur in more than one conversation.
CLEAN_CONVERSATIONS = 3

# Share of conversations by hour of day (UTC), for the three kinds of clocks.
_HOURS: dict[str, tuple[float, ...]] = {
    "user": (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 13, 11, 13, 14, 13, 11, 8, 6, 5, 4, 3, 2, 1),
    "nightly": (0, 4, 10, 2, *([0] * 20)),
    "even": (1,) * 24,
}
_WEEKDAYS: dict[str, tuple[float, ...]] = {
    "user": (1.0, 1.1, 1.1, 1.05, 0.9, 0.35, 0.3),
    "nightly": (1.0,) * 7,
    "even": (1.0, 1.0, 1.0, 1.0, 1.0, 0.8, 0.8),
}
SLOW_DAY_SHARE = 0.12


@dataclass(frozen=True)
class Plan:
    """All conversations, ordered by start. Arrays are by conversation."""

    settings: Settings
    workflow: Ints
    start_ms: Ints
    first_run: Ints  # number of the first run; one more entry than conversations
    user: Ints
    reuses_ids: Bools

    def blocks(self) -> list[tuple[int, int]]:
        """Return ranges of conversations that are simulated together, about `BLOCK_RUNS` runs."""
        total = len(self.workflow)
        edges = [0]
        while edges[-1] < total:
            target = self.first_run[edges[-1]] + BLOCK_RUNS
            edge = int(np.searchsorted(self.first_run, target, side="left"))
            edges.append(min(total, max(edge, edges[-1] + 1)))
        return list(itertools.pairwise(edges))


def _starts(clock: str, count: int, settings: Settings, stream: Stream) -> Ints:
    """Return random conversation starts that follow the clock's hours and weekdays."""
    begin = settings.end_ms - settings.day_count * DAY_MS
    hours = begin // HOUR_MS + np.arange(settings.day_count * 24)
    # 1970-01-01 was a Thursday: day 0 has weekday 3 when Monday is 0.
    weights = (
        np.array(_HOURS[clock])[hours % 24] * np.array(_WEEKDAYS[clock])[(hours // 24 + 3) % 7]
    )
    chosen = stream.pick(weights.astype(np.float64), count)
    inside = (stream.uniform(count) * HOUR_MS).astype(np.int64)
    return begin + chosen * HOUR_MS + inside


def slow_day_factor(start_ms: Ints, settings: Settings) -> Floats:
    """Return 1.0, or how much slower and more error-prone a conversation's day is."""
    if settings.strength("anomalies"):
        return np.ones(len(start_ms))  # the only unusual days are the known ones
    days, where = np.unique(start_ms // DAY_MS, return_inverse=True)
    factors = [
        2.2 if Stream(settings.seed, "slow day", int(day)).uniform(1)[0] < SLOW_DAY_SHARE else 1.0
        for day in days
    ]
    return np.array(factors)[where]


def make_plan(settings: Settings) -> Plan:
    """Return the conversations of the settings: exactly `run_count` runs in all."""
    stream = Stream(settings.seed, "plan")
    count = settings.run_count
    shares = np.array([workflow.share for workflow in WORKFLOWS])
    longest = np.array([_LONGEST_CHAIN[workflow.chain] for workflow in WORKFLOWS])
    workflow = stream.pick(shares, count)
    # Most conversations have one run; each further one is less likely.
    turns = 1 + np.floor(np.log(1.0 - stream.uniform(count)) / np.log(0.45)).astype(np.int64)
    turns = np.minimum(turns, longest[workflow])
    # The last conversation has one run, which ends exactly at the end of the data; the others
    # share the remaining runs.
    total = np.cumsum(turns)
    others = int(np.searchsorted(total, count - 1, side="left")) + 1 if count > 1 else 0
    if others:
        turns[others - 1] -= total[others - 1] - (count - 1)
    turns = np.append(turns[:others], 1)
    workflow = np.append(workflow[:others], 0)
    workflow[0] = 0
    start = np.full(len(turns), settings.end_ms, dtype=np.int64)
    for clock in sorted(_HOURS):
        rows = np.flatnonzero([WORKFLOWS[number].clock == clock for number in workflow[:-1]])
        start[rows] = _starts(clock, len(rows), settings, stream)
    if others > CLEAN_CONVERSATIONS:
        # Somebody is always at work when the data ends: those runs are still in progress.
        by_user = np.array([item.clock == "user" for item in WORKFLOWS])[workflow[:others]]
        late = np.flatnonzero(by_user)[CLEAN_CONVERSATIONS:][: 2 + others // 200]
        start[late] = settings.end_ms - LATEST_START_MS - stream.whole(0, 9_000, len(late))
    if others:
        early = min(others, CLEAN_CONVERSATIONS)
        start[:early] = settings.end_ms - settings.day_count * DAY_MS + 60_000 * np.arange(early)
    start[:-1] = move_conversations(settings, workflow[:-1], start[:-1])
    order = np.argsort(start, kind="stable")
    workflow, turns, start = workflow[order], turns[order], start[order]
    people = max(1, count // 6)
    user = (stream.uniform(len(turns)) ** 1.6 * people).astype(np.int64)
    if settings.strength("retention"):
        asks = np.array([item.has_prompt for item in WORKFLOWS])[workflow]
        user = returning_users(settings, asks, start, user)
    # Ids that restart in every conversation are dirt of their own, and what makes a lost
    # conversation id ambiguous, so both knobs need some.
    reuse_rate = settings.rate("reused_ids")
    if settings.rate("missing_conversation_id") or settings.rate("missing_interaction_id"):
        reuse_rate = max(reuse_rate, 0.05)
    reuses = stream.happens(reuse_rate, len(turns))
    if reuse_rate > 0:
        reuses[1:CLEAN_CONVERSATIONS] = True
    reuses[[0, -1]] = False  # unique ids, as they are exempt from every knob
    first_run = np.concatenate([[0], np.cumsum(turns)]).astype(np.int64)
    return Plan(settings, workflow.astype(np.int64), start, first_run, user, reuses)
