"""What the marts have to find: on which days it happens, and what it does to runs and users.

Nothing here is drawn from the streams of plan and simulation, so that a pattern leaves everything
else as it was. Days are numbers since 1970-01-01, cut in UTC. What happens to a run depends on the
day its conversation began: who has begun with a version or a model goes on with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.generator.catalog import AGENTS, MODELS, WORKFLOWS
from scripts.generator.randomness import Bools, Floats, Ints, Stream, keyed_uniform
from scripts.generator.settings import DAY_MS, Settings

# Days before the end of the data. Changes need two weeks on each side and a past to differ from.
_INCIDENTS = {"runs": 4, "cost_per_run_usd": 8, "success_rate": 11, "p95_duration_ms": 16}
_SWITCH, _RELEASE, _SLOWDOWN = 30, 22, 20

INCIDENT_WORKFLOW = "customer_support"
SLOW_WORKFLOW = "data_analysis"
RELEASE_WORKFLOW, RELEASED_AGENT = "research_assistant", "web_researcher"
FLEXIBLE_AGENTS = ("knowledge_agent", "account_agent")
TRYING_AGENT, TRIED_MODEL = "inbox_assistant", "gpt-4.1-mini"
SWITCHING_AGENT, OLD_MODEL, NEW_MODEL = "triage_agent", "gpt-4.1", "gpt-4.1-mini"
VERSIONS = ("1.0.0", "2.0.0")
PLANS = ("starter", "pro")
OUTCOMES = ("order_completed", "subscription_renewed")

# The day with many runs has so many times the conversations of an average day on top.
_MORE_RUNS = 6.0
# How dear answers, slow answers and failing operations are on their days, and after the release.
_INCIDENT_OUTPUT, _INCIDENT_DURATION, _INCIDENT_FAILURE = 12.0, 14.0, 0.2
_RELEASE_OUTPUT, _RELEASE_DURATION, _RELEASE_FAILURE = 50.0, 2.0, 0.03
_SLOWDOWN_DURATION = 10.0
_TRIAL_FAILURE = 0.1
# Calls of a tool in a session that goes in circles.
LOOP_OPERATIONS = 14


def workflow_number(name: str) -> int:
    """Return the position of a workflow in the catalogue."""
    return next(number for number, item in enumerate(WORKFLOWS) if item.name == name)


def agent_number(name: str) -> int:
    """Return the position of an agent in the catalogue."""
    return next(number for number, item in enumerate(AGENTS) if item.name == name)


def model_number(name: str) -> int:
    """Return the position of a model in the catalogue."""
    return next(number for number, item in enumerate(MODELS) if item.sent_name == name)


@dataclass(frozen=True)
class Schedule:
    """The known days; -1 and no entry where a pattern is off."""

    incidents: dict[str, int]  # day by metric
    switch_day: int
    release_day: int
    slowdown_day: int


def schedule(settings: Settings) -> Schedule:
    """Return the known days of the settings. All are working days, on which there are most runs."""
    end = settings.end_ms // DAY_MS

    def day(before_end: int, pattern: str) -> int:
        if not settings.strength(pattern):
            return -1
        number = end - before_end
        # 1970-01-01 was a Thursday: day 0 has weekday 3 when Monday is 0.
        return number - max((number + 3) % 7 - 4, 0)

    incidents = {metric: day(before, "anomalies") for metric, before in _INCIDENTS.items()}
    return Schedule(
        {metric: number for metric, number in incidents.items() if number >= 0},
        day(_SWITCH, "model_switch"),
        day(_RELEASE, "version_release"),
        day(_SLOWDOWN, "slowdown"),
    )


def move_conversations(settings: Settings, workflow: Ints, start_ms: Ints) -> Ints:
    """Return the starts with conversations moved to the day of many runs."""
    days = schedule(settings)
    start = start_ms.copy()
    movable = np.ones(len(start), dtype=bool)
    movable[:3] = False  # the opening conversations stay where they are
    if "runs" in days.incidents:
        stream = Stream(settings.seed, "anomalies")
        mine = np.flatnonzero((workflow == workflow_number(INCIDENT_WORKFLOW)) & movable)
        more = int(settings.strength("anomalies") * _MORE_RUNS * len(mine) / settings.day_count)
        chosen = mine[np.argsort(stream.uniform(len(mine)), kind="stable")[:more]]
        start[chosen] = days.incidents["runs"] * DAY_MS + start[chosen] % DAY_MS
    return start


def returning_users(settings: Settings, by_user: Bools, start_ms: Ints, user: Ints) -> Ints:
    """Return the users of the conversations so that every week has new ones and some come back.

    Every user who is meant to come in a week has at least one conversation in it.
    """
    result = user.copy()
    stream = Stream(settings.seed, "retention")
    # 1970-01-05 was a Monday.
    week = (start_ms // DAY_MS - 4) // 7
    cohorts: list[tuple[int, Ints]] = []
    known = 0
    for number in np.unique(week[by_user]).tolist():
        rows = np.flatnonzero(by_user & (week == number))
        rows = rows[np.argsort(stream.uniform(len(rows)), kind="stable")]
        wanted = max(1, len(rows) * 2 // 5)
        active: list[Ints] = []
        for cohort, people in cohorts:
            chance = settings.strength("retention") * 0.8 ** (number - cohort - 1)
            keys = people.astype(np.uint64) << np.uint64(20) | np.uint64(number)
            active.append(people[keyed_uniform(keys, settings.seed, "returns") < chance])
        returning = np.concatenate([*active, np.zeros(0, dtype=np.int64)])[: len(rows) - 1]
        fresh = np.arange(known, known + min(max(wanted - len(returning), 1), len(rows)))
        known += len(fresh)
        cohorts.append((number, fresh))
        present = np.concatenate([returning, fresh])[: len(rows)]
        others = (stream.uniform(len(rows)) * len(present)).astype(np.int64)
        result[rows] = present[others]
        result[rows[: len(present)]] = present
    return result


def plan_of_users(settings: Settings, user: Ints, start_ms: Ints) -> Ints:
    """Return the position in `PLANS` of each user at a time, -1 without the pattern or a user."""
    if not settings.strength("plans"):
        return np.full(len(user), -1, dtype=np.int64)
    keys = np.maximum(user, 0).astype(np.uint64)
    is_pro = keyed_uniform(keys, settings.seed, "plan") < settings.strength("plans")
    # One in five of the others moves up some day of the history, or would have later.
    moves = keyed_uniform(keys, settings.seed, "moves up") < 0.2
    first = settings.end_ms - settings.day_count * DAY_MS
    share = keyed_uniform(keys, settings.seed, "day of moving up")
    moved = start_ms >= first + share * settings.day_count * DAY_MS
    return np.where(user < 0, -1, np.where(is_pro | (moves & moved), 1, 0))


@dataclass
class Effects:
    """What patterns do to agent sessions: version, and how they differ from others."""

    version: Ints  # position in VERSIONS, -1 where nobody sends one
    failure: Floats  # chance on top that an operation fails for good
    output: Floats  # factor of the tokens written
    duration: Floats  # factor


def effects_on(settings: Settings, workflow: Ints, agent: Ints, start_ms: Ints) -> Effects:
    """Return what the patterns do to sessions of conversations that begin at `start_ms`."""
    count = len(workflow)
    days = schedule(settings)
    day = start_ms // DAY_MS
    found = Effects(
        np.full(count, -1, dtype=np.int64), np.zeros(count), np.ones(count), np.ones(count)
    )
    if days.release_day >= 0:
        # A part of the users may stay with the old version.
        keys = (start_ms.astype(np.uint64) << np.uint64(8)) | agent.astype(np.uint64)
        share = keyed_uniform(keys, settings.seed, "version_release")
        is_new = (agent == agent_number(RELEASED_AGENT)) & (day >= days.release_day)
        is_new &= share < settings.strength("version_release")
        found.version = is_new.astype(np.int64)
        found.failure[is_new] = _RELEASE_FAILURE
        found.output[is_new] = _RELEASE_OUTPUT
        found.duration[is_new] = _RELEASE_DURATION
    if days.slowdown_day >= 0:
        rows = (workflow == workflow_number(SLOW_WORKFLOW)) & (day >= days.slowdown_day)
        found.duration[rows] = 1 + settings.strength("slowdown") * (_SLOWDOWN_DURATION - 1)
    found.failure[on_trial(settings, agent, start_ms)] = _TRIAL_FAILURE
    strength = settings.strength("anomalies")
    mine = workflow == workflow_number(INCIDENT_WORKFLOW)
    # It is tools that fail, so an agent without any goes on as ever.
    has_tools = np.array([bool(item.tools) for item in AGENTS])
    for metric, number in days.incidents.items():
        rows = mine & (day == number)
        if metric == "cost_per_run_usd":
            found.output[rows] = 1 + strength * (_INCIDENT_OUTPUT - 1)
        if metric == "p95_duration_ms":
            found.duration[rows] = 1 + strength * (_INCIDENT_DURATION - 1)
        if metric == "success_rate":
            found.failure[rows & has_tools[agent]] = strength * _INCIDENT_FAILURE
    return found


def on_trial(settings: Settings, agent: Ints, start_ms: Ints) -> Bools:
    """Return which sessions try the cheaper model: all those of a conversation, or none."""
    keys = start_ms.astype(np.uint64)
    chosen = keyed_uniform(keys, settings.seed, "model_trial") < settings.strength("model_trial")
    return (agent == agent_number(TRYING_AGENT)) & chosen


def models_by_pattern(settings: Settings, agent: Ints, start_ms: Ints, model: Ints) -> Ints:
    """Return the models of sessions: the one on trial, the old one before and the new one after
    the switch, or what they had.
    """
    model = np.where(on_trial(settings, agent, start_ms), model_number(TRIED_MODEL), model)
    day = schedule(settings).switch_day
    if day < 0:
        return model
    keys = start_ms.astype(np.uint64)
    chosen = keyed_uniform(keys, settings.seed, "model_switch") < settings.strength("model_switch")
    mine = (agent == agent_number(SWITCHING_AGENT)) & chosen
    is_old = start_ms // DAY_MS < day
    switched = np.where(is_old, model_number(OLD_MODEL), model_number(NEW_MODEL))
    return np.where(mine, switched, model)
