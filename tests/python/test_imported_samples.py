"""Facts built from real trace files equal truth that was computed from the files by other programs.

The samples lie beside the project, in ../shared/traces; without them these tests are skipped. They
are imported with marks in every text and in two steps, as files that grow: what is compared with
the truth was renewed by an incremental build.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from scripts import import_traces, load_events
from scripts.importer.events import EventWriter
from scripts.importer.model import Counts
from scripts.importer.store import GroupStore, Spool
from scripts.loader.lines import read_as_they_are
from scripts.warehouse import connect
from tests.python import tables
from tests.python.warehouses import PROJECT_DIR, Warehouse, errors_of

SAMPLES = PROJECT_DIR.parent / "shared" / "traces"
TRUTH = SAMPLES / "truth"
FORMATS = {"claude_code": "claude-code", "codex": "codex", "langfuse": "langfuse", "otel": "otel"}
CANARY = "canary7f"

pytestmark = [
    pytest.mark.skipif(not TRUTH.is_dir(), reason=f"no trace files at {SAMPLES}"),
    pytest.mark.xdist_group("imported_samples"),
]

# Truth columns, added up, and the column of the fact that they are.
COUNTS = {
    ("llm_calls", "failed_llm_calls"): "llm_call_count",
    ("tool_calls",): "tool_call_count",
}
USAGE = {
    ("input_tokens",): "input_tokens",
    ("output_tokens",): "output_tokens",
    ("cache_read_tokens",): "cache_read_tokens",
    ("cache_write_tokens",): "cache_write_tokens",
    ("reported_cost",): "reported_cost_usd",
}
# What Claude Code counts apart the others count among the calls.
ALL_CALLS = {("llm_calls",): "llm_call_count", ("tool_calls",): "tool_call_count"}
RUN_COLUMNS = {
    "claude_code": COUNTS
    | USAGE
    | {("agent_sessions", "agents_without_log"): "agent_session_count"},
    "codex": ALL_CALLS | USAGE | {("agent_sessions",): "agent_session_count"},
    "langfuse": ALL_CALLS | USAGE | {("agent_sessions",): "agent_session_count"},
    "otel": ALL_CALLS | USAGE | {("agent_sessions",): "agent_session_count"},
}
AGENT_COLUMNS = {
    "claude_code": COUNTS | USAGE,
    "langfuse": ALL_CALLS | USAGE,
    "otel": ALL_CALLS | USAGE,
}


def import_to(out, *arguments):
    """Import and return the payloads as bytes."""
    assert import_traces.main([*map(str, arguments), "--out", str(out)]) == 0
    return Path(out).read_bytes()


def truth(name, table):
    return tables.read(TRUTH / name / f"{table}.csv")


def milliseconds(text):
    """Return a duration of the truth, of which parts of a millisecond are cut."""
    return int(Decimal(text)) if text else None


def added(row, columns):
    """Return the sum of some columns of a truth row, nothing where all are blank."""
    found = [Decimal(row[column]) for column in columns if row.get(column)]
    return sum(found) if found else None


# Texts and paths, by the key they stand under; what stands below such a key is text, too.
TEXT_KEY = re.compile(
    r"(?i)content|text|prompt|completion|input|output|message|argument|result|thinking|instruction"
    r"|cwd|branch|summary|stdout|stderr|description|query|command|path|exception|body|pattern|plan"
)
# Words among the texts that say what something is, not what somebody wrote.
NO_TEXT_KEY = re.compile(
    r"(?i)^(type|id|.*_id|.*Id|role|name|model|.*model.*name|status|.*mime.*|.*_type|.*token.*|subagent_type"
    r"|usage.*|.*uuid|stop_reason|finish_reason.*|level|version|.*cost.*|.*key|.*time.*|.*kind|author"
    r"|.*operation.*|.*usage.*|.*finish.*|source|provider.*|.*\.name|.*system|.*model)$"
)


def with_canaries(value, *, is_text=False):
    """Return JSON content with a mark in every text, whatever else it holds left as it is."""
    if isinstance(value, dict):
        # an attribute of OpenTelemetry: its name is a value
        name = value.get("key")
        if isinstance(name, str) and "value" in value:
            marked = bool(TEXT_KEY.search(name)) and not NO_TEXT_KEY.match(name)
            return {**value, "value": with_canaries(value["value"], is_text=marked)}
        return {
            key: content
            if NO_TEXT_KEY.match(key)
            else with_canaries(content, is_text=is_text or bool(TEXT_KEY.search(key)))
            for key, content in value.items()
        }
    if isinstance(value, list):
        return [with_canaries(item, is_text=is_text) for item in value]
    if not is_text or not isinstance(value, str) or not value:
        return value
    # JSON in a text, also behind words: API Error: 400 {…}
    start = min((value.find(bracket) for bracket in "{[" if bracket in value), default=0)
    try:
        content = json.loads(value[start:])
        if isinstance(content, dict | list):
            return value[:start] + json.dumps(with_canaries(content, is_text=True))
    except ValueError:
        pass
    return f"{value} {CANARY}"


def plant(source, target):
    """Copy a sample with marks in its texts."""
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".csv":
        csv.field_size_limit(10**9)
        with source.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        with target.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.DictWriter(lines, rows[0].keys())
            writer.writeheader()
            writer.writerows(with_canaries(row) for row in rows)
    elif source.suffix == ".json":
        target.write_text(json.dumps(with_canaries(json.loads(text)), indent=1), encoding="utf-8")
    else:
        lines = [json.dumps(with_canaries(json.loads(line))) for line in text.splitlines()]
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Folder of the samples with marks in their texts."""
    folder = tmp_path_factory.mktemp("planted")
    for name in FORMATS:
        for source in sorted((SAMPLES / name).rglob("*")):
            if source.is_file():
                plant(source, folder / source.relative_to(SAMPLES))
    return folder


@pytest.fixture(scope="module")
def built(planted, tmp_path_factory):
    """Warehouse of the samples: first of files cut in the middle, then of whole ones."""
    folder = tmp_path_factory.mktemp("imported")
    warehouse = Warehouse(folder)
    warehouse.fresh()
    begun = folder / "begun"
    shutil.copytree(planted, begun)
    for file in begun.rglob("*.*"):
        if file.suffix in (".jsonl", ".ndjson"):
            file.write_bytes(file.read_bytes()[: file.stat().st_size * 6 // 10])
        elif "langfuse" in file.parts and "ui_download" not in file.parts:
            file.unlink()
    for paths in (begun, planted):
        payloads = folder / f"{paths.name}.ndjson"
        import_to(payloads, paths)
        assert load_events.main([str(payloads), "--warehouse", str(warehouse.path)]) == 0
        result = warehouse.dbt("run")
        assert result.success, errors_of(result)
    return warehouse


@pytest.fixture(scope="module")
def runs(built):
    """Runs of the facts by format and key of the truth."""
    rows = built.records("select * from analytics_marts.fct_agent_runs order by started_at")
    found = {row["interaction_id"]: row for row in rows}
    for row in rows:
        # Codex: the number of the message in its conversation
        before = [other for other in rows if other["conversation_id"] == row["conversation_id"]]
        found[row["conversation_id"], str(before.index(row))] = row
    return found


def run_key(name, row):
    """Return under which key `runs` has the run of a truth row."""
    if name == "codex":
        return row["conversation_id"], row["run"]
    return row["prompt_uuid"] if name == "claude_code" else row["run_id"]


def conversation_of(row):
    return row.get("conversation_id") or row["run_id"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_run_of_the_truth_is_there_and_no_other(built, runs, name):
    rows = truth(name, "runs")
    wanted = {(conversation_of(row), runs[run_key(name, row)]["interaction_id"]) for row in rows}
    conversations = {conversation for conversation, _ in wanted}
    found = {
        (row["conversation_id"], row["interaction_id"])
        for row in runs.values()
        if row["conversation_id"] in conversations
    }
    assert found == wanted
    assert len(wanted) == len(rows)


def test_there_are_no_runs_but_those_of_the_truth(built):
    expected = sum(len(truth(name, "runs")) for name in FORMATS)
    assert built.query("select count(*) from analytics_marts.fct_agent_runs") == [(expected,)]


@pytest.mark.parametrize(
    ("name", "columns", "fact_column"),
    [(name, *pair) for name, columns in RUN_COLUMNS.items() for pair in columns.items()],
)
def test_columns_of_runs_equal_the_truth(runs, name, columns, fact_column):
    wrong = []
    for row in truth(name, "runs"):
        run = runs[run_key(name, row)]
        wanted, found = added(row, columns), run[fact_column]
        if not differs(wanted, found, run["llm_call_count"]):
            continue
        wrong.append((run_key(name, row), wanted, found))
    assert wrong == []


def differs(wanted, found, llm_calls):
    """Say whether a number is another one; without a model call no tokens are none."""
    if wanted == 0 and found is None:
        return llm_calls > 0
    if wanted is None or found is None:
        return wanted is not found
    # amounts have nine decimals
    return abs(Decimal(wanted) - Decimal(found)) > Decimal("1e-9")


@pytest.mark.parametrize("name", FORMATS)
def test_outcome_and_times_of_runs_equal_the_truth(runs, name):
    wrong = []
    for row in truth(name, "runs"):
        run = runs[run_key(name, row)]
        status = row["status"].replace("user_cancelled", "cancelled")
        outcome = "" if run["run_status"] in ("abandoned", "in_progress") else run["run_status"]
        duration = row.get("reported_duration_ms") or row.get("duration_ms") or row.get("span_ms")
        started = datetime.fromisoformat(row["started_at"]).astimezone(UTC).replace(tzinfo=None)
        wanted = (status, started, milliseconds(duration))
        if wanted != (outcome, run["started_at"], run["duration_ms"]):
            wrong.append(
                (run_key(name, row), wanted, outcome, run["started_at"], run["duration_ms"])
            )
    assert wrong == []


@pytest.mark.parametrize("name", FORMATS)
def test_failed_steps_of_runs_equal_the_truth(runs, name):
    wrong = []
    for row in truth(name, "runs"):
        run = runs[run_key(name, row)]
        # a call that the user refused is among the failed ones of the truth
        failed = int(row["failed_tool_calls"]) - int(row.get("rejected_tool_calls") or 0)
        failed += int(row.get("failed_llm_calls") or 0) + int(row.get("api_retries") or 0)
        if failed != run["failed_step_count"]:
            wrong.append((run_key(name, row), failed, run["failed_step_count"]))
    assert wrong == []


@pytest.mark.parametrize("name", AGENT_COLUMNS)
def test_agent_sessions_equal_the_truth(built, runs, name):
    sessions = built.records(
        """
        select sessions.*, parents.agent_session_id as parent_id
        from analytics_marts.fct_agent_sessions as sessions
        left join analytics_marts.fct_agent_sessions as parents
            on sessions.parent_agent_session_key = parents.agent_session_key
        """
    )
    by_run = {}
    for session in sessions:
        by_run.setdefault(session["run_key"], {})[session["agent_session_id"]] = session
    wrong = []
    empty = {
        (row["conversation_id"], row.get("run"))
        for row in truth(name, "runs")
        if row["agent_sessions"] == "0"
    }
    for row in truth(name, "agents"):
        if (row.get("conversation_id"), row.get("run")) in empty:
            # stopped before the agent did anything
            continue
        number = row.get("run")
        run = (
            next(
                runs[key["prompt_uuid"]]
                for key in truth(name, "runs")
                if (key["conversation_id"], key["run"]) == (row["conversation_id"], number)
            )
            if name == "claude_code"
            else runs[row["run_id"]]
        )
        of_run = by_run.get(run["run_key"], {})
        prefix = f"{run['interaction_id']}-" if name == "claude_code" else ""
        identity = row.get("agent_id") or row["agent_session_id"]
        if not identity:
            # no agent in the trace: its only session is named after it
            (identity,) = of_run
        session = of_run.get(prefix + identity)
        if session is None:
            wrong.append((run["interaction_id"], identity, "missing"))
            continue
        parent = row.get("parent_agent_id") or row.get("parent_agent_session_id") or None
        wanted = [row["agent_name"], parent and prefix + parent]
        found = [session["agent_name"], session["parent_id"]]
        if wanted != found:
            wrong.append((run["interaction_id"], identity, wanted, found))
        for columns, fact_column in AGENT_COLUMNS[name].items():
            sums = added(row, columns), session[fact_column]
            if differs(*sums, session["llm_call_count"]):
                wrong.append((run["interaction_id"], identity, fact_column, *sums))
    assert wrong == []


@pytest.mark.parametrize("name", FORMATS)
def test_tools_equal_the_truth(built, runs, name):
    wanted = set()
    keys = {(row.get("conversation_id"), row.get("run")): row for row in truth(name, "runs")}
    for row in truth(name, "tools"):
        of_run = row if "run_id" in row else keys[row["conversation_id"], row["run"]]
        run = runs[run_key(name, of_run)]["run_key"]
        wanted.add((run, row["tool"], int(row["calls"]), int(row["failed"])))
    of_format = {runs[run_key(name, row)]["run_key"] for row in truth(name, "runs")}
    found = {
        row
        for row in built.query(
            # a call that the user refused is among the failed ones of the truth
            """
            select run_key, tool_name, count(*),
                count(*) filter (where is_failed or step_status = 'cancelled')
            from (select *, step_status in ('error', 'timeout') as is_failed
                from analytics_marts.fct_agent_steps)
            where step_type = 'tool_call'
            group by all
            """
        )
        if row[0] in of_format
    }
    assert found == wanted


def test_staging_takes_the_token_classes_as_they_are(built):
    (compared,) = built.query(
        """
        with sent as (
            select conversation_id, interaction_id, sum(prompt_tokens) as input_tokens,
                sum(completion_tokens) as output_tokens, sum(cache_read) as cache_read_tokens,
                sum(cache_write) as cache_write_tokens
            from rudderstack.ai_agent_step_completed group by all
        )
        select
            count(*),
            count_if(steps.input_tokens is distinct from sent.input_tokens),
            count_if(steps.output_tokens is distinct from sent.output_tokens),
            count_if(steps.cache_read_tokens is distinct from sent.cache_read_tokens),
            count_if(steps.cache_write_tokens is distinct from sent.cache_write_tokens)
        from sent
        left join (
            select conversation_id, interaction_id, sum(input_tokens) as input_tokens,
                sum(output_tokens) as output_tokens, sum(cache_read_tokens) as cache_read_tokens,
                sum(cache_write_tokens) as cache_write_tokens
            from analytics_marts.fct_agent_steps group by all
        ) as steps using (conversation_id, interaction_id)
        """
    )
    assert compared[0] > 100
    assert compared[1:] == (0, 0, 0, 0)


def test_everything_is_accepted_and_nothing_suspect(built):
    dispositions = built.query(
        "select * from analytics_audit.audit_event_ledger where accepted_rows != raw_rows"
    )
    assert dispositions == []
    assert built.query("select * from analytics_audit.audit_suspect_columns") == []
    assert built.query("select * from analytics_audit.audit_unread_columns") == []


def test_no_mark_is_in_any_table(built):
    places = []
    with connect(built.path) as connection:
        relations = connection.execute(
            """
            select table_schema, table_name, list(column_name)
            from information_schema.columns where data_type in ('VARCHAR', 'JSON') group by all
            """
        ).fetchall()
        for schema, table, columns in relations:
            has_mark = " or ".join(f"contains(lower(\"{name}\"), '{CANARY}')" for name in columns)
            found = f'select 1 from "{schema}"."{table}" where {has_mark} limit 1'
            if connection.execute(found).fetchone():
                places.append(f"{schema}.{table}")
    assert len(relations) > 50
    assert places == []


@pytest.mark.parametrize("name", FORMATS)
def test_marks_change_no_payload_and_are_in_none(planted, tmp_path, name):
    def without_messages(lines):
        found = [json.loads(line) for line in lines.splitlines()]
        for payload in found:
            payload["properties"].pop("error_message", None)
        return found

    options = ["--from", FORMATS[name]]
    plain = import_to(tmp_path / "plain.ndjson", *options, SAMPLES / name)
    marked = import_to(tmp_path / "marked.ndjson", *options, planted / name)
    assert CANARY.encode() not in marked.lower()
    assert without_messages(marked) == without_messages(plain)
    # the marks are there, and --with-text lets them through
    with_text = import_to(tmp_path / "text.ndjson", *options, planted / name, "--with-text")
    assert with_text.count(CANARY.encode()) > 10


def variants(name, folder):
    """Yield other arrangements of the samples of a format, each as the arguments of an import."""
    source = SAMPLES / name
    files = sorted(path for path in source.rglob("*") if path.is_file())
    yield "the other way round", files[::-1]
    yield "twice", [source, shutil.copytree(source, folder / "copy")]
    packed = folder / "packed"
    for file in files:
        target = packed / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(target.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))
    yield "packed", [packed]
    of_lines = [file for file in files if file.suffix in (".jsonl", ".ndjson")]
    others = [file for file in files if file not in of_lines]
    if of_lines:
        for part in (1, 0):
            for file in of_lines:
                lines = file.read_bytes().splitlines(keepends=True)
                # of lines of the same moment only their order tells which was first
                moments = [re.search(rb'imestamp":"[^"]*', line) for line in lines]
                half = len(lines) // 2
                while moments[half] and moments[half][0] == moments[half - 1][0]:
                    half += 1
                target = folder / f"part{part}" / file.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(b"".join(lines[half:] if part else lines[:half]))
        yield "split", [folder / "part1", folder / "part0", *others]
    if name in ("claude_code", "otel"):
        joined = folder / "joined.jsonl"
        with joined.open("wb") as lines:
            for file in files:
                if file in of_lines:
                    lines.writelines(read_as_they_are(str(file), lambda _: None))
                else:
                    lines.write(json.dumps(json.loads(file.read_bytes())).encode() + b"\n")
        yield "joined", [joined]


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_traces_in_another_arrangement_are_the_same_bytes(tmp_path, name):
    options = ["--from", FORMATS[name]]
    expected = import_to(tmp_path / "expected.ndjson", *options, SAMPLES / name)
    for arrangement, paths in variants(name, tmp_path):
        found = import_to(tmp_path / "found.ndjson", *options, *paths)
        assert found == expected, arrangement


WRONG_VALUES = [
    None,
    True,
    -1,
    0,
    10**30,
    1e300,
    float("nan"),
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    "1",
]
UNIT_LISTS = {"otel": ("spans",), "langfuse": ("observations", "data")}


def nodes(value):
    """Yield every place in JSON content as (container, key)."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, content in list(items):
        yield value, key
        if isinstance(content, dict | list):
            yield from nodes(content)


def spoiled(rng, content):
    """Return JSON content in which one to three things are not as a reader expects them."""
    places = list(nodes(content))
    ids = [box[key] for box, key in places if isinstance(box[key], str) and 6 < len(box[key]) < 60]
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(places)
        kind = rng.randrange(5)
        parents = [place for place in places if "arent" in str(place[1])]
        if kind == 0 and isinstance(container, dict):
            container.pop(key, None)
        elif kind == 1 and isinstance(container, list):
            container.append(container[key % len(container)] if container else None)
        elif kind == 2 and parents:
            # also its own parent, or that of its parent
            container, key = rng.choice(parents)
            container[key] = rng.choice(ids or [None])
        elif kind == 3:
            for box, name in places:
                if name in ("type", "kind", "event", "level", "operation"):
                    box[name] = "unheard_of"
        elif key in container if isinstance(container, dict) else key < len(container):
            container[key] = rng.choice(WRONG_VALUES)
    return content


def mutated(rng, file):
    """Return the bytes of a sample with something wrong in it."""
    content = file.read_bytes()
    kind = rng.randrange(4)
    if kind == 0:
        return content[: rng.randrange(len(content))]
    if kind == 1:
        place = rng.randrange(len(content))
        return content[:place] + rng.randbytes(rng.randint(1, 9)) + content[place + 3 :]
    if file.suffix == ".json":
        return json.dumps(spoiled(rng, json.loads(content))).encode()
    lines = content.splitlines(keepends=True)
    for _ in range(3):
        number = rng.randrange(len(lines))
        if file.suffix == ".csv":
            lines[number] = lines[rng.randrange(len(lines))].replace(b",", b";", rng.randrange(3))
        else:
            lines[number] = json.dumps(spoiled(rng, json.loads(lines[number]))).encode() + b"\n"
    return b"".join(lines)


def fewest_units(name, file, content):
    """Return how many units a reader must account for at least, None for exactly its lines."""
    if name in ("claude_code", "codex"):
        return None
    try:
        document = {"": json.loads(content)}
    except ValueError:
        return 1 if content.strip() else 0
    return sum(
        isinstance(unit, dict)
        for container, key in nodes(document)
        if key in UNIT_LISTS[name] and isinstance(container[key], list)
        for unit in container[key]
    )


@pytest.mark.parametrize("files_per_format", [125, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FORMATS)
def test_broken_files_are_read_as_far_as_they_go(name, files_per_format):
    rng = random.Random(f"{name} {files_per_format}")
    files = sorted(path for path in (SAMPLES / name).rglob("*") if path.is_file())
    files = [file for file in files if file.stat().st_size < 100_000]
    reader = import_traces.READERS[FORMATS[name]]
    read = 0
    for _ in range(files_per_format):
        file = rng.choice(files)
        content = mutated(rng, file)
        counts = Counts()
        with Spool() as spool:
            store = GroupStore(spool)
            for record in reader.read(file, io.BytesIO(content), counts):
                store.add(record)
            units = counts.read + counts.skipped.total()
            expected = fewest_units(name, file, content)
            if expected is None:
                assert units == sum(bool(line.strip()) for line in io.BytesIO(content)), file
            else:
                assert units >= expected, file
            read += counts.read
            for group in store.groups():
                for run in reader.assemble(group, counts):
                    events = list(EventWriter(reader.name, counts.skipped).events(run))
                    assert len({event.message_id for event in events}) == len(events), file
                    for event in events:
                        properties = json.loads(event.line)["properties"]
                        assert properties["conversation_id"] and properties["interaction_id"]
    # mutations leave most of it
    assert read > files_per_format


@pytest.mark.parametrize("name", ["claude_code", "codex", "otel"])
def test_what_was_imported_before_a_file_grew_is_renewed(tmp_path, name):
    """Each event of a shorter file is one of the longer file, so none is left behind."""
    files = [file for file in (SAMPLES / name).rglob("*") if file.suffix in (".jsonl", ".ndjson")]

    def events(twentieths):
        grown = tmp_path / "grown"
        for file in files:
            target = grown / file.relative_to(SAMPLES)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = file.read_bytes()
            target.write_bytes(content[: len(content) * twentieths // 20])
        lines = import_to(tmp_path / "out.ndjson", "--from", FORMATS[name], grown).splitlines()
        return {(event := json.loads(line))["messageId"]: event["event"] for line in lines}

    whole = events(20)
    for twentieths in range(3, 20, 2):
        before = events(twentieths)
        left = [event for message_id, event in before.items() if message_id not in whole]
        # an agent that had said its last word went on, and was then stopped without a sign
        assert set(left) <= {"ai_agent_session_completed", "ai_interaction_completed"}
        assert len(left) <= (2 if name == "claude_code" else 0)
