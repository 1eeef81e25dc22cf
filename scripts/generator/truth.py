"""What a correct model must make of the events: the truth files.

Everything is computed from the played simulation and the rules of docs/semantics.md, never by a
model of the project. Columns are named as the fact columns they predict. Where the rules leave a
choice, the one taken is written at the function that takes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from scripts.generator.catalog import (
    AGENTS,
    ERROR_KINDS,
    MODELS,
    TOOL_VALUES,
    TOOLS,
    WORKFLOWS,
)
from scripts.generator.event_tables import TableMaker, user_text
from scripts.generator.events import (
    ACTION,
    PROMPT,
    RESPONSE,
    RUN_COMPLETED,
    SESSION_COMPLETED,
    SESSION_STARTED,
    STEP,
    Costs,
    Events,
    is_logged_in,
    workflow_flag,
)
from scripts.generator.judgement import DUPLICATE, REASONS, Judged, judge
from scripts.generator.mart_truth import MartTruth, OutcomeRow, RunRow, SessionRow, StepRow, rows_of
from scripts.generator.orchestration import (
    LOOP,
    LOOP_REPEATS,
    TOPOLOGIES,
    calls_from_above,
    redundant_steps,
    run_shapes,
)
from scripts.generator.patterns import OUTCOMES, PLANS, VERSIONS
from scripts.generator.prices import PriceList
from scripts.generator.randomness import Bools, Floats, Ints, uuid_text
from scripts.generator.settings import DAY_MS, Settings
from scripts.generator.simulate import (
    CANCELLED,
    COPIED,
    ERROR,
    LLM_CALL,
    RATING,
    REGENERATED,
    SHARED,
    STATUSES,
    STEP_TYPES,
    SUCCESS,
    THUMBS,
    TIMEOUT,
    TOOL_CALL,
    Simulation,
    segment_starts,
    sum_tokens,
)

LEDGER_FILE = "ledger.csv"
ABANDONED_AFTER_MS = 60 * 60_000
IN_PROGRESS, ABANDONED, UNKNOWN = range(len(STATUSES), len(STATUSES) + 3)
ALL_STATUSES = (*STATUSES, "in_progress", "abandoned", "unknown")
SOURCES = ("session_events", "response", "inferred")
BASES = ("reported", "list_price", "sum_of_steps", "sum_of_sessions", "none")
REPORTED, LISTED, STEPS_SUM, SESSIONS_SUM, NONE = range(5)
PRICE_STATUSES = ("reported", "priced", "partial", "unpriced", "no_usage")
PS_REPORTED, PS_PRICED, PS_PARTIAL, PS_UNPRICED, PS_NO_USAGE = range(5)
# No model answers for so long without reading or writing a token.
WORKING_MS = 1_000
ACTION_TYPES = ("copied", "shared", "regenerated", "feedback_given")
FEEDBACK_TYPES = ("thumbs", "rating", "score")
CANONICAL_MODELS = sorted({model.canonical_model for model in MODELS if model.canonical_model})
_IS_BILLED = np.array([kind.is_billed for kind in ERROR_KINDS])
_LATE = np.iinfo(np.int64).max
_EARLY = np.iinfo(np.int64).min


def _smallest(groups: Ints, values: Ints, count: int) -> Ints:
    result = np.full(count, _LATE)
    np.minimum.at(result, groups, values)
    return result


def _largest(groups: Ints, values: Ints, count: int) -> Ints:
    result = np.full(count, _EARLY)
    np.maximum.at(result, groups, values)
    return result


def _sum(groups: Ints, values: Floats, count: int) -> tuple[Floats, Ints]:
    """Return sums of the known values per group and how many were known."""
    known = ~np.isnan(values)
    total = np.bincount(groups[known], values[known], minlength=count)
    return total, np.bincount(groups[known], minlength=count)


def _if_any(total: Floats, known: Ints) -> Floats:
    """Return totals, not-a-number where nothing was known."""
    return np.where(known > 0, total, np.nan)


def _rank(*keys: Ints, groups: Ints) -> Ints:
    """Return each row's number (from 0) within its group, ordered by the keys in turn."""
    order = np.lexsort((*reversed(keys), groups))
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - segment_starts(groups[order])
    return rank


def _partner(left: Ints, right: Ints) -> Ints:
    """Return, per value of `left`, the position of the equal value in `right`; -1 for none."""
    if len(right) == 0:
        return np.full(len(left), -1, dtype=np.int64)
    order = np.argsort(right, kind="stable")
    where = np.minimum(np.searchsorted(right[order], left), len(right) - 1)
    return np.where(right[order][where] == left, order[where], -1)


def _latest(groups: Ints, time_ms: Ints, received_ms: Ints, count: int) -> Ints:
    """Return the position of the latest event per group, -1 for none."""
    winner = np.full(count, -1, dtype=np.int64)
    order = np.lexsort((received_ms, time_ms))
    winner[groups[order]] = order
    return winner


def _total(tokens: Ints) -> Ints:
    """Return the sum of four token classes, -1 when none is known."""
    total = np.where(tokens >= 0, tokens, 0).sum(axis=1)
    return np.where((tokens >= 0).any(axis=1), total, -1)


def token_classes(sent: Ints, includes_read: Bools, includes_write: Bools) -> Ints:
    """Return the four disjoint token classes of counts as a sender gives them.

    More cached than prompt tokens prove that they are not part of the prompt count.
    """
    counted = np.where(sent >= 0, sent, 0)
    cached = np.where(includes_read, counted[:, 2], 0) + np.where(includes_write, counted[:, 3], 0)
    prompt = sent[:, 0]
    classes = sent.copy()
    classes[:, 0] = np.where((prompt >= 0) & (cached <= prompt), prompt - cached, prompt)
    return classes


def believable(cost: Floats, zero_is_fine: Bools) -> Floats:
    """Return the sender's figure where it is to be believed: above 0, or 0 where that can be."""
    return np.where((cost > 0) | ((cost == 0) & zero_is_fine), cost, np.nan)


def has_all_tokens(tokens: Ints) -> Bools:
    """Return whether input and output tokens are both known."""
    return (tokens[:, 0] >= 0) & (tokens[:, 1] >= 0)


def first_known(*figures: Floats) -> Floats:
    """Return per row the first figure that is a number."""
    result = figures[0]
    for figure in figures[1:]:
        result = np.where(np.isnan(result), figure, result)
    return result


@dataclass
class _StepFacts:
    """Accepted steps, ordered within their sessions."""

    events: Judged
    step: Ints
    session: Ints
    number: Ints
    is_failed: Bools
    is_retry: Bools
    is_retried: Bools
    is_fallback: Bools
    attempt: Ints
    tokens: Ints
    reported: Floats
    listed: Floats
    listed_by_class: Floats  # four columns
    cost: Floats
    known: Floats
    unknown: Bools  # a billed model call of unknown cost
    basis: Ints
    price_status: Ints


@dataclass
class _SessionFacts:
    """One row per agent session a model must find; own responses come last."""

    session: Ints  # played session it stems from
    has_id: Bools
    run: Ints
    agent: Ints  # -1 where nobody names it
    source: Ints
    status: Ints
    start_ms: Ints
    end_ms: Ints
    duration_ms: Ints
    depth: Ints
    parent: Ints  # row of the parent session, -1 for none
    redundant: Ints  # steps that did the same again, -1 where none tells its input
    tokens: Ints
    total: Ints
    reported: Floats
    listed: Floats
    cost: Floats
    known: Floats
    unknown: Bools  # has model calls of unknown cost and no cost of its own
    basis: Ints
    price_status: Ints
    model: Ints  # -1 where nobody names it
    counts: Ints  # steps, model calls, tool calls, failed steps, retries
    call_ms: Ints  # time of model calls and of tool calls, -1 without any step
    steps_cost: Floats
    conflicts: Bools
    includes: Bools  # two flags: cached reads and writes are part of the prompt count
    agent_of_played: Ints  # by played session: the agent that is known
    model_of_played: Ints  # by played session: the model that is known


class TruthWriter:
    """Collects truth block by block and writes the files of `DIR/truth`."""

    def __init__(self, folder: Path, settings: Settings, prices: PriceList) -> None:
        """Write into a folder that exists."""
        self._folder = folder
        self._settings = settings
        self._prices = prices
        self._files: dict[str, csv.CSVWriter] = {}
        self._canaries: list[str] = []
        self._ledger: dict[tuple[str, int], list[int]] = {}
        # Only the patterns make something of the marts known beforehand.
        self._marts = MartTruth(settings) if settings.patterns else None

    def write(
        self,
        sim: Simulation,
        costs: Costs,
        sent: dict[str, Events],
        outcomes: list[Events],
        maker: TableMaker,
    ) -> None:
        """Add the truth about one block."""
        judged = judge(sim, sent)
        self._count_rows(judged)
        self._write_quarantined(sim, judged)
        for events in sent.values():
            self._canaries += maker.canaries(events)
        accepted = {table: events.accepted() for table, events in judged.items()}
        steps = self._steps(sim, costs, accepted[STEP])
        sessions = self._sessions(sim, costs, accepted, steps)
        self._runs(sim, costs, accepted, steps=steps, sessions=sessions, maker=maker)
        self._write_steps(sim, steps, sessions, maker)
        self._remember_outcomes(sim, outcomes)
        self._write_actions(sim, accepted[ACTION], maker)

    def close(self) -> None:
        """Finish all files."""
        rows = sorted(self._ledger.items())
        days = [str(np.datetime64(day, "D")) for (_, day), _ in rows]
        columns: dict[str, object] = {
            "source_table": [table for (table, _), _ in rows],
            "event_date": days,
        }
        names = ("raw_rows", "accepted_rows", "duplicate_rows", "quarantined_rows")
        for position, name in enumerate(names):
            columns[name] = [counts[position] for _, counts in rows]
        self._append("ledger", columns)
        for file in self._files.values():
            file.close()
        if self._marts:
            self._marts.write(self._folder)
        text = "".join(f"{canary}\n" for canary in self._canaries)
        (self._folder / "canaries.txt").write_text(text, encoding="utf-8", newline="\n")

    # files ---------------------------------------------------------------------------------------

    def _append(self, name: str, columns: dict[str, object]) -> None:
        table = pa.table(columns)
        if name not in self._files:
            options = csv.WriteOptions(quoting_style="needed")
            path = str(self._folder / f"{name}.csv")
            self._files[name] = csv.CSVWriter(path, table.schema, write_options=options)
        self._files[name].write_table(table)

    def _count_rows(self, judged: dict[str, Judged]) -> None:
        for table, item in judged.items():
            kind = np.where(item.disposition > DUPLICATE, 2, item.disposition)
            day = item.time_ms // DAY_MS
            for (date, fate), count in zip(
                *_count_pairs(day, kind),
                strict=True,
            ):
                row = self._ledger.setdefault((table, date), [0, 0, 0, 0])
                row[0] += count
                row[1 + fate] += count

    def _write_quarantined(self, sim: Simulation, judged: dict[str, Judged]) -> None:
        tables, ids, reasons = [], [], []
        for table, item in judged.items():
            rows = np.flatnonzero(item.disposition > DUPLICATE)
            events = item.events.take(rows)
            tables.append(_texts([table], np.zeros(len(rows), dtype=np.int64)))
            ids.append(_event_ids(sim, events))
            reasons.append(_texts(list(REASONS), item.disposition[rows]))
        columns = {
            "source_table": pa.concat_arrays(tables),
            "event_id": pa.concat_arrays(ids),
            "quarantine_reason": pa.concat_arrays(reasons),
        }
        self._append("quarantined", columns)

    # steps ---------------------------------------------------------------------------------------

    def _steps(self, sim: Simulation, costs: Costs, accepted: Judged) -> _StepFacts:
        """Order the accepted steps of each session and find retries, tokens and costs."""
        played = sim.steps
        step, session = accepted.events.subject, accepted.events.session
        indexed = workflow_flag("sends_step_index")[sim.runs.workflow[accepted.events.run]]
        index = np.where(indexed, played.number[step], 0)
        keys = (accepted.events.received_ms, accepted.time_ms, index, session)
        order = np.lexsort(keys)
        step, session, indexed = step[order], session[order], indexed[order]
        events = Judged(
            accepted.events.take(order), accepted.time_ms[order], accepted.disposition[order]
        )
        count = len(step)
        starts = segment_starts(session)
        position = np.arange(count) - starts
        number = np.where(indexed, played.number[step], position + 1)
        is_failed = np.isin(played.status[step], (ERROR, TIMEOUT))
        kind = played.kind[step]
        # What is tried again: the same tool, or for other steps the same model.
        target = np.where(kind == TOOL_CALL, 1_000 + played.tool[step], played.model[step])
        follows = np.zeros(count, dtype=bool)
        same_target = np.zeros(count, dtype=bool)
        if count:
            follows[1:] = (session[1:] == session[:-1]) & is_failed[:-1] & (kind[1:] == kind[:-1])
            same_target[1:] = target[1:] == target[:-1]
            # What had started before the failure was known ran beside it.
            begin_ms = events.time_ms - played.duration_ms[step]
            follows[1:] &= begin_ms[1:] >= events.time_ms[:-1]
        explicit = workflow_flag("sends_attempt_number")[sim.runs.workflow[events.events.run]]
        is_retry = np.where(explicit, played.attempt[step] > 1, follows & same_target)
        # Attempts of one operation follow each other; the first is the last step that is no retry.
        first = np.maximum.accumulate(np.where(is_retry & (position > 0), -1, np.arange(count)))
        attempt = np.where(explicit, played.attempt[step], np.arange(count) - first + 1)
        is_retried = np.zeros(count, dtype=bool)
        is_retried[:-1] = (is_retry & ~explicit)[1:]
        numbered = np.flatnonzero(explicit & np.isin(session, session[explicit & (attempt > 1)]))
        is_retried[_retried(numbered, session, kind * 1_000_000 + target, attempt)] = True

        model = played.model[step]
        known_model = np.maximum(model, 0)
        tokens = token_classes(
            played.sent_tokens[step],
            self._prices.includes_cache_read[known_model],
            self._prices.includes_cache_write[known_model],
        )
        total = _total(tokens)
        reported = np.where(costs.step_text[step], np.nan, costs.step[step])
        is_call = kind == LLM_CALL
        # Refused before anything was generated: nobody is billed for it.
        refused = is_failed & (played.error[step] >= 0) & (tokens[:, 1] <= 0)
        refused &= ~_IS_BILLED[np.maximum(played.error[step], 0)]
        floor = self._prices.cost(known_model, events.time_ms, tokens)
        floor = np.where((total > 0) & (model >= 0) & ~refused, floor, np.nan)
        listed = np.where(has_all_tokens(tokens), floor, np.nan)
        by_class = np.stack(
            [
                np.where(
                    np.isnan(listed),
                    np.nan,
                    self._prices.cost(
                        known_model, events.time_ms, np.where(np.arange(4) == number, tokens, 0)
                    ),
                )
                for number in range(4)
            ],
            axis=1,
        )
        is_working = is_call & ~is_failed & (played.duration_ms[step] >= WORKING_MS)
        believed = believable(reported, (total <= 0) & ~is_working)
        cost = first_known(believed, listed)
        basis = np.select([~np.isnan(believed), ~np.isnan(listed)], [REPORTED, LISTED], NONE)
        price_status = np.select(
            [
                basis == REPORTED,
                basis == LISTED,
                refused,
                has_all_tokens(tokens) & (total > 0),
                total > 0,
            ],
            [PS_REPORTED, PS_PRICED, PS_NO_USAGE, PS_UNPRICED, PS_PARTIAL],
            PS_NO_USAGE,
        )
        return _StepFacts(
            events=events,
            step=step,
            session=session,
            number=number,
            is_failed=is_failed,
            is_retry=is_retry,
            is_retried=is_retried,
            is_fallback=follows & ~same_target,
            attempt=attempt,
            tokens=tokens,
            reported=reported,
            listed=listed,
            listed_by_class=by_class,
            cost=cost,
            known=first_known(believed, floor),
            unknown=np.isnan(cost) & ~refused & (is_call | (total > 0)),
            basis=basis,
            price_status=price_status,
        )

    # sessions ------------------------------------------------------------------------------------

    def _sessions(
        self, sim: Simulation, costs: Costs, accepted: dict[str, Judged], steps: _StepFacts
    ) -> _SessionFacts:
        """Find the agent sessions: by their events, by their steps, by unmatched responses."""
        played = sim.sessions
        count = len(played.run)
        started, completed = accepted[SESSION_STARTED], accepted[SESSION_COMPLETED]
        responses = accepted[RESPONSE]
        start_ms = _smallest(started.events.session, started.time_ms, count)
        has_start = start_ms < _LATE
        winner = _latest(
            completed.events.session, completed.time_ms, completed.events.received_ms, count
        )
        has_end = winner >= 0
        end_ms = np.where(has_end, completed.time_ms[winner] if len(completed.time_ms) else 0, 0)
        step_count = np.bincount(steps.session, minlength=count)
        has_steps = step_count > 0
        duration = sim.steps.duration_ms[steps.step]
        first_step_ms = _smallest(steps.session, steps.events.time_ms - duration, count)
        last_ms = _largest(steps.session, steps.events.time_ms, count)
        last_ms = np.maximum(last_ms, np.where(has_start, start_ms, _EARLY))
        last_ms = np.maximum(last_ms, np.where(has_end, end_ms, _EARLY))
        exists = has_start | has_end | has_steps
        step_agent = workflow_flag("sends_step_agent")[sim.runs.workflow[played.run]]
        named = has_start | has_end | (has_steps & step_agent)
        agent = np.where(named, played.agent, -1)

        rows = np.flatnonzero(exists)
        match = _match_responses(
            run=played.run[rows],
            agent=agent[rows],
            has_end=has_end[rows],
            end_ms=np.where(has_end, end_ms, last_ms)[rows],
            slot=played.slot[rows],
            responses=responses,
            response_agent=played.agent[responses.events.session],
        )
        response_of = np.full(count, -1, dtype=np.int64)
        response_of[rows] = match
        own = np.ones(len(responses.events), dtype=bool)
        own[match[match >= 0]] = False
        own_rows = np.flatnonzero(own)

        # Sessions with an id first, then responses that belong to none of them.
        session = np.concatenate([rows, responses.events.session[own_rows]])
        has_id = np.arange(len(session)) < len(rows)
        response = np.concatenate([response_of[rows], own_rows])
        other = (
            np.where(response >= 0, responses.events.session[response], -1)
            if len(responses.events)
            else np.full(len(session), -1, dtype=np.int64)
        )
        answered = response >= 0
        ends = has_end[session] & has_id
        begins = has_start[session] & has_id

        status = np.full(len(session), -1, dtype=np.int64)
        if answered.any():
            told = responses.events.status[response]
            # The specification knows no timeout among response statuses.
            status = np.where(answered, np.where(told == TIMEOUT, ERROR, told), status)
        if ends.any():
            status = np.where(ends, completed.events.status[winner[session]], status)

        length = played.end_ms - played.start_ms
        reported_ms = np.where(ends, length[session], np.where(answered, length[other], -1))
        sent = np.where(ends[:, None], played.sent_tokens[session], -1)
        sent = np.where((sent < 0) & answered[:, None], played.sent_tokens[other], sent)
        figure = np.where(costs.session_text, np.nan, costs.session)
        reported = np.where(ends, figure[session], np.nan)
        reported = np.where(np.isnan(reported) & answered, figure[other], reported)
        model = self._session_models(
            sim,
            steps=steps,
            has_event=begins | ends,
            has_id=has_id,
            session=session,
            other=other,
        )
        known_model = np.maximum(model, 0)
        includes = np.stack(
            [
                self._prices.includes_cache_read[known_model] & (model >= 0),
                self._prices.includes_cache_write[known_model] & (model >= 0),
            ],
            axis=1,
        )
        tokens = token_classes(sent, includes[:, 0], includes[:, 1])
        step_tokens = sum_tokens(steps.session, steps.tokens, count)
        step_tokens[~exists] = -1
        of_steps = np.where(has_id[:, None], step_tokens[session], -1)
        # No tokens at all beside steps that used some is no count.
        has_tokens = (sent >= 0).any(axis=1) & ~((_total(tokens) <= 0) & (_total(of_steps) > 0))
        tokens = np.where(has_tokens[:, None], tokens, of_steps)
        total = _total(tokens)

        response_ms = (
            responses.time_ms[response] if len(responses.events) else np.zeros_like(session)
        )
        outcome_ms = np.where(ends, end_ms[session], np.where(answered, response_ms, _EARLY))
        final_ms = np.where(outcome_ms > _EARLY, outcome_ms, last_ms[session])
        finished = outcome_ms > _EARLY
        # A start after the end is not believed.
        believed = begins & (~finished | (start_ms[session] <= outcome_ms))
        first_ms = np.where(
            believed,
            start_ms[session],
            np.where(finished, outcome_ms - reported_ms, first_step_ms[session]),
        )
        derived = final_ms - np.minimum(first_ms, final_ms)
        # One known time is no duration.
        has_one_time = ~finished & begins & (last_ms[session] == start_ms[session])
        duration_ms = np.where(finished, reported_ms, np.where(has_one_time, -1, derived))

        money = self._session_costs(
            steps,
            session=session,
            has_id=has_id,
            model=model,
            final_ms=final_ms,
            tokens=tokens,
            total=total,
            has_tokens=has_tokens,
            reported=reported,
            is_call=sim.steps.kind[steps.step] == LLM_CALL,
            count=count,
        )
        counts = np.stack(
            [
                step_count,
                np.bincount(steps.session, sim.steps.kind[steps.step] == LLM_CALL, count),
                np.bincount(steps.session, sim.steps.kind[steps.step] == TOOL_CALL, count),
                np.bincount(steps.session, steps.is_failed, count),
                np.bincount(steps.session, steps.is_retry, count),
            ],
            axis=1,
        ).astype(np.int64)
        milliseconds = np.stack(
            [
                np.where(
                    np.bincount(steps.session, mine, count) > 0,
                    np.bincount(steps.session, duration * mine, count),
                    -1,
                )
                for mine in (sim.steps.kind[steps.step] == kind for kind in (LLM_CALL, TOOL_CALL))
            ],
            axis=1,
        ).astype(np.int64)
        steps_cost, steps_costed = _sum(steps.session, steps.cost, count)
        steps_cost = np.where(steps_costed > 0, steps_cost, np.nan)
        several = np.bincount(completed.events.session, minlength=count) > 1
        who = np.where(has_id, agent[session], -1)
        who = np.where((who < 0) & answered, played.agent[other], who)
        agent_of_played = np.full(count, -1, dtype=np.int64)
        agent_of_played[session[has_id]] = who[has_id]
        model_of_played = np.full(count, -1, dtype=np.int64)
        model_of_played[session[has_id]] = model[has_id]
        source = np.where(begins | ends, 0, np.where(answered, 1, 2))
        depth, parent = self._depths(sim, session, has_id, begins | ends, exists)
        return _SessionFacts(
            session=session,
            has_id=has_id,
            run=played.run[session],
            agent=who,
            source=source,
            status=status,
            start_ms=np.minimum(first_ms, final_ms),
            end_ms=final_ms,
            duration_ms=duration_ms,
            depth=depth,
            parent=parent,
            redundant=np.full(len(session), -1, dtype=np.int64),
            tokens=tokens,
            total=total,
            reported=reported,
            listed=money[0],
            cost=money[1],
            known=money[2],
            unknown=money[3],
            basis=money[4],
            price_status=money[5],
            model=model,
            counts=np.where(has_id[:, None], counts[session], 0),
            call_ms=np.where(has_id[:, None], milliseconds[session], -1),
            steps_cost=np.where(has_id, steps_cost[session], np.nan),
            conflicts=several[session] & has_id,
            includes=includes,
            agent_of_played=agent_of_played,
            model_of_played=model_of_played,
        )

    def _session_models(
        self,
        sim: Simulation,
        *,
        steps: _StepFacts,
        has_event: Bools,
        has_id: Bools,
        session: Ints,
        other: Ints,
    ) -> Ints:
        """Return each session's model: its events', else the one all its steps used, else the
        matched response's; -1 for none.
        """
        played, count = sim.sessions, len(sim.sessions.run)
        model = sim.steps.model[steps.step]
        uses = np.flatnonzero(model >= 0)
        least = _smallest(steps.session[uses], model[uses], count)
        most = _largest(steps.session[uses], model[uses], count)
        # Two models of the same name never occur, so equal numbers mean equal names.
        agreed = np.where((least == most) & has_id_of(session, has_id, count), least, -1)
        result = np.where(has_event, played.model[session], np.where(has_id, agreed[session], -1))
        return np.where((result < 0) & (other >= 0), played.model[other], result)

    def _session_costs(
        self,
        steps: _StepFacts,
        *,
        session: Ints,
        has_id: Bools,
        model: Ints,
        final_ms: Ints,
        tokens: Ints,
        total: Ints,
        has_tokens: Bools,
        reported: Floats,
        is_call: Bools,
        count: int,
    ) -> tuple[Floats, Floats, Floats, Bools, Ints, Ints]:
        """Return list cost, cost, known cost, whether that is too little, basis and price status.

        What was reported goes first, then the sum of the calls when all have a cost and they
        account for all tokens, then the session's own tokens at the price of its model.
        """
        step_total = np.maximum(_total(steps.tokens), 0)
        calls = np.bincount(steps.session, is_call, minlength=count)
        unknown_calls = np.bincount(steps.session, steps.unknown, minlength=count)
        unpriced_calls = np.bincount(
            steps.session, steps.price_status == PS_UNPRICED, minlength=count
        )
        known_sum, known_count = _sum(steps.session, steps.known, count)
        all_tokens = np.bincount(steps.session, step_total, minlength=count).astype(np.int64)
        listed_sum, listed_known = _sum(steps.session, steps.listed, count)
        unlisted = np.bincount(
            steps.session, (step_total > 0) & np.isnan(steps.listed), minlength=count
        )
        cost_sum, cost_known = _sum(steps.session, steps.cost, count)
        by_list = np.bincount(steps.session, steps.basis == LISTED, minlength=count)

        agrees = has_id & (all_tokens[session] == total) & (total > 0)
        agrees &= (unlisted[session] == 0) & (listed_known[session] > 0)
        own_floor = self._prices.cost(np.maximum(model, 0), final_ms, tokens)
        own_floor = np.where(has_tokens & (total > 0) & (model >= 0), own_floor, np.nan)
        listed = np.where(has_all_tokens(tokens), own_floor, np.nan)
        listed = np.where(agrees, listed_sum[session], listed)
        has_calls = has_id & (calls[session] > 0)
        spent_below = has_id & (cost_known[session] > 0) & (cost_sum[session] > 0)
        believed = believable(reported, (total <= 0) & ~has_calls & ~spent_below)
        complete = has_id & (unknown_calls[session] == 0) & (cost_known[session] > 0)
        complete &= ~has_tokens | (all_tokens[session] >= total)
        summed = np.where(complete, cost_sum[session], np.nan)
        cost = first_known(believed, summed, np.where(has_tokens, listed, np.nan))
        basis = np.select(
            [~np.isnan(believed), ~np.isnan(summed), ~np.isnan(cost)],
            [REPORTED, STEPS_SUM, LISTED],
            NONE,
        )
        of_steps = np.where(has_id & (known_count[session] > 0), known_sum[session], np.nan)
        floor = np.fmax(of_steps, own_floor)
        unpriced = has_id & (unpriced_calls[session] > 0)
        unpriced |= has_tokens & has_all_tokens(tokens) & (total > 0)
        partial = (has_tokens & (total > 0)) | ~np.isnan(floor)
        partial |= has_id & (all_tokens[session] > 0) & (unknown_calls[session] > 0)
        status = np.select(
            [
                basis == REPORTED,
                (basis == STEPS_SUM) & (by_list[session] == 0),
                basis != NONE,
                unpriced,
                partial,
            ],
            [PS_REPORTED, PS_REPORTED, PS_PRICED, PS_UNPRICED, PS_PARTIAL],
            PS_NO_USAGE,
        )
        unknown = (has_id & (unknown_calls[session] > 0)) | (has_tokens & (total > 0))
        return listed, cost, first_known(cost, floor), unknown & np.isnan(cost), basis, status

    def _depths(
        self, sim: Simulation, session: Ints, has_id: Bools, has_event: Bools, exists: Bools
    ) -> tuple[Ints, Ints]:
        """Return how many known ancestors each session has, and the row of its parent.

        Only session events name parents.
        """
        played, count = sim.sessions, len(sim.sessions.run)
        sends = workflow_flag("sends_parents")[sim.runs.workflow[played.run]]
        tells = np.zeros(count, dtype=bool)
        tells[session[has_id & has_event]] = True
        parent = np.where(sends & tells, played.parent, -1)
        parent = np.where((parent >= 0) & exists[parent], parent, -1)
        depth = np.zeros(count, dtype=np.int64)
        for _ in range(8):
            depth = np.where(parent >= 0, depth[parent] + 1, 0)
        row_of = np.full(count, -1, dtype=np.int64)
        row_of[session[has_id]] = np.flatnonzero(has_id)
        above = np.where(parent >= 0, row_of[np.maximum(parent, 0)], -1)
        return np.where(has_id, depth[session], 0), np.where(has_id, above[session], -1)

    # runs ----------------------------------------------------------------------------------------

    def _runs(
        self,
        sim: Simulation,
        costs: Costs,
        accepted: dict[str, Judged],
        *,
        steps: _StepFacts,
        sessions: _SessionFacts,
        maker: TableMaker,
    ) -> None:
        runs = sim.runs
        count = len(runs.number)
        first_ms, last_ms = np.full(count, _LATE), np.full(count, _EARLY)
        for table, item in accepted.items():
            if table != ACTION:
                np.minimum.at(first_ms, item.events.run, item.time_ms)
            # Sessions say when they ended; their starts may be stamped later.
            if table not in (ACTION, SESSION_STARTED):
                np.maximum.at(last_ms, item.events.run, item.time_ms)
        last_ms = np.maximum(last_ms, _largest(sessions.run, sessions.end_ms, count))
        # What users do comes after the run, unless nothing else is known of it.
        acted = accepted[ACTION]
        acted_first = _smallest(acted.events.run, acted.time_ms, count)
        acted_last = _largest(acted.events.run, acted.time_ms, count)
        exists = (last_ms > _EARLY) | (acted_last > _EARLY)
        first_ms = np.where(first_ms < _LATE, first_ms, acted_first)
        last_ms = np.where(last_ms > _EARLY, last_ms, acted_last)
        completed, prompts = accepted[RUN_COMPLETED], accepted[PROMPT]
        winner = _latest(
            completed.events.run, completed.time_ms, completed.events.received_ms, count
        )
        ends = winner >= 0
        end_ms = np.where(ends, completed.time_ms[winner] if len(completed.time_ms) else 0, last_ms)
        status = np.where(
            ends, completed.events.status[winner] if len(completed.time_ms) else 0, -1
        )
        # Age is measured against the newest event of all data: the last run's, at its very end.
        young = last_ms > self._settings.end_ms - ABANDONED_AFTER_MS
        status = np.where(ends, status, np.where(young, IN_PROGRESS, ABANDONED))
        reported_ms = np.where(ends & ~costs.duration_text, runs.end_ms - runs.start_ms, -1)
        start_ms = np.minimum(first_ms, _smallest(sessions.run, sessions.start_ms, count))
        start_ms = np.where(reported_ms >= 0, np.minimum(start_ms, end_ms - reported_ms), start_ms)
        duration_ms = np.where(reported_ms >= 0, reported_ms, end_ms - start_ms)

        # A session nobody finished shares the fate of a run that nobody finished.
        open_status = np.where(ends[sessions.run], UNKNOWN, status[sessions.run])
        sessions.status = np.where(sessions.status < 0, open_status, sessions.status)
        totals = np.stack(
            [np.bincount(sessions.run, column, count) for column in sessions.counts.T], axis=1
        ).astype(np.int64)
        money = self._run_costs(
            costs, sessions, ends=ends, end_ms=end_ms, calls=totals[:, 1], count=count
        )
        tokens, reported, cost, known, basis, price_status = money
        covered_ms = _covered(sessions.run, sessions.start_ms, sessions.end_ms, count)
        wasted = self._wasted(steps, cost, status, count)
        named = sessions.agent >= 0
        agents = np.unique(sessions.run[named] * 64 + sessions.agent[named]) // 64
        sessions_cost, sessions_costed = _sum(sessions.run, sessions.cost, count)
        steps_cost, steps_costed = _sum(steps.events.events.run, steps.cost, count)

        failing = np.flatnonzero(steps.is_failed)
        failing_run = steps.events.events.run[failing]
        order = np.lexsort((steps.session[failing], steps.events.time_ms[failing]))[::-1]
        first_failing = np.full(count, -1, dtype=np.int64)
        first_failing[failing_run[order]] = failing[order]
        fails = first_failing >= 0
        agent = self._step_agents(sim, steps, sessions)
        failing_agent = np.where(fails, agent[first_failing] if len(agent) else -1, -1)
        failing_number = np.where(fails, steps.number[first_failing] if len(agent) else -1, -1)

        names = [item.name for item in AGENTS]
        shapes = run_shapes(
            run=sessions.run,
            agent=sessions.agent,
            parent=sessions.parent,
            depth=sessions.depth,
            start_ms=sessions.start_ms,
            end_ms=sessions.end_ms,
            duration_ms=sessions.duration_ms,
            names=names,
            count=count,
        )
        place = _partner(runs.parent, runs.number)
        called = calls_from_above(
            run=sessions.run,
            parent=sessions.parent,
            start_ms=sessions.start_ms,
            end_ms=sessions.end_ms,
            above=np.where((place >= 0) & exists[place], place, -1),
            count=count,
        )
        signature = self._signatures(sim, steps, agent)
        redundant, repeats = redundant_steps(
            steps.events.events.run, signature, steps.is_retry, count
        )
        of_sessions, _ = redundant_steps(
            steps.session, signature, steps.is_retry, len(sim.sessions.run)
        )
        sessions.redundant = np.where(sessions.has_id, of_sessions[sessions.session], -1)
        has_loop = (shapes.topology == LOOP) | (repeats >= LOOP_REPEATS)

        actions = accepted[ACTION]
        kind = sim.actions.kind[actions.events.subject]
        rating = sim.actions.rating[actions.events.subject]
        rating_sum, rating_count = _sum(actions.events.run, rating, count)
        with np.errstate(invalid="ignore"):
            mean_rating = np.where(rating_count > 0, rating_sum / rating_count, np.nan)

        prompted = np.bincount(prompts.events.run, minlength=count) > 0
        telling = np.zeros(count, dtype=bool)
        for table in (RUN_COMPLETED, SESSION_STARTED, STEP):
            telling[accepted[table].events.run] = True
        trigger = self._triggers(runs.workflow, telling, prompted, runs.parent >= 0)
        # Prompts and completions say which plan a user who is logged in is on.
        plan = np.where(is_logged_in(runs.user) & (prompted | ends), runs.plan, -1)
        rows = np.flatnonzero(exists)
        several = np.bincount(completed.events.run, minlength=count) > 1

        def counted(kind_of_action: int) -> Ints:
            return np.bincount(actions.events.run, kind == kind_of_action, count).astype(np.int64)

        columns = {
            "conversation_id": _texts(maker.conversation_ids, rows),
            "interaction_id": _texts(maker.interaction_ids, rows),
            "run_status": _texts(list(ALL_STATUSES), status[rows]),
            "trigger_type": pa.array([trigger[row] for row in rows.tolist()], pa.string()),
            "duration_ms": _whole(duration_ms[rows]),
            "duration_source": _texts(["derived", "reported"], (reported_ms >= 0)[rows] * 1),
            "started_at": _timestamps(start_ms[rows]),
            "ended_at": _timestamps(end_ms[rows]),
            "covered_ms": _whole(covered_ms[rows]),
            "is_final": pa.array(status[rows] != IN_PROGRESS),
            "agent_count": _whole(np.bincount(agents, minlength=count)[rows]),
            "agent_session_count": _whole(np.bincount(sessions.run, minlength=count)[rows]),
            "step_count": _whole(totals[rows, 0]),
            "llm_call_count": _whole(totals[rows, 1]),
            "tool_call_count": _whole(totals[rows, 2]),
            "failed_step_count": _whole(totals[rows, 3]),
            "retried_step_count": _whole(totals[rows, 4]),
            **_token_columns(tokens[rows]),
            "total_tokens": _whole(_total(tokens)[rows]),
            "reported_cost_usd": _decimal(reported[rows]),
            "sessions_cost_usd": _decimal(_if_any(sessions_cost, sessions_costed)[rows]),
            "steps_cost_usd": _decimal(_if_any(steps_cost, steps_costed)[rows]),
            "wasted_cost_usd": _decimal(wasted[rows]),
            "cost_usd": _decimal(cost[rows]),
            "known_cost_usd": _decimal(known[rows]),
            "cost_basis": _texts(list(BASES), basis[rows]),
            "price_status": _texts(list(PRICE_STATUSES), price_status[rows]),
            "rating": _decimal(mean_rating[rows]),
            "rating_count": _whole(rating_count[rows]),
            "regenerated_count": _whole(counted(REGENERATED)[rows]),
            "copied_count": _whole(counted(COPIED)[rows]),
            "shared_count": _whole(counted(SHARED)[rows]),
            "has_conflicting_completions": pa.array(several[rows]),
            "first_failing_agent": _texts(names, failing_agent[rows]),
            "first_failing_step_number": _whole(failing_number[rows]),
            "is_multi_agent": pa.array(shapes.is_multi_agent[rows]),
            "topology": _texts(list(TOPOLOGIES), shapes.topology[rows]),
            "max_depth": _whole(shapes.max_depth[rows]),
            "path_signature": pa.array([shapes.path[row] for row in rows.tolist()], pa.string()),
            "critical_path_ms": _whole(shapes.critical_path_ms[rows]),
            "sequential_sibling_ms": _whole(shapes.sequential_sibling_ms[rows]),
            "handoff_count": _whole((shapes.handoffs + called)[rows]),
            "redundant_step_count": _whole(redundant[rows]),
            "has_loop": pa.array(has_loop[rows]),
            "user_id": _user_ids(runs.user[rows]),
            "plan_name": _texts(list(PLANS), plan[rows]),
        }
        self._append("runs", columns)
        self._write_sessions(sim, sessions, maker)
        if self._marts:
            last_event_ms = np.full(count, _EARLY)
            for table, item in accepted.items():
                if table != ACTION:
                    np.maximum.at(last_event_ms, item.events.run, item.time_ms)
            prompt, prompt_ms = self._prompts(sim, prompts)
            modes = [item.execution_mode or "" for item in WORKFLOWS]
            self._marts.runs += rows_of(
                RunRow,
                key=runs.number[rows],
                conversation=runs.conversation[rows],
                conversation_id=columns["conversation_id"].to_pylist(),
                interaction_id=columns["interaction_id"].to_pylist(),
                workflow=runs.workflow[rows],
                user=np.where(is_logged_in(runs.user), runs.user, -1)[rows],
                plan=plan[rows],
                start_ms=start_ms[rows],
                end_ms=end_ms[rows],
                last_event_ms=last_event_ms[rows],
                status=columns["run_status"].to_pylist(),
                trigger=columns["trigger_type"].to_pylist(),
                sent_mode=[
                    modes[runs.workflow[row]] if telling[row] else "" for row in rows.tolist()
                ],
                prompt=prompt[rows],
                prompt_ms=prompt_ms[rows],
                regenerated_count=counted(REGENERATED)[rows],
                cost=cost[rows],
                duration_ms=duration_ms[rows],
                circles=self._in_circles(sim)[rows],
            )
            self._remember_sessions(sim, sessions)
            self._remember_steps(sim, steps, sessions, signature, agent)

    def _prompts(self, sim: Simulation, prompts: Judged) -> tuple[Ints, Ints]:
        """Return a number per prompt text and its time by run, -1 without; canaries differ all."""
        count = len(sim.runs.number)
        prompt, prompt_ms = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
        run = prompts.events.run
        code = sim.runs.workflow[run] * 10_000 + sim.runs.prompt_text[run]
        alone = 1_000_000_000 + run
        prompt[run] = np.where(prompts.events.has_canary, alone, code)
        prompt_ms[run] = prompts.time_ms
        return prompt, prompt_ms

    def _in_circles(self, sim: Simulation) -> Bools:
        """Return the runs in which the last session of a circle was played."""
        runs, sessions = sim.runs, sim.sessions
        result = np.zeros(len(runs.number), dtype=bool)
        last_slot = np.array([len(item.slots + item.circle) - 1 for item in WORKFLOWS])
        closes = sessions.slot == last_slot[runs.workflow[sessions.run]]
        result[sessions.run[closes & workflow_flag("circle")[runs.workflow[sessions.run]]]] = True
        return result

    def _remember_sessions(self, sim: Simulation, sessions: _SessionFacts) -> None:
        first = len(self._marts.sessions)
        self._marts.sessions += rows_of(
            SessionRow,
            key=first + np.arange(len(sessions.run)),
            parent=np.where(sessions.parent >= 0, first + sessions.parent, -1),
            run=sim.runs.number[sessions.run],
            agent=sessions.agent,
            depth=sessions.depth,
            version=self._versions(sim, sessions),
            model=sessions.model,
            status=[ALL_STATUSES[number] for number in sessions.status.tolist()],
            start_ms=sessions.start_ms,
            end_ms=sessions.end_ms,
            duration_ms=sessions.duration_ms,
            cost=sessions.cost,
            is_cost_unknown=sessions.unknown,
            loops=sim.sessions.loops[sessions.session],
        )

    def _remember_steps(
        self,
        sim: Simulation,
        steps: _StepFacts,
        sessions: _SessionFacts,
        signature: Ints,
        agent: Ints,
    ) -> None:
        model = sim.steps.model[steps.step]
        self._marts.steps += rows_of(
            StepRow,
            run=sim.runs.number[steps.events.events.run],
            agent=agent,
            kind=sim.steps.kind[steps.step],
            tool=sim.steps.tool[steps.step],
            model=np.where(model >= 0, model, sessions.model_of_played[steps.session]),
            signature=signature,
            is_failed=steps.is_failed,
            is_retry=steps.is_retry,
            is_retried=steps.is_retried,
            is_fallback=steps.is_fallback,
            end_ms=steps.events.time_ms,
            duration_ms=sim.steps.duration_ms[steps.step],
        )

    def _remember_outcomes(self, sim: Simulation, outcomes: list[Events]) -> None:
        for events in outcomes:
            self._marts.outcomes += rows_of(
                OutcomeRow,
                user=sim.runs.user[events.run],
                outcome=[OUTCOMES.index(events.table)] * len(events),
                time_ms=events.time_ms,
            )

    def _versions(self, sim: Simulation, sessions: _SessionFacts) -> Ints:
        """Return the version of each session: all events of a session send it."""
        if not self._settings.strength("version_release"):
            return np.full(len(sessions.session), -1, dtype=np.int64)
        return sim.sessions.version[sessions.session]

    def _signatures(self, sim: Simulation, steps: _StepFacts, agent: Ints) -> Ints:
        """Return equal numbers for steps of one agent that call a tool with the same input.

        Canaries make an input like no other; they sit in the output of every second call that
        worked.
        """
        played = sim.steps
        tool, value = played.tool[steps.step], played.value[steps.step]
        inputs = np.array([len(TOOL_VALUES[item.input_key]) for item in TOOLS])
        told = value % inputs[np.maximum(tool, 0)]
        signature = ((agent + 1) * len(TOOLS) + tool) * 1_000 + told
        worked = played.status[steps.step] == SUCCESS
        is_canary = steps.events.events.has_canary & ~(worked & (value % 2 == 1))
        alone = 1_000_000_000 + np.arange(len(tool))
        return np.where(tool < 0, -1, np.where(is_canary, alone, signature))

    def _wasted(self, steps: _StepFacts, cost: Floats, status: Ints, count: int) -> Floats:
        """Return the cost of runs that came to nothing, of failed or retried steps in others."""
        # Without a cost only model calls that were billed make the waste of their run unknown.
        rows = np.flatnonzero(
            (steps.is_failed | steps.is_retried) & (~np.isnan(steps.cost) | steps.unknown)
        )
        run = steps.events.events.run[rows]
        summed, known = _sum(run, steps.cost[rows], count)
        wasteful = np.bincount(run, minlength=count)
        of_steps = np.where(known == wasteful, summed, np.nan)
        return np.where(np.isin(status, (ERROR, TIMEOUT, CANCELLED, ABANDONED)), cost, of_steps)

    def _run_costs(
        self,
        costs: Costs,
        sessions: _SessionFacts,
        *,
        ends: Bools,
        end_ms: Ints,
        calls: Ints,
        count: int,
    ) -> tuple[Ints, Floats, Floats, Floats, Ints, Ints]:
        """Return the runs' token classes, reported, own and known cost, basis and price status.

        The run's own token counts are used unless agents of different token conventions worked in
        it: such a total cannot be split into classes, the sessions' totals can.
        """
        run = sessions.run
        sent = np.where(ends[:, None], costs.run_tokens, -1)
        known = np.bincount(run, minlength=count)
        mixed = np.zeros(count, dtype=bool)
        shared = np.zeros((count, 2), dtype=bool)
        for part in range(2):
            including = np.bincount(run, sessions.includes[:, part], count)
            mixed |= (including > 0) & (including < known)
            shared[:, part] = (including > 0) & (including == known)
        cached = np.where(sent[:, 2:] >= 0, sent[:, 2:], 0).sum(axis=1) > 0
        usable = (sent >= 0).any(axis=1) & ~(cached & mixed)
        own = token_classes(sent, shared[:, 0], shared[:, 1])
        of_sessions = sum_tokens(run, sessions.tokens, count)
        # No tokens at all beside sessions that used some is no count.
        usable &= ~((np.where(sent >= 0, sent, 0).sum(axis=1) == 0) & (_total(of_sessions) > 0))
        tokens = np.where(usable[:, None], own, of_sessions)
        total = _total(tokens)

        reported = np.where(ends & ~costs.run_text, costs.run, np.nan)
        summed, summed_count = _sum(run, sessions.cost, count)
        known_sum, known_count = _sum(run, sessions.known, count)
        spent = (known_count > 0) & (known_sum > 0)
        believed = believable(reported, (total <= 0) & (calls == 0) & ~spent)
        unknown = np.bincount(run, sessions.unknown, count)
        unpriced = np.bincount(run, sessions.price_status == PS_UNPRICED, count)
        by_list = np.bincount(run, sessions.price_status == PS_PRICED, count)
        covers = ~usable | (_total(of_sessions) < 0) | (_total(of_sessions) >= total)
        summed = np.where((unknown == 0) & (summed_count > 0) & covers, summed, np.nan)
        # A run's own tokens have a price only where all its sessions used one model.
        named = np.where(sessions.model >= 0, _canonical(sessions.model), -1)
        least, most = _smallest(run, named, count), _largest(run, named, count)
        model = np.full(count, -1, dtype=np.int64)
        model[run] = sessions.model
        one_model = (least == most) & (least >= 0)
        own_floor = self._prices.cost(np.maximum(model, 0), end_ms, tokens)
        own_floor = np.where(usable & one_model & (total > 0), own_floor, np.nan)
        listed = np.where(has_all_tokens(tokens), own_floor, np.nan)
        cost = first_known(believed, summed, listed)
        basis = np.select(
            [~np.isnan(believed), ~np.isnan(summed), ~np.isnan(listed)],
            [REPORTED, SESSIONS_SUM, LISTED],
            NONE,
        )
        floor = np.fmax(np.where(known_count > 0, known_sum, np.nan), own_floor)
        status = np.select(
            [
                basis == REPORTED,
                (basis == SESSIONS_SUM) & (by_list == 0),
                basis != NONE,
                unpriced > 0,
                ~np.isnan(floor),
                usable & has_all_tokens(tokens) & (total > 0),
                (total > 0) & (usable | (unknown > 0)),
            ],
            [
                PS_REPORTED,
                PS_REPORTED,
                PS_PRICED,
                PS_UNPRICED,
                PS_PARTIAL,
                PS_UNPRICED,
                PS_PARTIAL,
            ],
            PS_NO_USAGE,
        )
        return tokens, reported, cost, first_known(cost, floor), basis, status

    def _triggers(
        self, workflow: Ints, telling: Bools, prompted: Bools, has_parent: Bools
    ) -> list[str]:
        explicit = [item.trigger_type for item in WORKFLOWS]
        facts = zip(
            workflow.tolist(), telling.tolist(), prompted.tolist(), has_parent.tolist(), strict=True
        )
        return [
            explicit[number]
            if explicit[number] and tells
            else ("user" if prompt else ("agent" if parent else "unknown"))
            for number, tells, prompt, parent in facts
        ]

    def _step_agents(self, sim: Simulation, steps: _StepFacts, sessions: _SessionFacts) -> Ints:
        """Return who made each step: the name it carries, else its session's; -1 for nobody."""
        sends = workflow_flag("sends_step_agent")[sim.runs.workflow[steps.events.events.run]]
        agent = sim.sessions.agent[steps.session]
        return np.where(sends, agent, sessions.agent_of_played[steps.session])

    def _write_sessions(self, sim: Simulation, facts: _SessionFacts, maker: TableMaker) -> None:
        order = np.lexsort((facts.end_ms, ~facts.has_id, facts.session))
        ids = np.where(facts.has_id, facts.session, -1)[order]
        columns = {
            "conversation_id": _texts(maker.conversation_ids, facts.run[order]),
            "interaction_id": _texts(maker.interaction_ids, facts.run[order]),
            "agent_session_id": _texts(maker.session_ids, ids),
            "agent_name": _texts([item.name for item in AGENTS], facts.agent[order]),
            "ended_at": _timestamps(facts.end_ms[order]),
            "started_at": _timestamps(facts.start_ms[order]),
            "session_source": _texts(list(SOURCES), facts.source[order]),
            "session_status": _texts(list(ALL_STATUSES), facts.status[order]),
            "depth": _whole(facts.depth[order]),
            "duration_ms": _whole(facts.duration_ms[order]),
            "llm_ms": _whole(facts.call_ms[order, 0]),
            "tool_ms": _whole(facts.call_ms[order, 1]),
            "canonical_model": _texts(CANONICAL_MODELS, _canonical(facts.model[order])),
            "step_count": _whole(facts.counts[order, 0]),
            "llm_call_count": _whole(facts.counts[order, 1]),
            "tool_call_count": _whole(facts.counts[order, 2]),
            "failed_step_count": _whole(facts.counts[order, 3]),
            "retried_step_count": _whole(facts.counts[order, 4]),
            **_token_columns(facts.tokens[order]),
            "total_tokens": _whole(facts.total[order]),
            "reported_cost_usd": _decimal(facts.reported[order]),
            "list_cost_usd": _decimal(facts.listed[order]),
            "steps_cost_usd": _decimal(facts.steps_cost[order]),
            "cost_usd": _decimal(facts.cost[order]),
            "known_cost_usd": _decimal(facts.known[order]),
            "cost_basis": _texts(list(BASES), facts.basis[order]),
            "price_status": _texts(list(PRICE_STATUSES), facts.price_status[order]),
            "has_conflicting_completions": pa.array(facts.conflicts[order]),
            "redundant_step_count": _whole(facts.redundant[order]),
            "agent_version": _texts(list(VERSIONS), self._versions(sim, facts)[order]),
        }
        self._append("agent_sessions", columns)

    def _write_steps(
        self, sim: Simulation, facts: _StepFacts, sessions: _SessionFacts, maker: TableMaker
    ) -> None:
        played, step = sim.steps, facts.step
        events = facts.events.events
        status = np.where(played.status[step] == SUCCESS, SUCCESS, played.status[step])
        model = np.where(
            played.model[step] >= 0, played.model[step], sessions.model_of_played[facts.session]
        )
        columns = {
            "step_id": _event_ids(sim, events),
            "conversation_id": _texts(maker.conversation_ids, events.run),
            "interaction_id": _texts(maker.interaction_ids, events.run),
            "agent_session_id": _texts(maker.session_ids, facts.session),
            "agent_name": _texts(
                [item.name for item in AGENTS], self._step_agents(sim, facts, sessions)
            ),
            "step_number": _whole(facts.number),
            "step_type": _texts(list(STEP_TYPES), played.kind[step]),
            "step_status": _texts(list(STATUSES), status),
            "tool_name": _texts([item.name for item in TOOLS], played.tool[step]),
            "canonical_model": _texts(CANONICAL_MODELS, _canonical(model)),
            "is_retry": pa.array(facts.is_retry),
            "is_fallback": pa.array(facts.is_fallback),
            "attempt_number": _whole(facts.attempt),
            "duration_ms": _whole(played.duration_ms[step]),
            "ended_at": _timestamps(facts.events.time_ms),
            **_token_columns(facts.tokens),
            "total_tokens": _whole(_total(facts.tokens)),
            "reported_cost_usd": _decimal(facts.reported),
            "list_cost_usd": _decimal(facts.listed),
            **{
                f"{name}_cost_usd": _decimal(facts.listed_by_class[:, number])
                for number, name in enumerate(("input", "output", "cache_read", "cache_write"))
            },
            "cost_usd": _decimal(facts.cost),
            "known_cost_usd": _decimal(facts.known),
            "cost_basis": _texts(list(BASES), facts.basis),
            "price_status": _texts(list(PRICE_STATUSES), facts.price_status),
        }
        self._append("steps", columns)

    def _write_actions(self, sim: Simulation, accepted: Judged, maker: TableMaker) -> None:
        actions = sim.actions
        subject = accepted.events.subject
        kind = actions.kind[subject]
        name = np.select([kind == COPIED, kind == SHARED, kind == REGENERATED], [0, 1, 2], 3)
        feedback = np.where(name == 3, np.minimum(kind, RATING + 1) - THUMBS, -1)
        columns = {
            "action_id": _event_ids(sim, accepted.events),
            "conversation_id": _texts(maker.conversation_ids, accepted.events.run),
            "interaction_id": _texts(maker.interaction_ids, accepted.events.run),
            "action_type": _texts(list(ACTION_TYPES), name),
            "feedback_type": _texts(list(FEEDBACK_TYPES), feedback),
            "rating": _decimal(actions.rating[subject]),
            "acted_at": _timestamps(accepted.time_ms),
        }
        self._append("user_actions", columns)


def has_id_of(session: Ints, has_id: Bools, count: int) -> Bools:
    """Return, by played session, whether it is a session row with an id."""
    result = np.zeros(count, dtype=bool)
    result[session[has_id]] = True
    return result


def _match_responses(
    *,
    run: Ints,
    agent: Ints,
    has_end: Bools,
    end_ms: Ints,
    slot: Ints,
    responses: Judged,
    response_agent: Ints,
) -> Ints:
    """Return, per session, the position of the response that describes it, -1 for none.

    The n-th response of an agent in a run belongs to the agent's n-th session,
    sessions ordered by end, then id. When an agent has fewer responses than sessions, the sessions
    without completion come last: they are the ones that never answered. Responses left over go,
    in order, to the sessions of the run that are left over, when there are as many, else to those
    that name no agent.
    """
    result = np.full(len(run), -1, dtype=np.int64)
    if len(responses.events) == 0 or len(run) == 0:
        return result
    answer_run = responses.events.run
    answer_group = answer_run * 256 + response_agent
    group = run * 256 + np.where(agent >= 0, agent, 255)
    groups, answer_counts = np.unique(answer_group, return_counts=True)
    own, session_counts = np.unique(group, return_counts=True)
    answers = np.zeros(len(group), dtype=np.int64)
    where = np.minimum(np.searchsorted(groups, group), len(groups) - 1)
    answers = np.where(groups[where] == group, answer_counts[where], 0)
    sessions = session_counts[np.searchsorted(own, group)]
    last = (~has_end & (answers < sessions)).astype(np.int64)
    rank = _rank(last, end_ms, slot, groups=group)
    answer_rank = _rank(responses.time_ms, responses.events.received_ms, groups=answer_group)
    result = _partner(
        np.where(agent >= 0, group * 1_024 + rank, -1), answer_group * 1_024 + answer_rank
    )
    left = np.ones(len(answer_run), dtype=bool)
    left[result[result >= 0]] = False
    left_rows = np.flatnonzero(left)
    size = int(max(run.max(), answer_run.max())) + 1
    open_sessions = np.bincount(run[result < 0], minlength=size)
    is_even = open_sessions == np.bincount(answer_run[left_rows], minlength=size)
    takers = np.flatnonzero((result < 0) & ((agent < 0) | is_even[run]))
    if len(left_rows) and len(takers):
        taker_rank = _rank(end_ms[takers], slot[takers], groups=run[takers])
        left_rank = _rank(
            responses.time_ms[left_rows],
            responses.events.received_ms[left_rows],
            groups=answer_run[left_rows],
        )
        found = _partner(
            run[takers] * 1_024 + taker_rank, answer_run[left_rows] * 1_024 + left_rank
        )
        result[takers] = np.where(found >= 0, left_rows[found], -1)
    return result


def _retried(rows: Ints, session: Ints, target: Ints, attempt: Ints) -> list[int]:
    """Return which of the steps with attempt numbers another attempt follows, rows in their order.

    Attempt n goes to the operation of its session and target whose latest attempt is n-1; of
    several to the one that was tried last.
    """
    open_operations: dict[tuple[int, int, int], list[int]] = {}
    retried = []
    for row in rows.tolist():
        place = (int(session[row]), int(target[row]))
        number = int(attempt[row])
        waiting = open_operations.get((*place, number - 1))
        if waiting:
            retried.append(waiting.pop())
        open_operations.setdefault((*place, number), []).append(row)
    return retried


def _count_pairs(day: Ints, kind: Ints) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the distinct pairs of day and kind, and how often each occurs."""
    pairs, counts = np.unique(day * 4 + kind, return_counts=True)
    return [divmod(pair, 4) for pair in pairs.tolist()], counts.tolist()


def _user_ids(user: Ints) -> pa.Array:
    people, where = np.unique(user, return_inverse=True)
    return _texts(
        [user_text(number) for number in people.tolist()], np.where(is_logged_in(user), where, -1)
    )


def _texts(values: list[str], codes: Ints) -> pa.Array:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string())).cast(pa.string())


def _whole(values: Ints) -> pa.Array:
    return pa.array(values, mask=values < 0)


def _decimal(values: Floats) -> pa.Array:
    return pa.array(np.round(values, 9), mask=np.isnan(values))


def _timestamps(milliseconds: Ints) -> pa.Array:
    """Return times as text, as DuckDB and Python both read them."""
    text = np.datetime_as_string(milliseconds.astype("datetime64[ms]"), timezone="UTC")
    return pa.array(text.tolist(), pa.string())


def _canonical(model: Ints) -> Ints:
    """Return positions in `CANONICAL_MODELS` of catalogued models, -1 without a price."""
    places = [
        CANONICAL_MODELS.index(item.canonical_model) if item.canonical_model else -1
        for item in MODELS
    ]
    return np.where(model >= 0, np.array(places)[model], -1)


def _covered(run: Ints, start_ms: Ints, end_ms: Ints, count: int) -> Ints:
    """Return how long at least one session of each run was at work; -1 without any session.

    The union of the session intervals: every session adds what lies after all ends before it.
    """
    order = np.lexsort((end_ms, start_ms, run))
    group, begin, end = run[order], start_ms[order], end_ms[order]
    covered = np.full(count, -1, dtype=np.int64)
    if len(group) == 0:
        return covered
    # A run's times are shifted beyond those of the run before, so that one running maximum serves
    # all runs.
    origin = begin.min()
    shift = group * (end.max() - origin + 1)
    latest = np.maximum.accumulate(end - origin + shift)
    before = np.concatenate([[0], latest[:-1]]) - shift + origin
    added = np.maximum(end - np.maximum(begin, before), 0)
    total = np.bincount(group, added, count).astype(np.int64)
    return np.where(np.bincount(group, minlength=count) > 0, total, -1)


def _token_columns(tokens: Ints) -> dict[str, pa.Array]:
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    return {name: _whole(tokens[:, position]) for position, name in enumerate(names)}


def _event_ids(sim: Simulation, events: Events) -> pa.Array:
    text = uuid_text(events.key, sim.plan.settings.seed)
    joined = text.tobytes().decode("ascii")
    values = [joined[start : start + 36] for start in range(0, len(joined), 36)]
    return pa.array(values, pa.string(), mask=~events.has_event_id)
