"""Gives the events of a block their properties: one list of columns per raw table.

A column knows its path in the payload (`tokens_used`, `prompt_tokens`), from which the name in the
warehouse follows (`tokens_used_prompt_tokens`, RUDDERSTACK 1.4), and its values. What is sent as
JSON and what a warehouse column holds can differ: text in a number column is discarded there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

from scripts.generator.catalog import (
    AGENTS,
    ERROR_KINDS,
    MODELS,
    TOOL_VALUES,
    TOOLS,
    TOPICS,
    WORKFLOWS,
)
from scripts.generator.events import (
    ACTION,
    EMPTY,
    PRESENT,
    PROMPT,
    RESPONSE,
    RUN_COMPLETED,
    SESSION_COMPLETED,
    SESSION_STARTED,
    SESSION_TABLES,
    SPACES,
    STEP,
    Costs,
    Events,
    is_logged_in,
    workflow_flag,
)
from scripts.generator.patterns import PLANS, VERSIONS
from scripts.generator.randomness import (
    Bools,
    Floats,
    Ints,
    hexadecimal,
    keyed_uniform,
    scramble,
    uuid_text,
)
from scripts.generator.simulate import (
    COPIED,
    RATING,
    REGENERATED,
    SCORE,
    SHARED,
    STATUSES,
    STEP_TYPES,
    SUCCESS,
    THUMBS,
    TIMEOUT,
    TOOL_CALL,
    Simulation,
)

UPLOAD_INTERVAL_MS = 30 * 60_000  # RudderStack loads a warehouse every half hour by default
SOURCE_ID = "synthetic-agent-products"


@dataclass
class TextColumn:
    """Text from a short list of values. `codes` are positions in it, -1 for no value.

    `fragments` is the JSON of each value where it is not simply the quoted text.
    """

    path: tuple[str, ...]
    values: list[str]
    codes: Ints
    fragments: list[str] | None = None
    stored_values: list[str | None] | None = None  # what a warehouse holds, where it differs

    def json_fragments(self) -> list[str]:
        """Return the JSON text of each value of the list."""
        return self.fragments or [json.dumps(value, ensure_ascii=False) for value in self.values]


@dataclass
class UuidColumn:
    """Unique identifiers, one row of 36 ASCII codes each; `present` says where there is one."""

    path: tuple[str, ...]
    text: np.ndarray
    present: Bools


@dataclass
class NumberColumn:
    """Whole numbers (-1: no value) or decimals (not-a-number: no value).

    `as_text` marks values sent as JSON text, which a number column of a warehouse discards.
    """

    path: tuple[str, ...]
    values: Ints | Floats
    as_text: Bools | None = None

    @property
    def is_decimal(self) -> bool:
        """Return whether the column holds decimals."""
        return self.values.dtype.kind == "f"

    def present(self) -> Bools:
        """Return where a value is sent."""
        return ~np.isnan(self.values) if self.is_decimal else self.values >= 0


Column = TextColumn | UuidColumn | NumberColumn


@dataclass
class EventTable:
    """One raw table of one block: envelope columns, properties, and the order to write them in."""

    events: Events
    event_ids: UuidColumn
    anonymous: UuidColumn
    users: TextColumn
    uploaded_ms: Ints
    is_opening: Bools  # events of the very first conversation
    properties: list[Column] = field(default_factory=list)


def column_name(path: tuple[str, ...]) -> str:
    """Return the warehouse column of a property path (RUDDERSTACK 1.4; all keys are snake case)."""
    return "_".join(path)


def conversation_text(number: int, is_numeric: bool = False) -> str:
    """Return the conversation id of a conversation; numeric ones are sent as numbers."""
    return str(7_000_000 + number) if is_numeric else f"conv-{number:07d}"


def interaction_text(run: int, turn: int, reuses_ids: bool) -> str:
    """Return the interaction id of a run: unique, or restarting in every conversation."""
    return f"int_{turn + 1}" if reuses_ids else f"int-{run:08d}"


def session_text(run: int, slot: int, reuses_ids: bool) -> str:
    """Return the agent session id of a session. Sessions of a run sort by it as by their slot."""
    return f"session_{slot + 1}" if reuses_ids else f"ses-{run:08d}-{slot}"


def user_text(user: int) -> str:
    """Return the id of a user who is logged in."""
    return f"user-{user:05d}"


class TableMaker:
    """Makes the event tables of one block."""

    def __init__(self, sim: Simulation, costs: Costs) -> None:
        """Prepare the id texts of the block."""
        self.sim = sim
        self.costs = costs
        runs, sessions = sim.runs, sim.sessions
        self.first_conversation = int(runs.conversation[0])
        numbers = zip(
            runs.number.tolist(), runs.turn.tolist(), runs.reuses_ids.tolist(), strict=True
        )
        self.interaction_ids = [interaction_text(*facts) for facts in numbers]
        self.conversation_ids = [
            conversation_text(number, numeric)
            for number, numeric in zip(
                runs.conversation.tolist(), costs.numeric_conversation.tolist(), strict=True
            )
        ]
        owner = runs.number[sessions.run].tolist()
        reuse = runs.reuses_ids[sessions.run].tolist()
        self.session_ids = [
            session_text(*facts) for facts in zip(owner, sessions.slot.tolist(), reuse, strict=True)
        ]
        self.tools_used = self._tools_used()
        self.agents_used = self._agents_used()

    def make(self, events: Events) -> EventTable:
        """Return one table with all its properties."""
        table = self.make_outcome(events)
        table.properties = self._ids(events) + self._optional(events)
        makers = {
            PROMPT: self._prompt,
            RESPONSE: self._response,
            RUN_COMPLETED: self._run_completed,
            ACTION: self._action,
            SESSION_STARTED: self._session_started,
            SESSION_COMPLETED: self._session_completed,
            STEP: self._step,
        }
        table.properties += makers[events.table](events)
        return table

    def make_outcome(self, events: Events) -> EventTable:
        """Return one table of events that say who did something when, and no more."""
        sim, runs = self.sim, self.sim.runs
        seed = sim.plan.settings.seed
        run = events.run
        user = runs.user[run]
        people, where = np.unique(user, return_inverse=True)
        users = TextColumn(
            ("userId",),
            [user_text(number) for number in people],
            # Somebody who is not logged in has an anonymous id only; so have runs without a user.
            np.where(is_logged_in(user), where, -1),
        )
        someone = (user + 2).astype(np.uint64) << np.uint64(40)
        return EventTable(
            events=events,
            event_ids=UuidColumn(("messageId",), uuid_text(events.key, seed), events.has_event_id),
            anonymous=UuidColumn(
                ("anonymousId",), uuid_text(someone, seed + 1), np.ones(len(run), dtype=bool)
            ),
            users=users,
            is_opening=runs.conversation[run] == 0,
            uploaded_ms=-(-events.received_ms // UPLOAD_INTERVAL_MS) * UPLOAD_INTERVAL_MS,
        )

    def canaries(self, events: Events) -> list[str]:
        """Return the canary texts planted in a table, one per first delivery."""
        rows = np.flatnonzero(self._bears_canary(events) & (events.delivery == 0))
        return self._canary_texts(events, rows)

    # ids and optional properties ---------------------------------------------------------------

    def _id_column(self, name: str, ids: list[str], owner: Ints, form: Ints) -> TextColumn:
        values = [*ids, "", "   "]
        codes = np.where(form == PRESENT, owner, -1)
        codes = np.where(form == EMPTY, len(ids), codes)
        codes = np.where(form == SPACES, len(ids) + 1, codes)
        stored: list[str | None] = [*ids, None, "   "]
        return TextColumn((name,), values, codes, stored_values=stored)

    def _ids(self, events: Events) -> list[Column]:
        conversation = self._id_column(
            "conversation_id", self.conversation_ids, events.run, events.conversation_form
        )
        if self.costs.numeric_conversation.any():
            fragments = [json.dumps(text) for text in conversation.values]
            for number in np.flatnonzero(self.costs.numeric_conversation):
                fragments[number] = conversation.values[number]
            conversation.fragments = fragments
        columns: list[Column] = [
            conversation,
            self._id_column(
                "interaction_id", self.interaction_ids, events.run, events.interaction_form
            ),
        ]
        if events.table in (SESSION_STARTED, SESSION_COMPLETED, STEP):
            columns.append(
                self._id_column(
                    "agent_session_id", self.session_ids, events.session, events.session_form
                )
            )
        return columns

    def _optional(self, events: Events) -> list[Column]:
        runs = self.sim.runs
        workflow = runs.workflow[events.run]
        everywhere = workflow_flag("sends_workflow_name")[workflow]
        names = [item.name for item in WORKFLOWS]
        triggers = [item.trigger_type or "" for item in WORKFLOWS]
        modes = [item.execution_mode or "" for item in WORKFLOWS]
        columns: list[Column] = [
            TextColumn(("workflow_name",), names, np.where(everywhere, workflow, -1)),
            TextColumn(("environment",), ["production"], np.where(everywhere, 0, -1)),
        ]
        if events.table in (RUN_COMPLETED, SESSION_STARTED, STEP):
            columns += [
                TextColumn(
                    ("trigger_type",),
                    triggers,
                    np.where(workflow_flag("trigger_type")[workflow], workflow, -1),
                ),
                TextColumn(
                    ("execution_mode",),
                    modes,
                    np.where(workflow_flag("execution_mode")[workflow], workflow, -1),
                ),
            ]
        settings = self.sim.plan.settings
        if settings.strength("plans") and events.table in (PROMPT, RUN_COMPLETED):
            sends = is_logged_in(runs.user[events.run])
            codes = np.where(sends, runs.plan[events.run], -1)
            columns.append(TextColumn(("plan_name",), list(PLANS), codes))
        if settings.strength("version_release") and events.table in (*SESSION_TABLES, RESPONSE):
            version = self.sim.sessions.version[events.session]
            columns.append(TextColumn(("agent_version",), list(VERSIONS), version))
        parent = runs.parent[events.run]
        if (parent >= 0).any():
            parent_position = np.where(parent >= 0, parent - int(runs.number[0]), -1)
            columns.append(
                TextColumn(("parent_interaction_id",), self.interaction_ids, parent_position)
            )
        if events.table in (SESSION_STARTED, SESSION_COMPLETED):
            sends = workflow_flag("sends_parents")[workflow]
            parent_session = np.where(sends, self.sim.sessions.parent[events.session], -1)
            columns.append(
                TextColumn(("parent_agent_session_id",), self.session_ids, parent_session)
            )
        return columns

    # text ----------------------------------------------------------------------------------------

    def _bears_canary(self, events: Events) -> Bools:
        """Return which events have a sensitive text that a canary can sit in."""
        if events.table == ACTION:
            kind = self.sim.actions.kind[events.subject]
            return events.has_canary & np.isin(kind, (THUMBS, RATING, SCORE))
        return events.has_canary.copy()

    def _canary_texts(self, events: Events, rows: np.ndarray) -> list[str]:
        seed = np.uint64(self.sim.plan.settings.seed)
        digits = hexadecimal(scramble(events.key[rows] ^ (seed << np.uint64(20))))
        return [f"CANARY-{row.tobytes().decode()}" for row in digits]

    def _with_canaries(
        self, column: TextColumn, events: Events, rows: np.ndarray | None = None
    ) -> TextColumn:
        """Return the column with canaries planted in the events that bear one."""
        bears = self._bears_canary(events)
        if rows is not None:
            bears &= rows
        chosen = np.flatnonzero(bears)
        if len(chosen) == 0:
            return column
        codes = column.codes.copy()
        texts = self._canary_texts(events, chosen)
        old = [column.values[code] if code >= 0 else "" for code in codes[chosen]]
        codes[chosen] = len(column.values) + np.arange(len(chosen))
        planted = [f"{before} {text}".strip() for before, text in zip(old, texts, strict=True)]
        return TextColumn(column.path, column.values + planted, codes)

    def _run_text(self, name: str, kind: str, run: Ints) -> TextColumn:
        """Return prompts or answers of runs, composed of a sentence and a topic."""
        runs = self.sim.runs
        texts = runs.prompt_text if kind == "prompts" else runs.answer_text
        code = runs.workflow[run] * 10_000 + texts[run]
        distinct, where = np.unique(code, return_inverse=True)
        values = []
        for number in distinct.tolist():
            workflow, text = divmod(number, 10_000)
            sentence, topic = divmod(text, len(TOPICS))
            values.append(getattr(WORKFLOWS[workflow], kind)[sentence].format(topic=TOPICS[topic]))
        return TextColumn((name,), values, where)

    def _tools_used(self) -> tuple[list[str], Ints]:
        """Return JSON lists of tool names and, per session, which one is its own."""
        steps, count = self.sim.steps, len(self.sim.sessions.run)
        used = np.zeros(count, dtype=np.int64)
        rows = np.flatnonzero(steps.kind == TOOL_CALL)
        np.bitwise_or.at(used, steps.session[rows], 1 << steps.tool[rows])
        return self._name_lists(used, [tool.name for tool in TOOLS])

    def _agents_used(self) -> tuple[list[str], Ints]:
        sessions, count = self.sim.sessions, len(self.sim.runs.number)
        used = np.zeros(count, dtype=np.int64)
        np.bitwise_or.at(used, sessions.run, 1 << sessions.agent)
        return self._name_lists(used, [agent.name for agent in AGENTS])

    @staticmethod
    def _name_lists(used: Ints, names: list[str]) -> tuple[list[str], Ints]:
        distinct, where = np.unique(used, return_inverse=True)
        lists = [
            json.dumps([n for p, n in enumerate(names) if bits >> p & 1], separators=(",", ":"))
            for bits in distinct.tolist()
        ]
        # An empty list makes no column value (RUDDERSTACK 1.5).
        return lists, np.where(distinct[where] == 0, -1, where)

    # the seven events --------------------------------------------------------------------------

    def _prompt(self, events: Events) -> list[Column]:
        runs = self.sim.runs
        methods = sorted({method for item in WORKFLOWS for method in item.input_methods})
        table = np.full((len(WORKFLOWS), 3), -1, dtype=np.int64)
        for number, item in enumerate(WORKFLOWS):
            for position, method in enumerate(item.input_methods):
                table[number, position] = methods.index(method)
        codes = table[runs.workflow[events.run], runs.input_method[events.run]]
        return [
            self._with_canaries(self._run_text("prompt_text", "prompts", events.run), events),
            TextColumn(("input_method",), methods, codes),
        ]

    def _tokens(self, tokens: Ints) -> list[Column]:
        names = ("prompt_tokens", "completion_tokens", "cache_read", "cache_write")
        return [NumberColumn(("tokens_used", n), tokens[:, i]) for i, n in enumerate(names)]

    def _models(self, name: str, model: Ints) -> TextColumn:
        return TextColumn((name,), [item.sent_name for item in MODELS], model)

    def _agents(self, session: Ints) -> TextColumn:
        names = [item.name for item in AGENTS]
        return TextColumn(("agent_name",), names, self.sim.sessions.agent[session])

    def _session_outcome(self, events: Events) -> list[Column]:
        sessions = self.sim.sessions
        session = events.session
        lists, codes = self.tools_used
        return [
            NumberColumn(("duration_ms",), (sessions.end_ms - sessions.start_ms)[session]),
            NumberColumn(("steps_count",), sessions.step_count[session]),
            self._models("model_used", sessions.model[session]),
            TextColumn(("tools_used",), lists, codes[session], fragments=lists),
            NumberColumn(("cost",), self.costs.session[session], self.costs.session_text[session]),
            *self._tokens(sessions.sent_tokens[session]),
        ]

    def _response(self, events: Events) -> list[Column]:
        # The specification knows no timeout among response statuses.
        names = ["success", "error", "error", "error", "partial_success"]
        answer = self._run_text("response_text", "answers", events.run)
        return [
            self._agents(events.session),
            self._with_canaries(answer, events),
            TextColumn(("response_status",), names, events.status),
            *self._session_outcome(events),
        ]

    def _session_started(self, events: Events) -> list[Column]:
        task = self._run_text("prompt_text", "prompts", events.run)
        return [
            self._agents(events.session),
            self._with_canaries(task, events),
            self._models("model_used", self.sim.sessions.model[events.session]),
        ]

    def _session_completed(self, events: Events) -> list[Column]:
        answer = self._run_text("response_text", "answers", events.run)
        steps = self.sim.steps
        last = np.cumsum(self.sim.sessions.step_count) - 1
        error = np.where(events.status != SUCCESS, steps.error[last[events.session]], -1)
        return [
            self._agents(events.session),
            TextColumn(("status",), list(STATUSES), events.status),
            self._with_canaries(answer, events),
            *self._session_outcome(events),
            *self._errors(error),
        ]

    def _errors(self, error: Ints) -> list[Column]:
        types = [kind.error_type for kind in ERROR_KINDS]
        messages = [kind.message for kind in ERROR_KINDS]
        http = np.array([kind.http_status or -1 for kind in ERROR_KINDS])
        has_type = np.array([bool(text) for text in types])
        has_message = np.array([bool(text) for text in messages])
        fails = error >= 0
        return [
            TextColumn(("error_type",), types, np.where(fails & has_type[error], error, -1)),
            TextColumn(
                ("error_message",), messages, np.where(fails & has_message[error], error, -1)
            ),
            NumberColumn(("http_status",), np.where(fails, http[error], -1)),
        ]

    def _run_completed(self, events: Events) -> list[Column]:
        runs, sessions = self.sim.runs, self.sim.sessions
        run = events.run
        count = len(runs.number)
        names = ["success", "error", "timeout", "user_cancelled", "partial_success"]
        lists, codes = self.agents_used
        steps = np.bincount(sessions.run, sessions.step_count, count).astype(np.int64)
        agents = np.array([len(json.loads(text)) for text in lists])[codes]
        answer = self._run_text("final_response_text", "answers", run)
        return [
            TextColumn(("status",), names, events.status),
            self._with_canaries(answer, events),
            TextColumn(("agents_used",), lists, codes[run], fragments=lists),
            NumberColumn(
                ("duration_ms",), (runs.end_ms - runs.start_ms)[run], self.costs.duration_text[run]
            ),
            NumberColumn(("agents_count",), agents[run]),
            NumberColumn(("steps_count",), steps[run]),
            NumberColumn(("total_cost",), self.costs.run[run], self.costs.run_text[run]),
            *self._tokens(self.costs.run_tokens[run]),
        ]

    def _action(self, events: Events) -> list[Column]:
        actions = self.sim.actions
        kind = actions.kind[events.subject]
        names = ["copied", "shared", "regenerated", "feedback_given"]
        name = np.select([kind == COPIED, kind == SHARED, kind == REGENERATED], [0, 1, 2], 3)
        types = ["thumbs", "rating", "score"]
        feedback = np.where(name == 3, kind - THUMBS, -1)
        value = np.nan_to_num(actions.value[events.subject])
        mixed = self.costs.mixed_feedback[events.subject]
        texts, fragments, codes = self._feedback_values(kind, value, mixed)
        comments = ["That helped, thank you.", "Not what I asked for.", "Too long."]
        has_text = (name == 3) & (events.key % np.uint64(3) == 0)
        comment = np.where(has_text, (events.key % np.uint64(7)).astype(np.int64) % 3, -1)
        path = "action_details"
        return [
            TextColumn(("action_type",), names, name),
            TextColumn((path, "feedback_type"), types, feedback),
            TextColumn((path, "feedback_value"), texts, codes, fragments=fragments),
            self._with_canaries(TextColumn((path, "feedback_text"), comments, comment), events),
        ]

    @staticmethod
    def _feedback_values(
        kind: Ints, value: Floats, mixed: Bools
    ) -> tuple[list[str], list[str], Ints]:
        """Return texts, their JSON and codes. Mixed ones are booleans and numbers in JSON.

        In the warehouse all are text, because the first value ever sent is (RUDDERSTACK 1.7).
        """
        texts: list[str] = []
        fragments: list[str] = []
        codes = np.full(len(kind), -1, dtype=np.int64)
        for feedback in (THUMBS, RATING, SCORE):
            for as_other_type in (False, True):
                rows = np.flatnonzero((kind == feedback) & (mixed == as_other_type))
                distinct, where = np.unique(value[rows], return_inverse=True)
                codes[rows] = len(texts) + where
                for number in distinct.tolist():
                    if feedback == THUMBS:
                        text = (
                            ("true" if number else "false")
                            if as_other_type
                            else ("positive" if number else "negative")
                        )
                    else:
                        text = f"{number:g}"
                    texts.append(text)
                    fragments.append(text if as_other_type else json.dumps(text))
        return texts, fragments, codes

    def _step(self, events: Events) -> list[Column]:
        steps, sessions, runs = self.sim.steps, self.sim.sessions, self.sim.runs
        step = events.subject
        workflow = runs.workflow[events.run]
        kind = steps.kind[step]
        is_tool = kind == TOOL_CALL
        names = ["success", "error", "timeout"]
        status = np.minimum(steps.status[step], TIMEOUT)
        answer = self._run_text("response_text", "answers", events.run)
        answer.codes = np.where(~is_tool & (status == 0), answer.codes, -1)
        agents = [item.name for item in AGENTS]
        sends_agent = workflow_flag("sends_step_agent")[workflow]
        sends_index = workflow_flag("sends_step_index")[workflow]
        sends_attempt = workflow_flag("sends_attempt_number")[workflow]
        sends_call = workflow_flag("sends_tool_call_id")[workflow] & is_tool
        tokens = steps.sent_tokens[step]
        # A total counts every token once, whatever the sender calls prompt tokens.
        classes = steps.tokens[step]
        total = np.where(tokens[:, 1] >= 0, np.maximum(classes, 0).sum(axis=1), -1)
        calls, call_codes = np.unique(
            np.where(sends_call, steps.number[step], 0), return_inverse=True
        )
        return [
            TextColumn(("step_type",), list(STEP_TYPES), kind),
            TextColumn(("status",), names, status),
            NumberColumn(("duration_ms",), steps.duration_ms[step]),
            TextColumn(
                ("agent_name",),
                agents,
                np.where(sends_agent, sessions.agent[events.session], -1),
            ),
            NumberColumn(("step_index",), np.where(sends_index, steps.number[step], -1)),
            NumberColumn(("attempt_number",), np.where(sends_attempt, steps.attempt[step], -1)),
            TextColumn(
                ("tool_call_id",),
                [f"call_{number}" for number in calls.tolist()],
                np.where(sends_call, call_codes, -1),
            ),
            self._models("model_name", steps.model[step]),
            NumberColumn(("prompt_tokens",), tokens[:, 0]),
            NumberColumn(("completion_tokens",), tokens[:, 1]),
            NumberColumn(("total_tokens",), total),
            NumberColumn(("cache_read",), tokens[:, 2]),
            NumberColumn(("cache_write",), tokens[:, 3]),
            NumberColumn(("cost",), self.costs.step[step], self.costs.step_text[step]),
            self._with_canaries(answer, events, ~is_tool),
            TextColumn(("tool_name",), [item.name for item in TOOLS], steps.tool[step]),
            *self._tool_columns(events, is_tool, status),
            *self._errors(np.where(status > 0, steps.error[step], -1)),
        ]

    def _tool_columns(self, events: Events, is_tool: Bools, status: Ints) -> list[Column]:
        steps = self.sim.steps
        tool = steps.tool[events.subject]
        value = steps.value[events.subject]
        worked = is_tool & (status == 0)
        columns: list[Column] = []
        # Canaries of tool calls sit in the input or, every second one, in the output.
        in_output = worked & (value % 2 == 1)
        for part, rows, bears in (
            ("tool_input", is_tool, is_tool & ~in_output),
            ("tool_output", worked, in_output),
        ):
            attribute = "input_key" if part == "tool_input" else "output_key"
            keys = np.array([getattr(item, attribute) for item in TOOLS])
            for key in sorted(set(keys.tolist())):
                mine = rows & (keys == key)[tool]
                texts = list(TOOL_VALUES[key])
                codes = np.where(mine, value % len(texts), -1)
                column = TextColumn((part, key), texts, codes)
                columns.append(self._with_canaries(column, events, mine & bears))
        limit = np.array([item.limit or -1 for item in TOOLS])
        columns.append(NumberColumn(("tool_input", "limit"), np.where(is_tool, limit[tool], -1)))
        return columns


def spread_order(events: Events, seed: int) -> Ints:
    """Return the order events are written in: by arrival, displaced ones anywhere in the block."""
    position = events.received_ms.astype(np.float64)
    rows = np.flatnonzero(events.displaced)
    if len(rows):
        low, high = position.min(), position.max()
        place = keyed_uniform(events.key[rows], seed, "out_of_order places")
        position[rows] = low + place * (high - low)
    return np.argsort(position, kind="stable")
