"""Which delivered events a correct model accepts, repairs, drops as duplicates or quarantines.

The rules are those of docs/semantics.md, applied to what was played: whether an id can be repaired
is decided by whether some other event that arrived still vouches for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.generator.events import PRESENT, SESSION_TABLES, Events
from scripts.generator.randomness import Bools, Ints
from scripts.generator.settings import DAY_MS
from scripts.generator.simulate import Simulation

ACCEPTED = 0
DUPLICATE = 1
# Codes from 2 on are reasons for quarantine.
REASONS = (
    "",
    "",
    "missing_event_id",
    "missing_agent_session_id",
    "ambiguous_interaction_id",
    "missing_interaction_id",
    "ambiguous_conversation_id",
    "missing_conversation_id",
)
(
    MISSING_EVENT_ID,
    MISSING_SESSION,
    AMBIGUOUS_INTERACTION,
    MISSING_INTERACTION,
    AMBIGUOUS_CONVERSATION,
    MISSING_CONVERSATION,
) = range(2, 8)


@dataclass
class Judged:
    """Events of one table with the time a model believes and what becomes of each row."""

    events: Events
    time_ms: Ints
    disposition: Ints

    def accepted(self) -> Judged:
        """Return the accepted events only."""
        rows = np.flatnonzero(self.disposition == ACCEPTED)
        return Judged(self.events.take(rows), self.time_ms[rows], self.disposition[rows])


def believed_time(events: Events) -> Ints:
    """Return event times: the sent one unless it is no time or over a day ahead of receipt."""
    ahead = events.sent_ms > events.received_ms + DAY_MS
    return np.where(ahead | events.has_bad_timestamp, events.received_ms, events.sent_ms)


def judge(sim: Simulation, sent: dict[str, Events]) -> dict[str, Judged]:
    """Return all delivered events of a block with their fate, by table."""
    run_is_known = np.zeros(len(sim.runs.number), dtype=bool)
    session_is_known = np.zeros(len(sim.sessions.run), dtype=bool)
    for table, events in sent.items():
        whole = (events.delivery == 0) & events.has_event_id
        whole &= (events.conversation_form == PRESENT) & (events.interaction_form == PRESENT)
        run_is_known[events.run[whole]] = True
        if table in SESSION_TABLES:
            whole &= events.session_form == PRESENT
            session_is_known[events.session[whole]] = True
    is_shared = _shared_session_ids(sim, session_is_known)
    return {
        table: Judged(
            events,
            believed_time(events),
            _dispositions(
                sim,
                table,
                events,
                run_is_known=run_is_known,
                session_is_known=session_is_known,
                is_shared=is_shared,
            ),
        )
        for table, events in sent.items()
    }


def _shared_session_ids(sim: Simulation, is_known: Bools) -> Bools:
    """Return which sessions have an id that their conversation knows in several runs."""
    sessions, runs = sim.sessions, sim.runs
    conversation = runs.conversation[sessions.run]
    place = conversation * 64 + sessions.slot
    known = np.flatnonzero(is_known)
    places, counts = np.unique(place[known], return_counts=True)
    if len(places) == 0:
        return np.zeros(len(place), dtype=bool)
    where = np.minimum(np.searchsorted(places, place), len(places) - 1)
    several = (places[where] == place) & (counts[where] > 1)
    return several & runs.reuses_ids[sessions.run]


def _dispositions(
    sim: Simulation,
    table: str,
    events: Events,
    *,
    run_is_known: Bools,
    session_is_known: Bools,
    is_shared: Bools,
) -> Ints:
    no_conversation = events.conversation_form != PRESENT
    no_interaction = events.interaction_form != PRESENT
    reuses = sim.runs.reuses_ids[events.run]
    fate = np.full(len(events), ACCEPTED, dtype=np.int64)

    # A lost conversation: ids that restart in every conversation are known in several ones.
    lost = no_conversation & ~no_interaction
    fate[lost & ~reuses & ~run_is_known[events.run]] = MISSING_CONVERSATION
    fate[lost & reuses] = AMBIGUOUS_CONVERSATION
    if table in SESSION_TABLES:
        known = session_is_known[events.session]
        fate[no_interaction & ~known] = MISSING_INTERACTION
        fate[no_interaction & ~no_conversation & is_shared[events.session]] = AMBIGUOUS_INTERACTION
        fate[no_interaction & no_conversation & reuses] = AMBIGUOUS_INTERACTION
        fate[events.session_form != PRESENT] = MISSING_SESSION
    else:
        fate[no_interaction] = MISSING_INTERACTION
    # The newest delivery counts.
    again = events.key[events.delivery > 0]
    fate[(events.delivery == 0) & np.isin(events.key, again)] = DUPLICATE
    fate[~events.has_event_id] = MISSING_EVENT_ID
    return fate
