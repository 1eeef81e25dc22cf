"""What the marts must say about the patterns: counted from what was played, row by row.

Plain Python over runs, sessions and steps, where the models sum days of days in SQL. Files and
columns are named as the marts and their columns. `planted_days` has no mart of its own: it says on
which days a metric was made unusual, and by how many standard deviations of its other days.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from scripts.generator.catalog import AGENTS, MODELS, TOOLS, WORKFLOWS
from scripts.generator.event_tables import user_text
from scripts.generator.patterns import (
    INCIDENT_WORKFLOW,
    OUTCOMES,
    PLANS,
    RELEASE_WORKFLOW,
    SLOW_WORKFLOW,
    SWITCHING_AGENT,
    VERSIONS,
    schedule,
)
from scripts.generator.settings import DAY_MS, HOUR_MS, Settings
from scripts.generator.simulate import STEP_TYPES
from scripts.warehouse import PROJECT_DIR

PLAN_PRICES = PROJECT_DIR / "seeds" / "pricing" / "plan_prices.csv"
TOOL_RATES = PROJECT_DIR / "seeds" / "pricing" / "tool_rate_card.csv"
AGENT_CATALOG = PROJECT_DIR / "seeds" / "taxonomy" / "agent_catalog.csv"
WORKFLOW_CATALOG = PROJECT_DIR / "seeds" / "taxonomy" / "workflow_catalog.csv"
OUTCOME_EVENTS = PROJECT_DIR / "seeds" / "outcomes" / "outcome_events.csv"
NOT_SET, NO_NAME = "(not set)", "(none)"
FAILURES = ("error", "timeout", "cancelled", "partial_success", "abandoned")
FIRST_DAY = date(1970, 1, 1)
# A model is the one of a day when an agent had so many sessions with it; a switch needs so many
# such days on each side and compares so many days.
MAIN_MODEL_SESSIONS, MAIN_MODEL_DAYS, SWITCH_SIDE_DAYS = 10, 7, 14
LOOP_REPEATS = 5
REASK_MS = 10 * 60_000
DIRECTING_ROLES = ("orchestrator", "planner", "router")
FILES = (
    "planted_days",
    "planted_loops",
    "mart_agent_versions",
    "mart_model_switches",
    "mart_parallelization",
    "mart_repeated_steps",
    "mart_retry_rates",
    "mart_business_outcomes",
    "mart_user_retention",
    "mart_unit_economics",
    "dim_users",
    "run_judgements",
)


@dataclass
class RunRow:
    """One run as it must be found."""

    key: int
    conversation: int
    conversation_id: str
    interaction_id: str
    workflow: int
    user: int  # -1 where nobody is logged in
    plan: int
    start_ms: int
    end_ms: int
    last_event_ms: int  # of all but user actions
    status: str
    trigger: str
    sent_mode: str  # empty where nobody says it
    prompt: int  # equal for equal texts, -1 without a prompt
    prompt_ms: int
    regenerated_count: int
    cost: float
    duration_ms: int
    circles: bool  # its agents were made to send the work back and forth


@dataclass
class SessionRow:
    """One agent session as it must be found."""

    key: int
    parent: int  # key of the parent session, -1 for none
    run: int
    agent: int  # -1 where nobody names it
    depth: int
    version: int
    model: int
    status: str
    start_ms: int
    end_ms: int
    duration_ms: int
    cost: float
    is_cost_unknown: bool  # has model calls of unknown cost
    loops: bool  # it was made to call one tool again and again


@dataclass
class StepRow:
    """One step as it must be found."""

    run: int
    agent: int
    kind: int
    tool: int
    model: int
    signature: int  # -1 where the input is not known
    is_failed: bool
    is_retry: bool
    is_retried: bool
    is_fallback: bool
    end_ms: int
    duration_ms: int


@dataclass
class OutcomeRow:
    """One event of an outcome."""

    user: int
    outcome: int
    time_ms: int


@dataclass
class _Pair:
    """Two neighbouring siblings of a run, or all such pairs of two agents in it."""

    first: str
    start_ms: int
    overlaps: bool
    savable_ms: int | None
    is_final: bool

    @classmethod
    def of(cls, run: RunRow, one: SessionRow, other: SessionRow, has_parents: bool) -> _Pair:
        """Return a pair; without parent ids a tenth of the shorter one is no overlap."""
        lengths = [session.end_ms - session.start_ms for session in (one, other)]
        shared = min(one.end_ms, other.end_ms) - other.start_ms
        least = 0 if has_parents else min(lengths) / 10
        known = min(one.duration_ms, other.duration_ms)
        return cls(
            first=_agent(one.agent),
            start_ms=one.start_ms,
            overlaps=min(lengths) > 0 and shared > least,
            savable_ms=known if known >= 0 else None,
            is_final=run.status != "in_progress",
        )

    @classmethod
    def of_run(cls, pairs: list[_Pair]) -> _Pair:
        """Return the pairs of a run as one, as it began."""
        alone = [p.savable_ms for p in pairs if not p.overlaps and p.savable_ms is not None]
        return cls(
            first=pairs[0].first,
            start_ms=pairs[0].start_ms,
            overlaps=any(pair.overlaps for pair in pairs),
            savable_ms=sum(alone) if alone else None,
            is_final=pairs[0].is_final,
        )


def rows_of(row: type, /, **columns: object) -> list:
    """Return rows of a class from columns of equal length, arrays or lists."""
    lists = [
        value.tolist() if isinstance(value, np.ndarray) else value
        for value in (columns[item.name] for item in fields(row))
    ]
    return [row(*values) for values in zip(*lists, strict=True)]


class MartTruth:
    """Collects what was played and says at the end what the marts must show."""

    def __init__(self, settings: Settings) -> None:
        """Begin with nothing."""
        self._settings = settings
        self._schedule = schedule(settings)
        self.runs: list[RunRow] = []
        self.sessions: list[SessionRow] = []
        self.steps: list[StepRow] = []
        self.outcomes: list[OutcomeRow] = []

    def write(self, folder: Path) -> None:
        """Write one file per table."""
        self._by_run = {run.key: run for run in self.runs}
        makers: dict[str, Callable[[], list[dict]]] = {
            name: getattr(self, f"_{name.removeprefix('mart_')}") for name in FILES
        }
        for name, make in makers.items():
            header, rows = make()
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
                writer = csv.writer(handle, lineterminator="\n")
                writer.writerow(header)
                writer.writerows(rows)

    # planted days --------------------------------------------------------------------------------

    def _planted_days(self) -> tuple[list[str], list[list]]:
        header = ["kind", "metric", "workflow_name", "metric_date", "usual_value", "value", "sigma"]
        rows = []
        for metric, day in self._schedule.incidents.items():
            rows += self._incident(metric, day)
        changes = (
            (self._schedule.slowdown_day, SLOW_WORKFLOW, "p95_duration_ms"),
            (self._schedule.release_day, RELEASE_WORKFLOW, "cost_per_run_usd"),
        )
        for day, workflow, metric in changes:
            if day < 0:
                continue
            values = self._daily(metric, workflow)
            before = [v for d, v in values.items() if day - SWITCH_SIDE_DAYS <= d < day]
            after = [v for d, v in values.items() if day <= d < day + SWITCH_SIDE_DAYS]
            if not before or not after:
                continue  # too few runs for a change
            middle = statistics.mean(before), statistics.mean(after)
            rows.append(["change", metric, workflow, _day(day), *map(_rounded, middle), ""])
        return header, rows

    def _incident(self, metric: str, day: int) -> list[list]:
        """Return the row of a day, with how far from the other days of its kind it lies.

        With so few runs that nothing is usual there is none.

        Money and time are compared by their ratios, rates by what chance makes of the runs of the
        day, counts with other working days.
        """
        values = self._daily(metric, INCIDENT_WORKFLOW)
        known = set(self._schedule.incidents.values())
        ends = (min(values, default=0), max(values, default=0))
        others = [
            (number, value)
            for number, value in values.items()
            if number not in known and number not in ends and (number + 3) % 7 < 5
        ]
        figures = [value for _, value in others]
        if day not in values or len(set(figures)) < 2:
            return []
        value, usual = values[day], statistics.median(figures)
        if metric == "success_rate":
            ended = self._ended(INCIDENT_WORKFLOW)
            clean = [ok for number in dict(others) for ok in ended[number]]
            usual = sum(clean) / len(clean)
            spread = math.sqrt(usual * (1 - usual) / len(ended[day]))
            sigma = (value - usual) / spread
        elif metric == "runs":
            sigma = (value - statistics.mean(figures)) / statistics.stdev(figures)
        else:
            logs = [math.log(figure) for figure in figures]
            sigma = (math.log(value) - statistics.mean(logs)) / statistics.stdev(logs)
        numbers = map(_rounded, (usual, value, sigma))
        return [["anomaly", metric, INCIDENT_WORKFLOW, _day(day), *numbers]]

    def _ended(self, workflow: str) -> dict[int, list[bool]]:
        found: dict[int, list[bool]] = defaultdict(list)
        for run in self.runs:
            if WORKFLOWS[run.workflow].name == workflow and run.status != "in_progress":
                found[run.start_ms // DAY_MS].append(run.status == "success")
        return found

    def _daily(self, metric: str, workflow: str) -> dict[int, float]:
        """Return a metric of a workflow by day."""
        by_day: dict[int, list[RunRow]] = defaultdict(list)
        for run in self.runs:
            if WORKFLOWS[run.workflow].name == workflow:
                by_day[run.start_ms // DAY_MS].append(run)
        found = {}
        for day, runs in by_day.items():
            ended = [run for run in runs if run.status != "in_progress"]
            if metric == "runs":
                found[day] = float(len(runs))
            elif metric == "success_rate" and ended:
                found[day] = sum(run.status == "success" for run in ended) / len(ended)
            elif metric == "p95_duration_ms" and ended:
                found[day] = _percentile([run.duration_ms for run in ended], 0.95)
            elif metric == "cost_per_run_usd":
                costs = [run.cost for run in ended if not math.isnan(run.cost)]
                if costs:
                    found[day] = statistics.mean(costs)
        return found

    def _planted_loops(self) -> tuple[list[str], list[list]]:
        header = ["conversation_id", "interaction_id", "kind", "repeats"]
        calls = Counter((s.run, s.agent, s.signature) for s in self.steps if s.signature >= 0)
        rows = []
        for run in self.runs:
            if run.circles:
                rows.append([run.conversation_id, run.interaction_id, "agents", ""])
        for session in self.sessions:
            if session.loops:
                run = self._by_run[session.run]
                mine = [n for key, n in calls.items() if key[:2] == (session.run, session.agent)]
                ids = [run.conversation_id, run.interaction_id]
                rows.append([*ids, "tool", max(mine, default=0)])
        return header, rows

    # runs ----------------------------------------------------------------------------------------

    def _run_judgements(self) -> tuple[list[str], list[list]]:
        """Return friction, objective, synthesis and the parts of the cost of each run."""
        header = [
            "conversation_id", "interaction_id", "is_reasked", "friction_count", "slo_ms",
            "is_slo_breached", "synthesis_ms", "orchestrator_cost_usd", "worker_cost_usd",
            "tool_cost_usd", "infrastructure_cost_usd", "full_cost_usd",
        ]  # fmt: skip
        reasked = self._reasked()
        last = {}
        for run in self.runs:
            known = last.setdefault(run.conversation, run)
            if run.last_event_ms > known.last_event_ms:
                last[run.conversation] = run
        roles = {row["agent_name"]: row["role"] for row in _seed(AGENT_CATALOG)}
        hourly = {
            row["agent_name"]: float(row["infrastructure_usd_per_hour"])
            for row in _seed(AGENT_CATALOG)
            if row["infrastructure_usd_per_hour"]
        }
        sessions: dict[int, list[SessionRow]] = defaultdict(list)
        for session in self.sessions:
            sessions[session.run].append(session)
        tool_costs = self._tool_costs()
        rows = []
        for run in self.runs:
            mine = sessions[run.key]
            has_parents = any(session.depth > 0 for session in mine)
            workers, directors = [], []
            for session in mine:
                role = roles.get(_agent(session.agent), roles["*"])
                works = session.depth > 0 if has_parents else role not in DIRECTING_ROLES
                (workers if works else directors).append(session)
            slo = self._slo_ms(run)
            machines = [
                hourly[_agent(s.agent)] * s.duration_ms / HOUR_MS
                for s in mine
                if _agent(s.agent) in hourly and s.duration_ms >= 0
            ]
            tools = tool_costs.get(run.key, [])
            ends_badly = run.status in ("error", "timeout") and last[run.conversation] is run
            friction = (run.key in reasked) + run.regenerated_count
            friction += (run.status == "cancelled") + ends_badly
            rows.append(
                [
                    run.conversation_id,
                    run.interaction_id,
                    str(run.key in reasked).lower(),
                    friction,
                    slo,
                    _is_breached(run, slo),
                    _synthesis(run, mine, workers),
                    _share(directors) if mine else "",
                    _share(workers) if mine else "",
                    _total(tools),
                    _total(machines),
                    ""
                    if math.isnan(run.cost)
                    else _rounded(run.cost + math.fsum(tools) + math.fsum(machines)),
                ]
            )
        return header, rows

    def _reasked(self) -> set[int]:
        """Return the runs whose prompt comes again, next in its conversation and soon."""
        prompts: dict[int, list[RunRow]] = defaultdict(list)
        for run in self.runs:
            if run.prompt >= 0:
                prompts[run.conversation].append(run)
        found = set()
        for runs in prompts.values():
            runs.sort(key=lambda item: item.prompt_ms)
            for run, following in pairwise(runs):
                is_soon = following.prompt_ms - run.prompt_ms <= REASK_MS
                if run.prompt == following.prompt and is_soon:
                    found.add(run.key)
        return found

    def _slo_ms(self, run: RunRow) -> int:
        """Return the objective: of the workflow and mode, of the workflow, of the mode, of any."""
        mode = run.sent_mode or {"user": "sync", "unknown": ""}.get(run.trigger, "async")
        goals = {
            (row["workflow_name"], row["execution_mode"]): int(row["latency_slo_ms"])
            for row in _seed(WORKFLOW_CATALOG)
        }
        name = _workflow(run.workflow)
        places = ((name, mode), (name, "*"), ("*", mode), ("*", "*"))
        return next(goals[place] for place in places if place in goals)

    def _tool_costs(self) -> dict[int, list[float]]:
        rates = {row["tool_name"]: row for row in _seed(TOOL_RATES)}
        found: dict[int, list[float]] = defaultdict(list)
        for step in self.steps:
            rate = rates.get(TOOLS[step.tool].name) if step.tool >= 0 else None
            if rate:
                per_second = float(rate["usd_per_second"] or 0) * step.duration_ms / 1000
                found[step.run].append(float(rate["usd_per_call"] or 0) + per_second)
        return found

    # agents --------------------------------------------------------------------------------------

    def _agent_versions(self) -> tuple[list[str], list[list]]:
        header = [
            "agent_name", "agent_version", "session_count", "successful_session_count", "n_used",
            "cost_usd", "costed_session_count", "cost_per_session_usd", "p95_duration_ms",
            "first_seen_at", "last_seen_at",
        ]  # fmt: skip
        groups: dict[tuple[int, int], list[SessionRow]] = defaultdict(list)
        for session in self.sessions:
            if session.version >= 0:
                groups[session.agent, session.version].append(session)
        rows = []
        for (agent, version), found in sorted(groups.items()):
            costed = _known(s.cost for s in found if s.status != "in_progress")
            times = [s.duration_ms for s in found if s.duration_ms >= 0]
            rows.append(
                [
                    _agent(agent),
                    VERSIONS[version],
                    len(found),
                    sum(s.status == "success" for s in found),
                    sum(_is_judged(s.status) for s in found),
                    _total(s.cost for s in found),
                    len(costed),
                    _rounded(math.fsum(costed) / len(costed)) if costed else "",
                    _percentile(times, 0.95),
                    _time(min(s.start_ms for s in found)),
                    _time(max(s.end_ms for s in found)),
                ]
            )
        return header, rows

    def _model_switches(self) -> tuple[list[str], list[list]]:
        """Return the switch, on the first day on which the new model is the main one of the agent.

        Days with few sessions have no main model.
        """
        sides = ("before", "after")
        names = (
            "session_count", "cost_usd", "finished_session_count", "successful_session_count"
        )  # fmt: skip
        header = ["agent_name", "from_model", "to_model", "switched_on"]
        header += [f"{name}_{side}" for side in sides for name in names]
        days: dict[int, Counter] = defaultdict(Counter)
        mine = [s for s in self.sessions if _agent(s.agent) == SWITCHING_AGENT]
        for session in mine:
            days[session.start_ms // DAY_MS][_model(session.model)] += 1
        main = {}
        for day, counts in sorted(days.items()):
            model, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
            if count >= MAIN_MODEL_SESSIONS:
                main[day] = model
        order = list(main)
        rows = []
        for place, day in enumerate(order):
            old = {main[d] for d in order[max(place - MAIN_MODEL_DAYS, 0) : place]}
            new = {main[d] for d in order[place : place + MAIN_MODEL_DAYS]}
            is_long = MAIN_MODEL_DAYS <= place <= len(order) - MAIN_MODEL_DAYS
            if not is_long or len(old) != 1 or len(new) != 1 or old == new:
                continue
            row = [SWITCHING_AGENT, *old, *new, _day(day)]
            for first, model in ((day - SWITCH_SIDE_DAYS, *old), (day, *new)):
                reach = range(first, first + SWITCH_SIDE_DAYS)
                found = [
                    s for s in mine if s.start_ms // DAY_MS in reach and _model(s.model) == model
                ]
                row += [
                    len(_known(s.cost for s in found)),
                    _total(s.cost for s in found),
                    sum(_is_judged(s.status) for s in found),
                    sum(s.status == "success" for s in found),
                ]
            rows.append(row)
        return header, rows

    def _parallelization(self) -> tuple[list[str], list[list]]:
        """Return which agents of one parent run side by side, in any order, or always in one."""
        header = [
            "workflow_name", "agent_name", "next_agent_name", "n_all", "n_used",
            "sequential_run_count", "overlapping_run_count", "reversed_run_count", "savable_ms",
            "verdict",
        ]  # fmt: skip
        families: dict[int, dict[int, list[SessionRow]]] = defaultdict(lambda: defaultdict(list))
        for session in self.sessions:
            families[session.run][session.parent].append(session)
        found: dict[tuple[str, frozenset[str]], list[_Pair]] = defaultdict(list)
        for key, groups in families.items():
            run = self._by_run[key]
            has_parents = any(parent >= 0 for parent in groups)
            pairs: dict[frozenset[str], list[_Pair]] = defaultdict(list)
            for family in groups.values():
                family.sort(key=lambda item: (item.start_ms, item.end_ms))
                for one, other in pairwise(family):
                    if one.agent >= 0 and other.agent >= 0:
                        names = frozenset((_agent(one.agent), _agent(other.agent)))
                        pairs[names].append(_Pair.of(run, one, other, has_parents))
            for names, several in pairs.items():
                several.sort(key=lambda item: item.start_ms)
                found[_workflow(run.workflow), names].append(_Pair.of_run(several))
        rows = []
        for (workflow, names), pairs in found.items():
            ended = [pair for pair in pairs if pair.is_final]
            times = Counter(pair.first for pair in ended if not pair.overlaps)
            order = sorted(names, key=lambda name: (-times[name], name))
            overlapping = sum(pair.overlaps for pair in ended)
            back = times[order[1]] if len(order) > 1 else 0
            free = overlapping + back
            saved = [pair.savable_ms for pair in ended if pair.savable_ms is not None]
            verdict = "unknown"
            if len(ended) >= 30 and not free:
                verdict = "dependent"
            elif len(ended) >= 30 and free >= max(5, 0.05 * len(ended)):
                verdict = "independent"
            counts = [len(pairs), len(ended), times[order[0]], overlapping, back]
            rows.append(
                [workflow, order[0], order[-1], *counts, sum(saved) if saved else "", verdict]
            )
        return header, sorted(rows, key=lambda row: row[:3])

    # steps ---------------------------------------------------------------------------------------

    def _repeated_steps(self) -> tuple[list[str], list[list]]:
        header = [
            "run_date", "workflow_name", "agent_name", "step_type", "tool_name", "n_all",
            "repeated_signature_count", "redundant_step_count", "loop_run_count", "max_repeats",
        ]  # fmt: skip
        calls: dict[tuple, Counter] = defaultdict(Counter)
        sizes: Counter = Counter()
        for step in self.steps:
            run = self._by_run[step.run]
            group = (
                _day(run.start_ms // DAY_MS),
                _workflow(run.workflow),
                _agent(step.agent),
                STEP_TYPES[step.kind],
                TOOLS[step.tool].name if step.tool >= 0 else NO_NAME,
            )
            sizes[group] += 1
            if step.signature >= 0 and not step.is_retry:
                calls[group][step.run, step.signature] += 1
        rows = []
        for group, size in sorted(sizes.items()):
            again = {key: times for key, times in calls[group].items() if times > 1}
            rows.append(
                [
                    *group,
                    size,
                    len(again),
                    sum(again.values()) - len(again),
                    len({run for (run, _), times in again.items() if times >= LOOP_REPEATS}),
                    max(calls[group].values(), default=""),
                ]
            )
        return header, rows

    def _retry_rates(self) -> tuple[list[str], list[list]]:
        header = [
            "step_date", "agent_name", "step_type", "tool_name", "canonical_model",
            "attempt_count", "operation_count", "retried_operation_count",
            "recovered_operation_count", "exhausted_operation_count", "fallback_count",
        ]  # fmt: skip
        groups: dict[tuple, list[StepRow]] = defaultdict(list)
        for step in self.steps:
            group = (
                _day(step.end_ms // DAY_MS),
                _agent(step.agent),
                STEP_TYPES[step.kind],
                TOOLS[step.tool].name if step.tool >= 0 else NO_NAME,
                _model(step.model),
            )
            groups[group].append(step)
        rows = []
        for group, steps in sorted(groups.items()):
            last = [s for s in steps if s.is_retry and not s.is_retried]
            rows.append(
                [
                    *group,
                    len(steps),
                    sum(not s.is_retried for s in steps),
                    len(last),
                    sum(not s.is_failed for s in last),
                    sum(s.is_failed for s in last),
                    sum(s.is_fallback for s in steps),
                ]
            )
        return header, rows

    # users ---------------------------------------------------------------------------------------

    def _of_users(self) -> dict[int, list[RunRow]]:
        found: dict[int, list[RunRow]] = defaultdict(list)
        for run in sorted(self.runs, key=lambda item: item.start_ms):
            if run.user >= 0:
                found[run.user].append(run)
        return found

    def _dim_users(self) -> tuple[list[str], list[list]]:
        header = ["user_id", "first_run_at", "last_run_at", "run_count", "plan_name"]
        return header, [
            [
                user_text(user),
                _time(runs[0].start_ms),
                _time(runs[-1].start_ms),
                len(runs),
                _latest_plan(runs),
            ]
            for user, runs in sorted(self._of_users().items())
        ]

    def _user_retention(self) -> tuple[list[str], list[list]]:
        header = [
            "cohort_week", "week_number", "cohort_user_count", "active_user_count", "run_count"
        ]  # fmt: skip
        weeks_of = {
            user: Counter(_monday(run.start_ms // DAY_MS) for run in runs)
            for user, runs in self._of_users().items()
        }
        newest = max(run.start_ms // DAY_MS for run in self.runs)
        cohorts: dict[int, list[Counter]] = defaultdict(list)
        for weeks in weeks_of.values():
            cohorts[min(weeks)].append(weeks)
        rows = []
        for first, members in sorted(cohorts.items()):
            for number, week in enumerate(range(first, newest + 1, 7)):
                counts = [weeks[week] for weeks in members if weeks[week]]
                rows.append([_day(first), number, len(members), len(counts), sum(counts)])
        return header, rows

    def _business_outcomes(self) -> tuple[list[str], list[list]]:
        header = [
            "run_date", "workflow_name", "outcome", "n_all", "run_user_count",
            "outcome_user_count", "outcome_value_usd",
        ]  # fmt: skip
        seeds = {row["event_name"]: row for row in _seed(OUTCOME_EVENTS)}
        times: dict[tuple[int, int], list[int]] = defaultdict(list)
        for event in self.outcomes:
            times[event.user, event.outcome].append(event.time_ms)
        groups: dict[tuple[str, str], list[RunRow]] = defaultdict(list)
        for run in self.runs:
            if run.user >= 0:
                groups[_day(run.start_ms // DAY_MS), _workflow(run.workflow)].append(run)
        rows = []
        for (day, workflow), runs in sorted(groups.items()):
            for number in sorted({event.outcome for event in self.outcomes}):
                seed = seeds[OUTCOMES[number]]
                window = int(seed["window_days"]) * DAY_MS
                reached = {
                    run.user
                    for run in runs
                    for time in times[run.user, number]
                    if run.start_ms < time <= run.start_ms + window
                }
                people = len({run.user for run in runs})
                value = len(reached) * float(seed["value_usd"])
                name = OUTCOMES[number]
                rows.append([day, workflow, name, len(runs), people, len(reached), value])
        return header, rows

    def _unit_economics(self) -> tuple[list[str], list[list]]:
        header = [
            "month_start_date", "user_id", "run_count", "successful_run_count", "cost_usd",
            "plan_name", "plan_price_usd", "margin_usd",
        ]  # fmt: skip
        plans = _seed(PLAN_PRICES)
        default = next(row["plan_name"] for row in plans if row["is_default"] == "true")
        rows = []
        for user, runs in sorted(self._of_users().items()):
            months: dict[date, list[RunRow]] = defaultdict(list)
            for run in runs:
                months[_date(run.start_ms // DAY_MS).replace(day=1)].append(run)
            for month, found in sorted(months.items()):
                plan = _latest_plan(found) or default
                last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
                price = next(
                    float(row["monthly_price_usd"])
                    for row in plans
                    if row["plan_name"] == plan
                    and row["valid_from"] <= str(last) < (row["valid_to"] or "9999")
                )
                cost = _total(run.cost for run in found)
                rows.append(
                    [
                        str(month),
                        user_text(user),
                        len(found),
                        sum(run.status == "success" for run in found),
                        cost,
                        plan,
                        price,
                        _rounded(price - cost) if cost != "" else "",
                    ]
                )
        return header, rows


def _is_breached(run: RunRow, slo_ms: int) -> str:
    """Return whether a run broke its objective, an empty text where nobody can say."""
    is_background = (run.sent_mode or run.trigger) not in ("sync", "user", "unknown")
    if run.status == "in_progress":
        return ""
    if run.status == "abandoned":
        return "true" if is_background else ""
    return str(run.duration_ms > slo_ms).lower()


def _synthesis(run: RunRow, sessions: list[SessionRow], workers: list[SessionRow]) -> int | str:
    """Return the time from the last end of a worker to that of a run of several agents."""
    agents = {session.agent for session in sessions if session.agent >= 0}
    if len(agents) < 2 or not workers or run.status == "in_progress":
        return ""
    left = run.end_ms - max(session.end_ms for session in workers)
    return left if left >= 0 else ""


def _share(sessions: list[SessionRow]) -> float | str:
    """Return what sessions cost together, an empty text where a part of it is not known."""
    if any(session.is_cost_unknown for session in sessions):
        return ""
    return _total(session.cost for session in sessions) or 0.0


def _is_judged(status: str) -> bool:
    return status == "success" or status in FAILURES


def _known(values: Iterable[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _total(values: Iterable[float]) -> float | str:
    """Return the sum of the known values, an empty text when none is."""
    known = _known(values)
    return _rounded(math.fsum(known)) if known else ""


def _rounded(value: float) -> float:
    return round(value, 9)


def _percentile(values: list[int], share: float) -> float:
    """Return the value below which a share of the values lies, else between two neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _latest_plan(runs: list[RunRow]) -> str:
    """Return the plan of the latest run that has one; runs are in order of their start."""
    return next((PLANS[run.plan] for run in reversed(runs) if run.plan >= 0), "")


def _agent(number: int) -> str:
    return AGENTS[number].name if number >= 0 else NOT_SET


def _model(number: int) -> str:
    if number < 0:
        return NO_NAME
    return MODELS[number].canonical_model or MODELS[number].sent_name


def _workflow(number: int) -> str:
    item = WORKFLOWS[number]
    return item.name if item.sends_workflow_name else NOT_SET


def _date(day: int) -> date:
    return FIRST_DAY + timedelta(days=day)


def _day(day: int) -> str:
    return str(_date(day))


def _monday(day: int) -> int:
    return day - (day + 3) % 7


def _time(milliseconds: int) -> str:
    time = datetime.fromtimestamp(0, tz=UTC) + timedelta(milliseconds=milliseconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def _seed(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))
