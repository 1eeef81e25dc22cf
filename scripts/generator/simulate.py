"""Plays a block of conversations: sessions, operations with retries, times, tokens and costs.

The result is plain arrays that know nothing about events. Writers and truth both read them, so
whatever was played is by construction what truth says. Times are whole milliseconds; -1 in a
whole-number array and not-a-number in a decimal one mean "not known".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.generator.catalog import (
    AGENTS,
    ERROR_KINDS,
    MODELS,
    TOOLS,
    TOPICS,
    UNKNOWN_MODELS,
    WORKFLOWS,
)
from scripts.generator.patterns import (
    FLEXIBLE_AGENTS,
    LOOP_OPERATIONS,
    Effects,
    effects_on,
    models_by_pattern,
    plan_of_users,
)
from scripts.generator.plan import CLEAN_CONVERSATIONS, LATEST_START_MS, Plan, slow_day_factor
from scripts.generator.prices import PriceList
from scripts.generator.randomness import Bools, Floats, Ints, Stream
from scripts.generator.settings import Settings

LLM_CALL, TOOL_CALL, PLANNING, VALIDATION = range(4)
STEP_TYPES = ("llm_call", "tool_call", "planning", "validation")
SUCCESS, ERROR, TIMEOUT, CANCELLED, PARTIAL = range(5)
# As run_status and session_status name them; the events say `user_cancelled`.
STATUSES = ("success", "error", "timeout", "cancelled", "partial_success")
COPIED, SHARED, REGENERATED, THUMBS, RATING, SCORE = range(6)
MAX_SLOTS = 8
MAX_OPERATIONS = 24
WAVES = 1 + max(slot.wave for workflow in WORKFLOWS for slot in workflow.slots)
ALL_WAVES = 1 + max(slot.wave for item in WORKFLOWS for slot in (*item.slots, *item.circle))
# Prompts stay well below every long-context tier of the price list, also when a session is summed.
LARGEST_CONTEXT_TOKENS = 5_000

AGENT_NUMBER = {agent.name: number for number, agent in enumerate(AGENTS)}
MODEL_NUMBER = {model.sent_name: number for number, model in enumerate(MODELS)}
TOOL_NUMBER = {tool.name: number for number, tool in enumerate(TOOLS)}


@dataclass
class Runs:
    """Arrays by run of the block."""

    number: Ints
    conversation: Ints  # number of the conversation in the plan
    turn: Ints
    workflow: Ints
    user: Ints
    reuses_ids: Bools
    is_clean: Bools  # exempt from every kind of dirt
    parent: Ints  # number of the parent run, -1 for none
    prompt_text: Ints
    answer_text: Ints
    input_method: Ints
    start_ms: Ints
    end_ms: Ints
    status: Ints
    is_completed: Bools
    has_prompt: Bools
    plan: Ints  # position in patterns.PLANS, -1 for none


@dataclass
class Sessions:
    """Arrays by agent session; `run` is the position in the block's runs."""

    run: Ints
    slot: Ints
    agent: Ints
    model: Ints
    parent: Ints  # position of the parent session, -1 for none
    depth: Ints
    start_ms: Ints
    end_ms: Ints
    status: Ints
    is_completed: Bools
    other_convention: Bools
    version: Ints  # position in patterns.VERSIONS, -1 for none
    loops: Bools  # one tool is called with one input again and again
    step_count: Ints
    sent_tokens: Ints  # rows of prompt, completion, cache read, cache write as the sender sums them
    sent_cost: Floats


@dataclass
class Steps:
    """Arrays by step; `session` is the position in the block's sessions."""

    session: Ints
    number: Ints
    kind: Ints
    status: Ints
    attempt: Ints
    tool: Ints
    model: Ints
    error: Ints  # position in catalog.ERROR_KINDS, -1 for none
    duration_ms: Ints
    end_ms: Ints
    sent_tokens: Ints
    tokens: Ints  # the same in four disjoint classes
    sent_cost: Floats
    value: Ints


@dataclass
class Actions:
    """Arrays by user action; `run` is the position in the block's runs."""

    run: Ints
    kind: Ints
    time_ms: Ints
    value: Floats  # what the user gave: 0/1 for thumbs, 1 to 5 stars, 0 to 1 score
    rating: Floats  # the same between 0 and 1


@dataclass
class Simulation:
    """One block of conversations, played."""

    block: int
    plan: Plan
    runs: Runs
    sessions: Sessions
    steps: Steps
    actions: Actions


def segment_starts(groups: Ints) -> Ints:
    """Return where each run of equal values begins in a sorted array, once per row."""
    if len(groups) == 0:
        return groups
    first = np.concatenate([[True], groups[1:] != groups[:-1]])
    starts = np.flatnonzero(first)
    return starts[np.cumsum(first) - 1]


def running_total(values: Ints, groups: Ints) -> Ints:
    """Return the running total within each group of a sorted array, own row included."""
    if len(values) == 0:
        return values
    total = np.cumsum(values)
    starts = segment_starts(groups)
    return total - total[starts] + values[starts]


def expand(counts: Ints) -> tuple[Ints, Ints]:
    """Return, for `counts` rows per parent, each row's parent and position within it."""
    parent = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(len(parent)) - np.repeat(np.cumsum(counts) - counts, counts)
    return parent, position


def _table(rows: list[list[int]]) -> tuple[Ints, Ints]:
    """Return ragged lists as one padded array and their lengths."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    padded = np.full((len(rows), max(1, int(lengths.max()))), -1, dtype=np.int64)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded, lengths


_AGENT_TOOLS, _AGENT_TOOL_COUNT = _table([[TOOL_NUMBER[name] for name in a.tools] for a in AGENTS])
_SIBLING_MODELS, _SIBLING_COUNT = _table(
    [
        [n for n, other in enumerate(MODELS) if other.family == m.family and n != number]
        for number, m in enumerate(MODELS)
    ]
)
_TOOL_FAILURE = np.array([tool.failure_rate for tool in TOOLS])
_TOOL_SPEED = np.array([tool.duration_ms for tool in TOOLS], dtype=np.float64)
_MODEL_FAILURE = np.array([model.failure_rate for model in MODELS])
_MODEL_SPEED = np.array([model.speed_ms for model in MODELS], dtype=np.float64)
_MODEL_CACHES = np.array([model.caches for model in MODELS])
_MODEL_WRITES = np.array([model.writes_cache for model in MODELS])


def _workflow_flag(name: str) -> Bools:
    return np.array([bool(getattr(workflow, name)) for workflow in WORKFLOWS])


def _make_runs(plan: Plan, first: int, last: int, stream: Stream) -> Runs:
    counts = np.diff(plan.first_run)[first:last]
    conversation, turn = expand(counts)
    conversation = conversation + first
    count = len(conversation)
    number = plan.first_run[first] + np.arange(count)
    workflow = plan.workflow[conversation]
    topics = len(TOPICS)
    prompts = np.array([len(item.prompts) for item in WORKFLOWS])[workflow]
    answers = np.array([len(item.answers) for item in WORKFLOWS])[workflow]
    methods = np.array([len(item.input_methods) for item in WORKFLOWS])[workflow]
    topic = (stream.uniform(count) * topics).astype(np.int64)
    prompt_text = (stream.uniform(count) * prompts).astype(np.int64) * topics + topic
    answer_text = (stream.uniform(count) * answers).astype(np.int64) * topics + topic
    has_prompt = _workflow_flag("has_prompt")[workflow]
    # A user who is not helped asks the same again.
    again = stream.happens(0.06, count) & (turn > 0) & has_prompt
    prompt_text[1:] = np.where(again[1:], prompt_text[:-1], prompt_text[1:])
    child = np.array([item.chain == "children" for item in WORKFLOWS])[workflow] & (turn > 0)
    is_clean = conversation < CLEAN_CONVERSATIONS
    is_clean |= conversation == len(plan.workflow) - 1
    zeros = np.zeros(count, dtype=np.int64)
    user = np.where(has_prompt, plan.user[conversation], -1)
    return Runs(
        number=number,
        conversation=conversation,
        turn=turn,
        workflow=workflow,
        user=user,
        reuses_ids=plan.reuses_ids[conversation],
        is_clean=is_clean,
        parent=np.where(child, number - 1, -1),
        prompt_text=prompt_text,
        answer_text=answer_text,
        input_method=(stream.uniform(count) * methods).astype(np.int64),
        start_ms=zeros.copy(),
        end_ms=zeros.copy(),
        status=zeros.copy(),
        is_completed=np.ones(count, dtype=bool),
        has_prompt=has_prompt,
        plan=plan_of_users(plan.settings, user, plan.start_ms[conversation]),
    )


@dataclass
class _Draft:
    """Sessions while they are being drawn; `wave` and `spans` are only needed for timing."""

    run: Ints
    slot: Ints
    agent: Ints
    model: Ints
    parent_slot: Ints
    wave: Ints
    spans: Bools
    operations: Ints
    other_convention: Bools
    loops: Bools


def _draw_sessions(runs: Runs, plan: Plan, block: int, stream: Stream) -> _Draft:
    settings = plan.settings
    count = len(runs.number)
    chance = stream.uniform(count, MAX_SLOTS)
    columns: list[list[Ints]] = [[], [], [], [], [], []]
    loops = Stream(settings.seed, "loops", block)
    goes_round = loops.happens(settings.strength("loops"), count) & ~runs.is_clean
    for number, workflow in enumerate(WORKFLOWS):
        rows = np.flatnonzero(runs.workflow == number)
        for position, slot in enumerate((*workflow.slots, *workflow.circle)):
            chosen = rows[chance[rows, position] < slot.probability]
            if position >= len(workflow.slots):
                chosen = rows[goes_round[rows]]
            parent = -1 if slot.parent is None else slot.parent
            facts = (position, AGENT_NUMBER[slot.agent], parent, slot.wave, int(slot.spans))
            columns[0].append(chosen)
            for column, fact in zip(columns[1:], facts, strict=True):
                column.append(np.full(len(chosen), fact, dtype=np.int64))
    run, slot_number, agent, parent_slot, wave, spans = (np.concatenate(c) for c in columns)
    order = np.lexsort((slot_number, run))
    run, slot_number, agent = run[order], slot_number[order], agent[order]
    parent_slot, wave, spans = parent_slot[order], wave[order], spans[order].astype(bool)
    sessions = len(run)
    wave = _one_after_the_other(runs, settings, block, run=run, agent=agent, wave=wave)

    model = np.empty(sessions, dtype=np.int64)
    draw = stream.uniform(sessions)
    # Clean runs use an agent's first model: it has a price, so that every cost column begins with
    # a decimal number.
    draw[runs.is_clean[run]] = 0.0
    for number, item in enumerate(AGENTS):
        rows = np.flatnonzero(agent == number)
        limits = np.cumsum([weight for _, weight in item.models])
        names = np.array([MODEL_NUMBER[name] for name, _ in item.models])
        picked = np.searchsorted(limits, draw[rows] * limits[-1], side="right")
        model[rows] = names[picked]
    unknown = Stream(settings.seed, "unknown_models", block)
    switch = unknown.happens(settings.rate("unknown_models"), sessions) & ~runs.is_clean[run]
    names = np.array([MODEL_NUMBER[name] for name in UNKNOWN_MODELS])
    model = np.where(switch, names[unknown.whole(0, len(names) - 1, sessions)], model)
    begins = plan.start_ms[runs.conversation[run]]
    model = np.where(switch, model, models_by_pattern(settings, agent, begins, model))

    median = np.array([item.operations for item in AGENTS])[agent]
    spread = np.array([item.spread for item in AGENTS])[agent]
    operations = np.rint(stream.log_normal(median, spread, sessions)).astype(np.int64)
    least = np.where(_AGENT_TOOL_COUNT[agent] > 0, 2, 1)
    operations = np.clip(operations, np.where(spans, 2, least), MAX_OPERATIONS)
    # The first session with tools of a run that goes round, where its agents do not.
    repeats = loops.happens(settings.strength("loops"), count) & ~runs.is_clean & ~goes_round
    able = np.flatnonzero(repeats[run] & (_AGENT_TOOL_COUNT[agent] > 0) & ~spans)
    is_looping = np.zeros(sessions, dtype=bool)
    is_looping[able[np.unique(run[able], return_index=True)[1]]] = True
    operations = np.where(is_looping, LOOP_OPERATIONS, operations)
    conventions = Stream(settings.seed, "cached_token_conventions", block)
    other = conventions.happens(settings.rate("cached_token_conventions"), sessions)
    other &= _MODEL_CACHES[model] & ~runs.is_clean[run]
    return _Draft(
        run, slot_number, agent, model, parent_slot, wave, spans, operations, other, is_looping
    )


def _one_after_the_other(
    runs: Runs, settings: Settings, block: int, *, run: Ints, agent: Ints, wave: Ints
) -> Ints:
    """Return the waves of sessions, of which some that could run side by side follow each other."""
    stream = Stream(settings.seed, "flexible_order", block)
    count = len(runs.number)
    chosen = stream.happens(settings.strength("flexible_order"), count) & ~runs.is_clean
    numbers = [AGENT_NUMBER[name] for name in FLEXIBLE_AGENTS]
    for number in numbers:
        chosen &= np.bincount(run, agent == number, count) > 0
    second = np.array(numbers)[stream.whole(0, 1, count)]
    # Who comes second is a wave later, and so is everybody after both.
    first_wave = np.zeros(count, dtype=np.int64)
    both = np.isin(agent, numbers)
    first_wave[run[both]] = wave[both]
    waits = (agent == second[run]) | (wave > first_wave[run])
    return wave + (chosen[run] & waits)


@dataclass
class _Operations:
    """Operations of sessions: what was tried, how often, and whether it worked in the end."""

    session: Ints
    position: Ints
    is_last: Bools
    kind: Ints
    tool: Ints
    attempts: Ints
    falls_back: Bools
    ends_well: Bools
    is_fatal: Bools

    def keep(self, rows: Bools) -> _Operations:
        return _Operations(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def _draw_operations(
    draft: _Draft, slow: Floats, effects: Effects, runs: Runs, stream: Stream
) -> _Operations:
    session, position = expand(draft.operations)
    count = len(session)
    agent = draft.agent[session]
    is_last = position == draft.operations[session] - 1
    plans = np.array([item.plans for item in AGENTS])[agent]
    validates = np.array([item.validates for item in AGENTS])[agent]
    kind = np.where((position % 2 == 1) & (_AGENT_TOOL_COUNT[agent] > 0), TOOL_CALL, LLM_CALL)
    kind = np.where(validates & is_last & (position > 0), VALIDATION, kind)
    kind = np.where(plans & (position == 0), PLANNING, kind)
    is_tool = kind == TOOL_CALL
    choice = (stream.uniform(count) * _AGENT_TOOL_COUNT[agent]).astype(np.int64)
    tool = np.where(is_tool, _AGENT_TOOLS[agent, choice], -1)
    loops = draft.loops[session]
    tool = np.where(is_tool & loops, _AGENT_TOOLS[agent, 0], tool)
    failure = np.where(is_tool, _TOOL_FAILURE[tool], _MODEL_FAILURE[draft.model[session]])
    luck = stream.uniform(count)
    breaks = luck < effects.failure[session]
    fails = (breaks | (luck < failure * slow[session] + effects.failure[session])) & ~loops
    course = np.where(breaks, 0.97, stream.uniform(count))
    # What follows a first failure: one retry that works, two retries, a fallback that works, going
    # on without, or giving up (after one or two attempts).
    two_retries = fails & (course >= 0.58) & (course < 0.68)
    falls_back = fails & (course >= 0.68) & (course < 0.80)
    goes_on = fails & (course >= 0.80) & (course < 0.90)
    gives_up = fails & (course >= 0.90) & ~runs.is_clean[draft.run[session]]
    attempts = np.where(fails, 2, 1)
    attempts = np.where(two_retries, 3, attempts)
    attempts = np.where(goes_on | (gives_up & (course >= 0.95)), 1, attempts)
    return _Operations(
        session,
        position,
        is_last,
        kind,
        tool,
        attempts,
        falls_back,
        ~(goes_on | gives_up),
        gives_up,
    )


@dataclass
class _Fate:
    """What ended sessions (`is_fatal`, `decides` the run's status) and runs early."""

    is_fatal: Bools
    decides: Bools
    is_cancelled: Bools
    is_crashed: Bools


def _first_position(rows: Ints, values: Ints, count: int) -> Ints:
    """Return the smallest value per row, a very large number where there is none."""
    smallest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(smallest, rows, values)
    return smallest


def simulate(plan: Plan, block: int, first: int, last: int, prices: PriceList) -> Simulation:
    """Play the conversations `first` to `last` (exclusive) of the plan.

    The result depends on the settings, the block number and nothing else.
    """
    settings = plan.settings
    stream = Stream(settings.seed, "simulation", block)
    runs = _make_runs(plan, first, last, stream)
    run_count = len(runs.number)
    slow_run = slow_day_factor(plan.start_ms[runs.conversation], settings)
    draft = _draw_sessions(runs, plan, block, stream)
    slow = slow_run[draft.run]
    begins = plan.start_ms[runs.conversation[draft.run]]
    effects = effects_on(settings, runs.workflow[draft.run], draft.agent, begins)
    operations = _draw_operations(draft, slow, effects, runs, stream)
    session_count = len(draft.run)

    # A session that gives up ends there; most runs then end, too.
    fatal_rows = np.flatnonzero(operations.is_fatal)
    fatal_position = _first_position(
        operations.session[fatal_rows], operations.position[fatal_rows], session_count
    )
    operations = operations.keep(operations.position <= fatal_position[operations.session])
    is_fatal = fatal_position < np.iinfo(np.int64).max
    last_wave = np.zeros(run_count, dtype=np.int64)
    np.maximum.at(last_wave, draft.run, draft.wave)
    stops_early = draft.spans & (fatal_position < draft.operations - 1)
    aborts = is_fatal & (stops_early | stream.happens(0.6, session_count))
    aborting = np.flatnonzero(aborts)
    cut_wave = _first_position(draft.run[aborting], draft.wave[aborting], run_count)
    may_break = (cut_wave > last_wave) & ~runs.is_clean
    fate = stream.uniform(run_count)
    cancelled = may_break & runs.has_prompt & (fate < 0.025)
    crashed = may_break & (fate >= 0.975) & (fate < 0.985)
    broken_wave = (stream.uniform(run_count) * (last_wave + 1)).astype(np.int64)
    broken = cancelled | crashed
    cut_wave = np.where(broken, broken_wave, cut_wave)

    kept = draft.wave <= cut_wave[draft.run]
    position = np.cumsum(kept) - 1
    operations = operations.keep(kept[operations.session])
    operations.session = position[operations.session]
    draft = _Draft(*(getattr(draft, name)[kept] for name in draft.__dataclass_fields__))
    effects = Effects(*(getattr(effects, name)[kept] for name in effects.__dataclass_fields__))
    is_fatal, slow = is_fatal[kept], slow[kept] * effects.duration
    session_count = len(draft.run)
    is_cut = broken[draft.run] & ((draft.wave == cut_wave[draft.run]) | draft.spans)
    spans_on = draft.spans & ~is_fatal
    # An orchestrator's last operation happens after everything else, or never in a broken run.
    closing = operations.is_last & spans_on[operations.session]
    operations = operations.keep(~(closing & is_cut[operations.session]))
    steps, closes = _play_steps(draft, operations, slow, stream)
    timing = _time_sessions(
        draft,
        steps,
        closes,
        run_count,
        stream=stream,
        further=Stream(settings.seed, "further waves", block),
    )
    start_offset, end_offset, run_length = timing

    _place_runs(runs, plan, run_length, stream)
    origin = runs.start_ms[draft.run]
    steps.end_ms += origin[steps.session]
    _count_tokens(draft, steps, prices, effects.output, stream)
    sessions = _finish_sessions(draft, steps, origin + start_offset, origin + end_offset, is_cut)
    sessions.version = effects.version
    fate = _Fate(is_fatal, is_fatal & (draft.wave == cut_wave[draft.run]), cancelled, crashed)
    fate.decides |= is_fatal & (draft.wave == last_wave[draft.run])
    _decide_statuses(runs, steps, sessions, fate, stream)
    actions = _act(runs, settings.seed, block)
    return Simulation(block, plan, runs, sessions, steps, actions)


def _play_steps(
    draft: _Draft, operations: _Operations, slow: Floats, stream: Stream
) -> tuple[Steps, Bools]:
    """Return one step per attempt, and which ones belong to an orchestrator's last operation.

    `end_ms` is still relative to the first step's start of the session.
    """
    operation, attempt = expand(operations.attempts)
    session = operations.session[operation]
    count = len(session)
    kind = operations.kind[operation]
    final = attempt == operations.attempts[operation] - 1
    failed = ~(final & operations.ends_well[operation])
    is_tool = kind == TOOL_CALL
    other = operations.falls_back[operation] & final & (attempt > 0)
    tool = operations.tool[operation]
    agent = draft.agent[session]
    count_of_tools = _AGENT_TOOL_COUNT[agent]
    next_tool = _AGENT_TOOLS[
        agent,
        (np.argmax(_AGENT_TOOLS[agent] == tool[:, None], 1) + 1) % (np.maximum(count_of_tools, 1)),
    ]
    tool = np.where(is_tool & other, next_tool, tool)
    model = draft.model[session]
    sibling = _SIBLING_MODELS[model, 0]
    model = np.where(other & ~is_tool & (_SIBLING_COUNT[model] > 0), sibling, model)
    model = np.where(is_tool, -1, model)

    weights = np.array([item.weight for item in ERROR_KINDS])
    of_tool = np.array([item.step_kind == "tool" for item in ERROR_KINDS])
    tool_error = stream.pick(weights * of_tool, count)
    model_error = stream.pick(weights * ~of_tool, count)
    error = np.where(failed, np.where(is_tool, tool_error, model_error), -1)
    times_out = np.array([item.status == "timeout" for item in ERROR_KINDS])
    status = np.where(failed, np.where(times_out[error], TIMEOUT, ERROR), SUCCESS)

    speed = np.where(is_tool, _TOOL_SPEED[tool], _MODEL_SPEED[model])
    duration = stream.log_normal(speed, 0.55, count) * slow[session]
    duration = np.where((status == ERROR) & ~is_tool, duration * 0.3, duration)
    duration = np.where(status == TIMEOUT, 30_000.0, duration)
    duration_ms = np.maximum(np.rint(duration), 3).astype(np.int64)
    pause = stream.whole(4, 60, count)
    pause += np.where(attempt > 0, 400, 0)
    offset = running_total(duration_ms + pause, session)
    value = np.where(draft.loops[session], session % 60, stream.whole(0, 59, count))
    step_total = np.bincount(session, minlength=len(draft.run))
    number = np.arange(count) - np.repeat(np.cumsum(step_total) - step_total, step_total)
    closing = operations.is_last[operation]
    nothing = np.full((count, 4), -1, dtype=np.int64)
    spanning = draft.spans[session]
    steps = Steps(
        session=session,
        number=number + 1,
        kind=kind,
        status=status,
        attempt=attempt + 1,
        tool=tool,
        model=model,
        error=error,
        duration_ms=duration_ms,
        end_ms=offset,
        sent_tokens=nothing,
        tokens=nothing.copy(),
        sent_cost=np.full(count, np.nan),
        value=value,
    )
    return steps, closing & spanning


def _time_sessions(
    draft: _Draft, steps: Steps, closes: Bools, run_count: int, *, stream: Stream, further: Stream
) -> tuple[Ints, Ints, Ints]:
    """Return start and end of each session and the length of each run, from the run's start.

    Makes the steps' `end_ms` relative to the run's start.
    """
    session_count = len(draft.run)
    head = stream.whole(6, 40, session_count)
    tail = stream.whole(2, 20, session_count)
    jitter = stream.whole(0, 80, session_count)
    body = np.zeros(session_count, dtype=np.int64)
    np.maximum.at(body, steps.session[~closes], steps.end_ms[~closes])
    clock = stream.whole(20, 240, run_count)
    handoff = stream.whole(5, 220, run_count * WAVES).reshape(WAVES, run_count)
    # Waves that only runs in circles have; drawn apart, so that the others stay what they are.
    more = further.whole(5, 220, run_count * (ALL_WAVES - WAVES))
    handoff = np.concatenate([handoff, more.reshape(ALL_WAVES - WAVES, run_count)])
    start = np.zeros(session_count, dtype=np.int64)
    for wave in range(ALL_WAVES):
        rows = np.flatnonzero(draft.wave == wave)
        start[rows] = clock[draft.run[rows]] + jitter[rows]
        latest = np.zeros(run_count, dtype=np.int64)
        ends = start[rows] + head[rows] + body[rows] + tail[rows]
        np.maximum.at(latest, draft.run[rows], ends)
        clock = np.where(latest > 0, latest + handoff[wave], clock)
    end = start + head + body + tail
    shift = (start + head)[steps.session]
    # The last operation of an orchestrator waits for everybody else.
    wait = clock[draft.run] - (start + head + body)
    steps.end_ms = steps.end_ms + shift + np.where(closes, wait[steps.session], 0)
    closing = np.flatnonzero(closes)
    resumed = np.zeros(session_count, dtype=np.int64)
    np.maximum.at(resumed, steps.session[closing], steps.end_ms[closing])
    end = np.where(resumed > 0, resumed + tail, end)
    np.maximum.at(clock, draft.run, end)
    return start, end, clock + stream.whole(10, 140, run_count)


def _place_runs(runs: Runs, plan: Plan, length: Ints, stream: Stream) -> None:
    """Put the runs of each conversation one after the other on the time axis."""
    count = len(length)
    gap = np.rint(stream.log_normal(95_000.0, 1.1, count)).astype(np.int64) + 4_000
    again = np.concatenate([[False], runs.prompt_text[1:] == runs.prompt_text[:-1]])
    gap = np.where(again & (runs.turn > 0), stream.whole(8_000, 90_000, count), gap)
    gap = np.where(runs.parent >= 0, stream.whole(500, 4_000, count), gap)
    # A run begins where the one before it ended, plus the pause before it.
    before = np.concatenate([[0], length[:-1]]) + gap
    before = np.where(runs.turn == 0, 0, before)
    runs.start_ms = plan.start_ms[runs.conversation] + running_total(before, runs.conversation)
    # Every run of a conversation begins before the end of the data.
    latest = np.full(len(plan.workflow), np.iinfo(np.int64).min)
    np.maximum.at(latest, runs.conversation, runs.start_ms)
    excess = np.maximum(latest - (plan.settings.end_ms - LATEST_START_MS), 0)
    runs.start_ms -= excess[runs.conversation]
    runs.end_ms = runs.start_ms + length
    final = runs.conversation == len(plan.workflow) - 1
    runs.start_ms = np.where(final, plan.settings.end_ms - length, runs.start_ms)
    runs.end_ms = np.where(final, plan.settings.end_ms, runs.end_ms)


def _count_tokens(
    draft: _Draft, steps: Steps, prices: PriceList, output: Floats, stream: Stream
) -> None:
    """Fill in the tokens of the steps as the sender counts them and in four classes, and costs."""
    count = len(steps.session)
    model = np.maximum(steps.model, 0)
    uses_model = steps.model >= 0
    # A failed call seldom says what it used.
    has_tokens = uses_model & ((steps.status == SUCCESS) | stream.happens(0.2, count))
    context = stream.log_normal(620.0, 0.7, count) * (1 + 0.35 * (steps.number - 1))
    context_tokens = np.clip(context, 20, LARGEST_CONTEXT_TOKENS).astype(np.int64)
    usual = np.array([agent.completion_tokens for agent in AGENTS])[draft.agent[steps.session]]
    answer = stream.log_normal(usual * 1.0, 0.8, count) * output[steps.session]
    written = np.clip(answer, 1, 8_000).astype(np.int64)
    other = draft.other_convention[steps.session] & _MODEL_CACHES[model]
    hits = stream.happens(0.8, count) & (steps.number > 1) & _MODEL_CACHES[model]
    cache_read = np.where(hits, context_tokens * stream.uniform(count) * 0.8, 0).astype(np.int64)
    # More cached than prompt tokens prove that the cached ones are not among the prompt tokens.
    cache_read = np.where(other, context_tokens * 0.7 + 50, cache_read).astype(np.int64)
    share = np.where(steps.number == 1, 0.5, 0.1)
    cache_write = np.where(_MODEL_WRITES[model], context_tokens * share * stream.uniform(count), 0)
    cache_write = cache_write.astype(np.int64)
    fresh = np.maximum(context_tokens - cache_read - cache_write, 1)
    fresh = np.where(other, np.minimum(fresh, np.maximum(cache_read - 1, 1)), fresh)
    classes = np.stack([fresh, written, cache_read, cache_write], axis=1)
    sent = classes.copy()
    sent[:, 0] += np.where(prices.includes_cache_read[model] & ~other, cache_read, 0)
    sent[:, 0] += np.where(prices.includes_cache_write[model] & ~other, cache_write, 0)
    for rows in (classes, sent):
        rows[~_MODEL_CACHES[model], 2] = -1
        rows[~_MODEL_WRITES[model], 3] = -1
        rows[~has_tokens] = -1
    steps.tokens = classes
    steps.sent_tokens = sent
    cost = prices.cost(model, steps.end_ms, classes)
    steps.sent_cost = np.where(has_tokens, np.round(cost, 8), np.nan)


def _sum_known(groups: Ints, values: Ints, count: int) -> Ints:
    """Return the sum per group of the values that are known (not -1); -1 where none is."""
    known = values >= 0
    total = np.bincount(groups[known], weights=values[known], minlength=count).astype(np.int64)
    return np.where(np.bincount(groups[known], minlength=count) > 0, total, -1)


def sum_tokens(groups: Ints, tokens: Ints, count: int) -> Ints:
    """Return rows of four token sums per group; -1 where no row of the group knows that class."""
    return np.stack([_sum_known(groups, tokens[:, n], count) for n in range(4)], axis=1)


def _finish_sessions(
    draft: _Draft, steps: Steps, start_ms: Ints, end_ms: Ints, is_cut: Bools
) -> Sessions:
    count = len(draft.run)
    lookup = np.full((int(draft.run.max()) + 1 if count else 0, MAX_SLOTS), -1, dtype=np.int64)
    lookup[draft.run, draft.slot] = np.arange(count)
    parent = np.where(draft.parent_slot >= 0, lookup[draft.run, draft.parent_slot], -1)
    depth = np.zeros(count, dtype=np.int64)
    for _ in range(MAX_SLOTS):  # parents have smaller slots, so this settles
        depth = np.where(parent >= 0, depth[parent] + 1, 0)
    known = ~np.isnan(steps.sent_cost)
    cost = np.bincount(steps.session[known], steps.sent_cost[known], minlength=count)
    priced = np.bincount(steps.session[known], minlength=count)
    used = np.bincount(steps.session[steps.tokens[:, 1] >= 0], minlength=count)
    # A sender that lacks one price does not know the session's cost.
    sent_cost = np.where((priced > 0) & (priced == used), np.round(cost, 8), np.nan)
    return Sessions(
        run=draft.run,
        slot=draft.slot,
        agent=draft.agent,
        model=draft.model,
        parent=parent,
        depth=depth,
        start_ms=start_ms,
        end_ms=end_ms,
        status=np.zeros(count, dtype=np.int64),
        is_completed=~is_cut,
        other_convention=draft.other_convention,
        version=np.full(count, -1, dtype=np.int64),
        loops=draft.loops,
        step_count=np.bincount(steps.session, minlength=count),
        sent_tokens=sum_tokens(steps.session, steps.sent_tokens, count),
        sent_cost=sent_cost,
    )


def _decide_statuses(
    runs: Runs, steps: Steps, sessions: Sessions, fate: _Fate, stream: Stream
) -> None:
    """Set the status of sessions and runs and whether a run completes at all."""
    count = len(runs.number)
    ended_badly = np.flatnonzero(fate.is_fatal)
    last_step = np.cumsum(sessions.step_count) - 1
    sessions.status[ended_badly] = steps.status[last_step[ended_badly]]
    soft = stream.happens(0.01, len(sessions.run)) & (sessions.status == SUCCESS)
    sessions.status[soft] = PARTIAL
    worst = np.zeros(count, dtype=np.int64)
    decisive = ended_badly[fate.decides[ended_badly]]
    worst[sessions.run[decisive]] = sessions.status[decisive]
    spoiled = np.zeros(count, dtype=bool)
    spoiled[sessions.run[ended_badly]] = True
    spoiled &= stream.happens(0.7, count)
    spoiled |= stream.happens(0.012, count) & ~runs.is_clean
    runs.status = np.where(worst > 0, worst, np.where(spoiled, PARTIAL, SUCCESS))
    # Some runs just take too long, whatever their sessions say.
    slow = (runs.status == SUCCESS) & stream.happens(0.006, count) & ~runs.is_clean
    runs.status = np.where(slow, TIMEOUT, runs.status)
    runs.status = np.where(fate.is_cancelled, CANCELLED, runs.status)
    runs.is_completed = ~fate.is_crashed


def _act(runs: Runs, seed: int, block: int) -> Actions:
    """Return what users did with the answers: feedback, copying, sharing, asking again."""
    stream = Stream(seed, "actions", block)
    count = len(runs.number)
    good = runs.status == SUCCESS
    may = runs.has_prompt & runs.is_completed & (runs.status != CANCELLED)
    chances = (
        (COPIED, np.where(good, 0.18, 0.02)),
        (SHARED, np.where(good, 0.05, 0.0)),
        (REGENERATED, np.where(good, 0.04, 0.25)),
        (THUMBS, np.where(good, 0.09, 0.14)),
        (RATING, np.full(count, 0.05)),
        (SCORE, np.full(count, 0.02)),
    )
    last = runs.conversation == runs.conversation[-1]
    opening = runs.number == 0
    rows: list[Ints] = []
    kinds: list[Ints] = []
    for kind, chance in chances:
        acts = may & stream.happens(chance, count)
        acts &= ~(last & runs.is_clean)  # nothing happens after the end of the data
        if kind == THUMBS:
            acts |= opening & ~last  # the first feedback value decides its column's type
        chosen = np.flatnonzero(acts)
        rows.append(chosen)
        kinds.append(np.full(len(chosen), kind))
    run, kind = np.concatenate(rows), np.concatenate(kinds)
    happy = stream.uniform(len(run)) < np.where(runs.status[run] == SUCCESS, 0.8, 0.25)
    luck = stream.uniform(len(run))
    stars = np.where(happy, 4 + (luck > 0.4), 1 + np.floor(luck * 3))
    score = np.round(np.where(happy, 0.6 + 0.4 * luck, 0.5 * luck), 2)
    thumbs = happy.astype(np.float64)
    value = np.select(
        [kind == THUMBS, kind == RATING, kind == SCORE], [thumbs, stars, score], np.nan
    )
    rating = np.where(kind == RATING, (value - 1) / 4, value)
    order = np.lexsort((kind, run))
    delay = stream.whole(2_000, 150_000, len(run))
    return Actions(
        run[order], kind[order], (runs.end_ms[run] + delay)[order], value[order], rating[order]
    )
