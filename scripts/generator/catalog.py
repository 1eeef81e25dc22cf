"""The products that are simulated: workflows, agents, tools, models, texts and error messages.

Everything here is data. To add an agent, add an `Agent` and give it a `Slot` in a workflow; the
simulation, the writers and the truth pick it up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """A language model as a sender names it.

    `sent_name` goes into the events, `canonical_model` is the row of `seeds/pricing/model_pricing`
    it must be priced with (None: nobody knows a price), `family` groups the models an agent may
    fall back to, `speed_ms` is the median duration of a call in milliseconds, `caches` says whether
    calls report cached tokens, `writes_cache` whether they also report cache writes.
    """

    sent_name: str
    canonical_model: str | None
    family: str
    speed_ms: int
    failure_rate: float
    caches: bool = False
    writes_cache: bool = False


MODELS: tuple[Model, ...] = (
    Model("claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "anthropic", 2600, 0.020, True, True),
    Model("claude-opus-4-6", "claude-opus-4-6", "anthropic", 4200, 0.015, True, True),
    Model("openrouter/anthropic/claude-3.5-sonnet", "claude-3-5-sonnet", "anthropic", 2400, 0.03),
    Model(
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-sonnet-4-5@bedrock-regional",  # regional endpoints cost a tenth more
        "anthropic",
        2700,
        0.025,
        True,
        True,
    ),
    Model("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "openai", 1700, 0.020, True),
    Model("gpt-4.1", "gpt-4.1", "openai", 1900, 0.018, True),
    Model("gpt-4.1-mini", "gpt-4.1-mini", "openai", 900, 0.012, True),
    Model("gemini-2.5-pro", "gemini-2.5-pro", "google", 3100, 0.022, True),
    Model("mistral-large-4", "mistral-large-4", "mistral", 2000, 0.020),
    Model("acme-internal-7b", None, "in_house", 700, 0.030),
    Model(
        "ft:gpt-4.1-2025-04-14:acme:support-tone:Bq81Zx",
        "ft:gpt-4.1-2025-04-14",  # fine-tuned models cost more than their base
        "in_house",
        1500,
        0.020,
    ),
    Model("quasar-preview-0", None, "unknown", 1600, 0.030),
    Model("zephyr-next-large", None, "unknown", 1800, 0.030),
)
# Models the knob `unknown_models` switches sessions to.
UNKNOWN_MODELS: tuple[str, ...] = ("quasar-preview-0", "zephyr-next-large")


@dataclass(frozen=True)
class Tool:
    """A tool: its input and output properties, median duration and chance that a call fails."""

    name: str
    duration_ms: int
    failure_rate: float
    input_key: str
    output_key: str
    limit: int = 0


TOOLS: tuple[Tool, ...] = (
    Tool("search_knowledge_base", 320, 0.03, "query", "result", 5),
    Tool("lookup_customer", 140, 0.04, "customer_id", "record"),
    Tool("issue_refund", 450, 0.06, "order_id", "record"),
    Tool("web_search", 900, 0.07, "query", "result", 10),
    Tool("fetch_page", 1400, 0.11, "url", "content"),
    Tool("run_sql", 1100, 0.09, "sql", "rows", 1000),
    Tool("describe_table", 90, 0.02, "table_name", "content"),
    Tool("render_chart", 650, 0.04, "chart_type", "content"),
    Tool("read_file", 30, 0.05, "path", "content"),
    Tool("edit_file", 45, 0.06, "path", "result"),
    Tool("run_command", 5200, 0.16, "command", "content"),
    Tool("post_message", 380, 0.05, "channel", "result"),
    Tool("read_metrics", 520, 0.05, "query", "rows", 500),
    Tool("create_ticket", 410, 0.04, "subject", "record"),
)

# What tool calls send and return; the generator picks one per call.
TOOL_VALUES: dict[str, tuple[str, ...]] = {
    "query": (
        "refund window for annual plans",
        "battery recycling rules in the Nordics",
        "p95 of checkout by region",
        "error budget of the ingest service",
        "change address after dispatch",
        "compare heat pump subsidies",
    ),
    "customer_id": ("C-10442", "C-20917", "C-33120", "C-48871"),
    "order_id": ("A-7781", "A-7790", "A-8012", "A-8155"),
    "url": (
        "https://example.org/report",
        "https://example.com/press/12",
        "https://example.net/data",
    ),
    "sql": (
        "select count(*) from orders",
        "select region, sum(amount) from sales group by region",
        "select * from shipments where delayed limit 50",
    ),
    "table_name": ("orders", "sales", "shipments", "tickets"),
    "chart_type": ("bar", "line", "scatter"),
    "path": ("src/billing/invoice.py", "src/api/routes.py", "tests/test_invoice.py", "README.md"),
    "command": ("pytest -q", "ruff check .", "npm test", "make lint"),
    "channel": ("#incidents", "#daily-numbers", "#support-escalations"),
    "subject": ("Checkout slow in Oslo", "Nightly export incomplete", "Invoice differs from quote"),
    "result": ("3 documents found", "done", "no match", "1 item changed"),
    "record": ("status=active plan=pro", "status=refunded amount=19.90", "status=open"),
    "content": ("Lorem-free sample text of a page.", "All 48 checks passed.", "id int, amount dec"),
    "rows": ("12 rows", "0 rows", "1000 rows", "7 rows"),
}


@dataclass(frozen=True)
class Agent:
    """An agent: which models (with weights) and tools it uses and how much it works.

    `operations` is the median number of operations of a session, `spread` the sigma of their
    log-normal distribution (higher: heavier tail).
    """

    name: str
    models: tuple[tuple[str, float], ...]
    tools: tuple[str, ...]
    operations: float
    spread: float
    plans: bool = False
    validates: bool = False
    completion_tokens: int = 220


_SONNET = "claude-sonnet-4-5-20250929"
_SONNET_BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
_OPUS = "claude-opus-4-6"

AGENTS: tuple[Agent, ...] = (
    Agent("triage_agent", (("gpt-4.1-mini", 0.97), ("acme-internal-7b", 0.03)), (), 1.2, 0.3),
    Agent(
        "knowledge_agent",
        (("gpt-4o-2024-08-06", 0.7), ("openrouter/anthropic/claude-3.5-sonnet", 0.3)),
        ("search_knowledge_base",),
        3.0,
        0.4,
    ),
    Agent("account_agent", (("gpt-4.1-mini", 1.0),), ("lookup_customer", "issue_refund"), 3.0, 0.4),
    Agent(
        "resolution_agent",
        ((_SONNET, 0.95), ("ft:gpt-4.1-2025-04-14:acme:support-tone:Bq81Zx", 0.05)),
        ("create_ticket",),
        2.2,
        0.5,
        validates=True,
        completion_tokens=340,
    ),
    Agent(
        "research_orchestrator",
        ((_OPUS, 1.0),),
        (),
        2.6,
        0.4,
        plans=True,
        completion_tokens=420,
    ),
    Agent(
        "web_researcher",
        (("gemini-2.5-pro", 0.6), (_SONNET, 0.4)),
        ("web_search", "fetch_page"),
        5.0,
        0.6,
    ),
    Agent("report_writer", ((_OPUS, 0.4), (_SONNET, 0.6)), (), 1.8, 0.5, completion_tokens=1400),
    Agent("fact_checker", (("gpt-4.1", 1.0),), ("web_search",), 3.2, 0.5, validates=True),
    Agent("analysis_planner", (("gpt-4.1", 1.0),), (), 1.5, 0.4, plans=True),
    Agent(
        "sql_analyst",
        (("gpt-4.1", 0.6), ("mistral-large-4", 0.4)),
        ("run_sql", "describe_table"),
        5.0,
        0.6,
    ),
    Agent("chart_maker", (("gpt-4.1-mini", 1.0),), ("render_chart",), 2.6, 0.3),
    Agent(
        "coding_agent",
        ((_OPUS, 0.5), (_SONNET_BEDROCK, 0.5)),
        ("read_file", "edit_file", "run_command"),
        9.0,
        0.8,
        plans=True,
        completion_tokens=520,
    ),
    Agent("test_runner", ((_SONNET_BEDROCK, 1.0),), ("run_command",), 4.0, 0.5),
    Agent("code_reviewer", ((_OPUS, 1.0),), ("read_file",), 3.0, 0.5, validates=True),
    Agent("metrics_collector", (("mistral-large-4", 1.0),), ("read_metrics", "run_sql"), 3.0, 0.4),
    Agent("digest_writer", (("mistral-large-4", 1.0),), ("post_message",), 2.4, 0.3),
    Agent(
        "webhook_triager",
        (("gpt-4.1-mini", 1.0),),
        ("read_metrics", "create_ticket"),
        2.5,
        0.5,
    ),
    Agent("incident_agent", ((_SONNET, 1.0),), ("read_metrics", "post_message"), 4.5, 0.6),
    Agent("inbox_assistant", (("gpt-4o-2024-08-06", 1.0),), ("lookup_customer",), 2.5, 0.6),
)


@dataclass(frozen=True)
class Slot:
    """One possible agent session of a workflow.

    Sessions of the same `wave` run in parallel, waves one after the other. `parent` is the slot
    number of the session that started this one (None: nobody, or a plain handoff). A session that
    `spans` the run does its last operation after all other waves: an orchestrator.
    """

    agent: str
    wave: int
    parent: int | None = None
    probability: float = 1.0
    spans: bool = False


@dataclass(frozen=True)
class Workflow:
    """A product workflow and how well its team instrumented it."""

    name: str
    share: float
    slots: tuple[Slot, ...]
    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    clock: str  # which seasonality: user, nightly or even
    has_prompt: bool = True
    chain: str = "turns"  # further runs of a conversation are user turns, child runs, or none
    trigger_type: str | None = None
    execution_mode: str | None = None
    input_methods: tuple[str, ...] = ("text",)
    sends_workflow_name: bool = True
    sends_parents: bool = True
    sends_step_agent: bool = False
    sends_step_index: bool = False
    sends_step_cost: bool = False
    sends_session_cost: bool = True
    sends_run_cost: bool = True
    sends_attempt_number: bool = False
    sends_run_tokens: bool = True
    sends_tool_call_id: bool = False
    circle: tuple[Slot, ...] = ()  # what follows the slots in a run that goes in circles


WORKFLOWS: tuple[Workflow, ...] = (
    Workflow(
        "customer_support",
        0.34,
        (
            Slot("triage_agent", 0),
            Slot("knowledge_agent", 1, 0, 0.85),
            Slot("account_agent", 1, 0, 0.55),
            Slot("resolution_agent", 2, 0),
        ),
        (
            "My invoice {topic} is higher than the quote, why?",
            "How do I change the delivery address of order {topic}?",
            "Please cancel {topic} and refund me.",
            "The device {topic} stopped working after two days.",
        ),
        ("Your case {topic} is settled.", "Please send us a photo of {topic}.", "Refund on way."),
        "user",
        input_methods=("text", "voice", "button"),
        sends_step_agent=True,
        sends_step_cost=True,
        sends_tool_call_id=True,
    ),
    Workflow(
        "research_assistant",
        0.16,
        (
            Slot("research_orchestrator", 0, None, 1.0, spans=True),
            Slot("web_researcher", 1, 0),
            Slot("web_researcher", 1, 0, 0.8),
            Slot("web_researcher", 1, 0, 0.5),
            Slot("web_researcher", 1, 0, 0.2),
            Slot("report_writer", 2, 0),
            Slot("fact_checker", 3, 5, 0.6),
        ),
        (
            "Compare the market for {topic} in three countries.",
            "What changed in the rules about {topic} this year?",
            "Summarise the evidence on {topic} with sources.",
        ),
        ("Report on {topic} with 14 sources.", "Short summary of {topic}.", "Two views of {topic}"),
        "user",
        sends_step_agent=True,
        sends_step_index=True,
    ),
    Workflow(
        "data_analysis",
        0.15,
        (
            Slot("analysis_planner", 0),
            Slot("sql_analyst", 1, 0),
            Slot("chart_maker", 2, 1, 0.6),
        ),
        (
            "Why did {topic} drop last week?",
            "Show {topic} by region and month.",
            "Which customers bought {topic} twice?",
        ),
        ("{topic} fell by 4 percent, mostly in the south.", "Chart of {topic} attached."),
        "user",
        sends_session_cost=False,
        sends_run_cost=False,
        sends_attempt_number=True,
        circle=(
            Slot("fact_checker", 3, 0),
            Slot("sql_analyst", 4, 0),
            Slot("fact_checker", 5, 0),
            Slot("sql_analyst", 6, 0),
        ),
    ),
    Workflow(
        "coding_copilot",
        0.12,
        (
            Slot("coding_agent", 0, None, 1.0, spans=True),
            Slot("test_runner", 1, 0, 0.8),
            Slot("test_runner", 2, 0, 0.35),
            Slot("code_reviewer", 3, 0, 0.5),
        ),
        (
            "Fix the rounding error in {topic}.",
            "Add tests for {topic} and make them pass.",
            "Rename {topic} everywhere and update the docs.",
        ),
        ("Changed 4 files for {topic}.", "All tests of {topic} pass now."),
        "user",
        sends_workflow_name=False,
        sends_step_cost=True,
        sends_session_cost=False,
        sends_tool_call_id=True,
        sends_run_tokens=False,
    ),
    Workflow(
        "inbox_assistant",
        0.10,
        (Slot("inbox_assistant", 0),),
        ("Draft a reply about {topic}.", "Find the last mail about {topic}."),
        ("Draft about {topic} is in your outbox.", "Found 2 mails about {topic}."),
        "user",
        sends_workflow_name=False,
        sends_parents=False,
        input_methods=("text", "voice"),
    ),
    Workflow(
        "nightly_report",
        0.05,
        (
            Slot("metrics_collector", 0),
            Slot("metrics_collector", 0),
            Slot("metrics_collector", 0, None, 0.7),
            Slot("digest_writer", 1),
        ),
        ("Collect the numbers of {topic}.",),
        ("Digest of {topic} posted.",),
        "nightly",
        has_prompt=False,
        chain="none",
        trigger_type="schedule",
        execution_mode="async",
        sends_parents=False,
        sends_step_index=True,
        sends_step_cost=False,
        sends_run_cost=False,
        sends_session_cost=True,
    ),
    Workflow(
        "incident_triage",
        0.08,
        (Slot("webhook_triager", 0), Slot("incident_agent", 1, 0, 0.4)),
        ("Alert: {topic} above threshold.",),
        ("Incident about {topic} handled.", "Nothing to do for {topic}."),
        "even",
        has_prompt=False,
        chain="children",
        sends_attempt_number=True,
        sends_run_cost=False,
    ),
)

TOPICS: tuple[str, ...] = (
    "A-7781",
    "the blue kettle",
    "district heating",
    "invoice 2204",
    "solar roof tiles",
    "churn",
    "the billing module",
    "weekly active users",
    "cargo bikes",
    "export permits",
    "the login page",
    "shipping delays",
    "grid storage",
    "gift cards",
    "the parser",
    "margin",
    "soil sensors",
    "late deliveries",
    "the retry helper",
    "heat pumps",
)


@dataclass(frozen=True)
class ErrorKind:
    """How a failing step describes itself. Empty text and 0 mean: the sender says nothing."""

    step_kind: str  # tool or model
    status: str  # error or timeout
    error_type: str
    message: str
    http_status: int = 0
    weight: float = 1.0
    is_billed: bool = True  # whether a model call that fails so is billed all the same


ERROR_KINDS: tuple[ErrorKind, ...] = (
    ErrorKind("tool", "error", "HTTPError", "Request failed with status code 503", 503, 3),
    ErrorKind("tool", "error", "ValidationError", "2 validation errors for ToolInput", 0, 3),
    ErrorKind("tool", "error", "", "connect ECONNREFUSED 10.2.0.7:8443", 0, 2),
    ErrorKind("tool", "error", "PermissionError", "permission denied for table payroll", 0, 1.5),
    ErrorKind("tool", "error", "NotFound", "resource not found: page was moved", 404, 2),
    ErrorKind("tool", "error", "", "column order_total does not exist", 0, 2),
    ErrorKind("tool", "error", "", "command exited with code 1: 2 tests failed", 0, 3),
    ErrorKind("tool", "error", "RateLimited", "429 too many requests to upstream", 429, 1.5),
    ErrorKind("tool", "error", "", "fetch_invoices is not a valid tool, try run_sql", 0, 1),
    ErrorKind("tool", "timeout", "", "tool call timed out after 30 seconds", 0, 3),
    ErrorKind("tool", "timeout", "TimeoutError", "", 504, 1),
    ErrorKind(
        "model", "error", "rate_limit_error", "Rate limit reached, retry in 12 s", 429, 4, False
    ),
    ErrorKind("model", "error", "overloaded_error", "Overloaded", 529, 3, False),
    ErrorKind("model", "error", "", "Connection error.", 0, 1.5, False),
    ErrorKind("model", "error", "api_error", "Internal server error", 500, 2, False),
    ErrorKind(
        "model", "error", "", "prompt is too long: 214100 tokens > 200000 maximum", 400, 1, False
    ),
    ErrorKind("model", "error", "JSONDecodeError", "Expecting value: line 1 column 1", 0, 1.5),
    ErrorKind("model", "error", "content_filter", "Output blocked by content filtering", 400, 0.7),
    ErrorKind("model", "timeout", "APITimeoutError", "Request timed out.", 0, 2.5),
)
