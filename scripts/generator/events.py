"""Which events a block of played runs sends, and what goes wrong with them on the way.

An `Events` object is one raw table of one block: for every event what it is about (positions in
the simulation), when it was sent and received, and how its ids are spoiled. Nothing here knows the
names of properties; `event_tables` adds them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from scripts.generator.catalog import WORKFLOWS
from scripts.generator.patterns import OUTCOMES
from scripts.generator.plan import LONGEST_DELAY_MS
from scripts.generator.randomness import (
    Bools,
    Floats,
    Ints,
    Stream,
    keyed_normal,
    keyed_uniform,
    keyed_whole,
)
from scripts.generator.settings import DAY_MS
from scripts.generator.simulate import (
    COPIED,
    ERROR,
    RATING,
    REGENERATED,
    SCORE,
    SHARED,
    SUCCESS,
    THUMBS,
    Simulation,
    sum_tokens,
)

PROMPT = "ai_user_prompt_created"
RESPONSE = "ai_agent_response_received"
RUN_COMPLETED = "ai_interaction_completed"
ACTION = "ai_user_action"
SESSION_STARTED = "ai_agent_session_started"
SESSION_COMPLETED = "ai_agent_session_completed"
STEP = "ai_agent_step_completed"
TABLES = (PROMPT, RESPONSE, RUN_COMPLETED, ACTION, SESSION_STARTED, SESSION_COMPLETED, STEP)
# Tables whose events name an agent session.
SESSION_TABLES = (SESSION_STARTED, SESSION_COMPLETED, STEP)

# Runs of every ninth user are those of somebody who is not logged in.
ANONYMOUS_OF, ANONYMOUS = 9, 8

# How an id is sent: as it is, not at all, as "" or as spaces.
PRESENT, ABSENT, EMPTY, SPACES = range(4)
FEEDBACK = (THUMBS, RATING, SCORE)
PLAIN_ACTIONS = (COPIED, SHARED, REGENERATED)


@dataclass
class Events:
    """Events of one raw table and block, one array entry per event as delivered."""

    table: str
    key: np.ndarray  # unsigned 64 bit, unique per event; the same for a second delivery
    run: Ints
    session: Ints  # -1 where the event is about no session
    subject: Ints  # position of the step or action; -1 otherwise
    time_ms: Ints  # when it happened
    sent_ms: Ints  # the timestamp it carries
    received_ms: Ints
    status: Ints  # status it reports; a conflicting completion has another one
    conversation_form: Ints
    interaction_form: Ints
    session_form: Ints
    has_event_id: Bools
    has_bad_timestamp: Bools
    has_canary: Bools
    delivery: Ints  # 0 for the first delivery, 1 for the second
    displaced: Bools

    def take(self, rows: np.ndarray) -> Events:
        """Return the events of the given positions or flags."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return Events(**{n: v if n == "table" else v[rows] for n, v in values.items()})

    def extend(self, other: Events) -> Events:
        """Return these events followed by the others."""
        joined = {
            f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)])
            for f in fields(self)
            if f.name != "table"
        }
        return Events(table=self.table, **joined)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.run)


@dataclass
class Costs:
    """What senders put into the cost and duration properties, after dirt. NaN: no property.

    `…_text` says that the figure was sent as text, which RudderStack discards in a number column.
    """

    step: Floats
    session: Floats
    run: Floats
    step_text: Bools
    session_text: Bools
    run_text: Bools
    duration_text: Bools  # by run
    run_tokens: Ints
    numeric_conversation: Bools  # by run
    mixed_feedback: Bools  # by action


def workflow_flag(name: str) -> Bools:
    """Return a yes/no setting of every workflow, by workflow number."""
    return np.array([bool(getattr(workflow, name)) for workflow in WORKFLOWS])


def sent_costs(sim: Simulation) -> Costs:
    """Return the cost figures the senders report, spoiled as the settings ask."""
    runs, sessions, steps = sim.runs, sim.sessions, sim.steps
    settings = sim.plan.settings
    session_workflow = runs.workflow[sessions.run]
    step_workflow = session_workflow[steps.session]
    count = len(runs.number)
    tokens = sum_tokens(sessions.run, sessions.sent_tokens, count)
    # Counts of senders with different conventions cannot be added, so such a run reports none.
    mixed = np.bincount(sessions.run, sessions.other_convention, count) > 0
    has_tokens = sessions.sent_tokens[:, 1] >= 0
    missing = np.bincount(sessions.run, has_tokens & np.isnan(sessions.sent_cost), count) > 0
    known = ~np.isnan(sessions.sent_cost)
    total = np.bincount(sessions.run[known], sessions.sent_cost[known], minlength=count)
    # Some runs cost more than their sessions: calls that no agent reports.
    stream = Stream(settings.seed, "costs", sim.block)
    total *= np.where(stream.happens(0.06, count), 1.1, 1.0)
    run_cost = np.where(missing | (total == 0), np.nan, np.round(total, 8))

    step = np.where(workflow_flag("sends_step_cost")[step_workflow], steps.sent_cost, np.nan)
    step_used = steps.tokens[:, 1] >= 0
    session = np.where(
        workflow_flag("sends_session_cost")[session_workflow], sessions.sent_cost, np.nan
    )
    run = np.where(workflow_flag("sends_run_cost")[runs.workflow], run_cost, np.nan)
    run_used = tokens[:, 1] >= 0
    clean_session = runs.is_clean[sessions.run]
    clean_step = clean_session[steps.session]
    groups = (
        ("step", step, step_used, clean_step, "sends_step_cost", step_workflow),
        ("session", session, has_tokens, clean_session, "sends_session_cost", session_workflow),
        ("run", run, run_used, runs.is_clean, "sends_run_cost", runs.workflow),
    )
    spoiled: dict[str, Floats] = {}
    as_text: dict[str, Bools] = {}
    for name, cost, used, clean, flag, workflow in groups:
        sends = workflow_flag(flag)[workflow] & used & ~clean
        zero = Stream(settings.seed, f"zero_cost {name}", sim.block)
        negative = Stream(settings.seed, f"negative_cost {name}", sim.block)
        text = Stream(settings.seed, f"cost as text {name}", sim.block)
        size = len(cost)
        is_zero = sends & zero.happens(settings.rate("zero_cost_with_tokens"), size)
        is_negative = sends & negative.happens(settings.rate("negative_cost"), size)
        below_zero = -np.abs(np.nan_to_num(cost)) - 0.01
        figure = np.select([is_negative, is_zero], [below_zero, 0.0], cost)
        spoiled[name] = np.round(figure, 8)
        as_text[name] = (
            ~clean & ~np.isnan(figure) & text.happens(settings.rate("wrong_types"), size)
        )
    types = Stream(settings.seed, "wrong_types", sim.block)
    rate = settings.rate("wrong_types")
    numeric = types.happens(rate, int(runs.conversation.max()) - int(runs.conversation.min()) + 1)
    return Costs(
        step=spoiled["step"],
        session=spoiled["session"],
        run=spoiled["run"],
        step_text=as_text["step"],
        session_text=as_text["session"],
        run_text=as_text["run"],
        duration_text=types.happens(rate, count) & ~runs.is_clean,
        run_tokens=np.where(
            (workflow_flag("sends_run_tokens")[runs.workflow] & ~mixed)[:, None], tokens, -1
        ),
        numeric_conversation=numeric[runs.conversation - runs.conversation.min()] & ~runs.is_clean,
        mixed_feedback=types.happens(rate, len(sim.actions.run)) & ~runs.is_clean[sim.actions.run],
    )


def is_logged_in(user: Ints) -> Bools:
    """Return which users of runs (-1 for none) have a user id."""
    return (user >= 0) & (user % ANONYMOUS_OF != ANONYMOUS)


def _events(
    sim: Simulation,
    table: str,
    *,
    run: Ints,
    time_ms: Ints,
    session: Ints | None = None,
    subject: Ints | None = None,
    status: Ints | None = None,
) -> Events:
    """Return one clean event per entry of `run`, received shortly after it happened."""
    count = len(run)
    nothing = np.full(count, -1, dtype=np.int64)
    session = nothing.copy() if session is None else session
    subject = nothing.copy() if subject is None else subject
    status = nothing.copy() if status is None else status
    number = sim.runs.number[run].astype(np.uint64)
    detail = np.zeros(count, dtype=np.uint64)
    has_session = session >= 0
    detail[has_session] = sim.sessions.slot[session[has_session]].astype(np.uint64) << np.uint64(10)
    if table == STEP:
        detail += sim.steps.number[subject].astype(np.uint64)
    if table == ACTION:
        detail += sim.actions.kind[subject].astype(np.uint64)
    key = np.uint64((*TABLES, *OUTCOMES).index(table)) << np.uint64(60)
    key = key | (number << np.uint64(16)) | detail
    delay = 40 + 260.0 * np.exp(0.9 * keyed_normal(key, sim.plan.settings.seed, "delay"))
    received = time_ms + np.minimum(np.rint(delay), LONGEST_DELAY_MS).astype(np.int64)
    # The last run arrives when it happens, so that the data ends with it.
    is_last = sim.runs.conversation[run] == len(sim.plan.workflow) - 1
    received = np.where(is_last, time_ms, received)
    zeros = np.zeros(count, dtype=np.int64)
    return Events(
        table=table,
        key=key,
        run=run,
        session=session,
        subject=subject,
        time_ms=time_ms,
        sent_ms=time_ms.copy(),
        received_ms=received,
        status=status,
        conversation_form=zeros.copy(),
        interaction_form=zeros.copy(),
        session_form=zeros.copy(),
        has_event_id=np.ones(count, dtype=bool),
        has_bad_timestamp=np.zeros(count, dtype=bool),
        has_canary=np.zeros(count, dtype=bool),
        delivery=zeros.copy(),
        displaced=np.zeros(count, dtype=bool),
    )


def _second_completions(sim: Simulation, events: Events) -> Events:
    """Return the events with, for some completions, a later one that says something else."""
    seed, knob = sim.plan.settings.seed, "conflicting_completions"
    chosen = keyed_uniform(events.key, seed, knob) < sim.plan.settings.rate(knob)
    chosen &= ~sim.runs.is_clean[events.run]
    again = events.take(np.flatnonzero(chosen))
    again.key = again.key | np.uint64(1 << 15)
    later = keyed_whole(again.key, seed, knob, low=20, high=900)
    again.received_ms = again.received_ms + later
    again.sent_ms = again.sent_ms + later
    again.time_ms = again.sent_ms.copy()
    again.status = np.where(again.status == SUCCESS, ERROR, SUCCESS)
    return events.extend(again)


def send_events(sim: Simulation) -> dict[str, Events]:
    """Return the events of a block by table, with all dirt applied, as delivered by the end."""
    runs, sessions, steps, actions = sim.runs, sim.sessions, sim.steps, sim.actions
    session_count = len(sessions.run)
    settings = sim.plan.settings
    standard = _chosen(sim, "standard_events_only", runs.is_clean)
    clean_session = runs.is_clean[sessions.run]
    orphan = _chosen(sim, "orphan_steps", clean_session)
    silent = orphan & Stream(settings.seed, "orphans without response", sim.block).happens(
        0.5, session_count
    )
    quiet = standard[sessions.run]
    ended = sessions.is_completed
    started = ~quiet & ~orphan & ~_chosen(sim, "missing_session_started", clean_session)
    completed = ended & ~quiet & ~orphan
    completed &= ~_chosen(sim, "missing_session_completed", clean_session)
    prompted = runs.has_prompt & ~_chosen(sim, "missing_prompt", runs.is_clean)
    finished = runs.is_completed & ~_chosen(sim, "missing_interaction_completed", runs.is_clean)

    sent: dict[str, Events] = {}
    rows = np.flatnonzero(prompted)
    sent[PROMPT] = _events(sim, PROMPT, run=rows, time_ms=runs.start_ms[rows])
    rows = np.flatnonzero(finished)
    sent[RUN_COMPLETED] = _events(
        sim, RUN_COMPLETED, run=rows, time_ms=runs.end_ms[rows], status=runs.status[rows]
    )
    for table, flags, times in (
        (SESSION_STARTED, started, sessions.start_ms),
        (SESSION_COMPLETED, completed, sessions.end_ms),
        (RESPONSE, ended & ~silent, sessions.end_ms + 2),
    ):
        rows = np.flatnonzero(flags)
        sent[table] = _events(
            sim,
            table,
            run=sessions.run[rows],
            time_ms=times[rows],
            session=rows,
            status=sessions.status[rows],
        )
    rows = np.flatnonzero(~quiet[steps.session])
    owner = steps.session[rows]
    sent[STEP] = _events(
        sim,
        STEP,
        run=sessions.run[owner],
        time_ms=steps.end_ms[rows],
        session=owner,
        subject=rows,
        status=steps.status[rows],
    )
    rows = np.arange(len(actions.run))
    sent[ACTION] = _events(sim, ACTION, run=actions.run, time_ms=actions.time_ms, subject=rows)
    for table in (RUN_COMPLETED, SESSION_COMPLETED):
        sent[table] = _second_completions(sim, sent[table])
    sent = {table: _spoil(sim, sent[table]) for table in TABLES}
    _lose_ids(sim, sent)
    # What had not been received by the end of the data is not there yet.
    end = settings.end_ms
    return {
        table: events.take(np.flatnonzero(events.received_ms <= end))
        for table, events in sent.items()
    }


def send_outcomes(sim: Simulation) -> list[Events]:
    """Return what users did outside of the products after a run that helped them, by event.

    One in four of the outcomes is a renewal, the others are orders.
    """
    runs, settings = sim.runs, sim.plan.settings
    strength = settings.strength("outcomes")
    if not strength:
        return []
    key = runs.number.astype(np.uint64)
    follows = keyed_uniform(key, settings.seed, "outcomes") < strength
    follows &= (runs.status == SUCCESS) & runs.is_completed & is_logged_in(runs.user)
    renews = keyed_uniform(key, settings.seed, "renews") < 0.25
    # Some come too late to count: the seed outcome_events looks at 7 and at 30 days.
    later = keyed_whole(key, settings.seed, "outcome delay", low=60_000, high=10 * DAY_MS)
    time_ms = runs.end_ms + later
    sent = []
    for outcome, chosen in zip(OUTCOMES, (follows & ~renews, follows & renews), strict=True):
        rows = np.flatnonzero(chosen)
        events = _events(sim, outcome, run=rows, time_ms=time_ms[rows])
        sent.append(events.take(np.flatnonzero(events.received_ms <= settings.end_ms)))
    return sent


def _chosen(sim: Simulation, knob: str, clean: Bools) -> Bools:
    stream = Stream(sim.plan.settings.seed, knob, sim.block)
    return stream.happens(sim.plan.settings.rate(knob), len(clean)) & ~clean


def _spoil(sim: Simulation, events: Events) -> Events:
    """Apply the dirt that concerns one event at a time: lateness, clocks, canaries, duplicates."""
    settings = sim.plan.settings
    dirty = ~sim.runs.is_clean[events.run]

    def chosen(knob: str) -> Ints:
        return np.flatnonzero(
            dirty & (keyed_uniform(events.key, settings.seed, knob) < settings.rate(knob))
        )

    def whole(rows: Ints, purpose: str, low: int, high: int) -> Ints:
        return keyed_whole(events.key[rows], settings.seed, purpose, low=low, high=high)

    rows = chosen("late_arrival")
    events.received_ms[rows] += whole(rows, "lateness", 3_600_000, 10 * DAY_MS)
    rows = chosen("clock_skew")
    ahead = whole(rows, "how far ahead", 2 * DAY_MS, 30 * DAY_MS)
    events.sent_ms[rows] = events.received_ms[rows] + ahead
    is_bad = keyed_uniform(events.key[rows], settings.seed, "bad timestamp") < 0.3
    events.has_bad_timestamp[rows] = is_bad
    events.has_canary[chosen("pii_canaries")] = True
    events.displaced[chosen("out_of_order")] = True
    rows = chosen("duplicates")
    again = events.take(rows)
    again.received_ms = again.received_ms + whole(rows, "second delivery", 900, 6 * 3_600_000)
    again.delivery = np.ones(len(rows), dtype=np.int64)
    return events.extend(again)


def _lose_ids(sim: Simulation, sent: dict[str, Events]) -> None:
    """Take ids away from events: both deliveries of an event lose the same ones."""
    settings = sim.plan.settings
    rates = {
        knob: settings.rate(knob)
        for knob in ("missing_conversation_id", "missing_interaction_id", "blank_ids")
    }
    if not any(rates.values()):
        return
    first_of_session = _first_event_of_each_session(sim, sent)
    for table, events in sent.items():
        draw = keyed_uniform(events.key, settings.seed, "lost ids")
        kind = keyed_uniform(events.key, settings.seed, "kind of lost id")
        form = keyed_whole(events.key, settings.seed, "form of lost id", low=EMPTY, high=SPACES)
        open_rows = ~sim.runs.is_clean[events.run]
        limits = np.cumsum(list(rates.values()))
        loses_conversation = open_rows & (draw < limits[0])
        loses_interaction = open_rows & (draw >= limits[0]) & (draw < limits[1])
        is_blank = open_rows & (draw >= limits[1]) & (draw < limits[2])
        has_session = table in SESSION_TABLES
        both = loses_interaction & (kind < 0.25) if has_session else np.zeros_like(open_rows)
        # Blank: conversation, interaction, session or (Parquet) event id.
        blank_conversation = is_blank & (kind < 0.35)
        blank_interaction = is_blank & (kind >= 0.35) & (kind < 0.6)
        blank_session = is_blank & (kind >= 0.6) & (kind < 0.85) & has_session
        blank_event = is_blank & (kind >= 0.85)
        reuses = sim.runs.reuses_ids[events.run]
        # Restarting ids may only be lost where the outcome is certain: the first ids of a
        # conversation are known to occur in several conversations, later ones may not be.
        uncertain = reuses & (sim.runs.turn[events.run] > 0)
        loses_conversation &= ~uncertain
        blank_conversation &= ~uncertain
        if has_session:
            # One event of every session with restarting ids stays whole, so that it is never
            # mistaken for the only other session of that id.
            keeps = reuses & (first_of_session[table][events.session] == events.key)
            slot_zero = sim.sessions.slot[events.session] == 0
            both &= ~(reuses & ~slot_zero)
            for lost in (
                loses_conversation,
                loses_interaction,
                both,
                blank_conversation,
                blank_interaction,
                blank_session,
                blank_event,
            ):
                lost[keeps] = False
        events.conversation_form[loses_conversation | both] = ABSENT
        events.interaction_form[loses_interaction] = ABSENT
        for forms, rows in (
            (events.conversation_form, blank_conversation),
            (events.interaction_form, blank_interaction),
            (events.session_form, blank_session),
        ):
            forms[rows] = form[rows]
        if settings.parquet:
            events.has_event_id[blank_event] = False


def _first_event_of_each_session(sim: Simulation, sent: dict[str, Events]) -> dict[str, np.ndarray]:
    """Return, per session table, the key of the one event of each session that keeps its ids."""
    count = len(sim.sessions.run)
    taken = np.zeros(count, dtype=bool)
    keepers: dict[str, np.ndarray] = {}
    end = sim.plan.settings.end_ms
    for table in SESSION_TABLES:
        events = sent[table]
        # Only an event that arrives can vouch for its session.
        arrived = events.received_ms <= end
        keeper = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(keeper, events.session[arrived], events.key[arrived])
        keeper[taken] = np.iinfo(np.uint64).max
        taken |= keeper != np.iinfo(np.uint64).max
        keepers[table] = keeper
    return keepers
