"""What the documents say exists, and README stays short enough to be read."""

import csv
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from dbt.cli.main import cli
from dbt.include import global_project
from sqlglot import exp
from sqlglot.tokens import Tokenizer

from scripts.import_traces import READERS
from scripts.warehouse import (
    DEFAULT_PUBLISHED,
    DEFAULT_WAREHOUSE,
    PROJECT_DIR,
    TARGET_SCHEMA,
)

MOST_WORDS_OF_README = 1700
MOST_WORDS_OF_GLOSSARY = 10
DOCUMENTS = (
    PROJECT_DIR / "README.md",
    PROJECT_DIR / "CONTRIBUTING.md",
    *sorted((PROJECT_DIR / "docs").glob("*.md")),
    PROJECT_DIR / "models/docs/grain.md",
)
FOLDERS = ("models", "macros", "seeds", "charts", "tests", "scripts", "docs")
MODEL_PREFIXES = ("stg_", "base_", "int_", "fct_", "dim_", "mart_", "audit_")

# Words of other programs, and placeholders that a reader fills in.
OTHER_WORDS = {
    *("python", "venv", "make", "gz", "dispatch", "cross_db", "nulls", "other", "x"),
    *("test_type", "singular", "usage", "work_mem", "auto_suspend"),
    *("dataViewer", "jobUser", "service-account"),
    # of the pages of the dashboard, and of dbt-charts
    *("selected_runs", "selected_sessions", "selected_steps", "queries", "rows", "PAGES", "GET"),
    *("filter", "workflow", "y_label", "link", "style.columns", "dct", "validate", "docs"),
    *("NAME", "FILE", "DIR", "my_source", "analytics_builder"),
}


def text_of(path):
    return path.read_text(encoding="utf-8")


@cache
def files():
    """Return all files of the project's folders, and those beside them."""
    below = [path for folder in FOLDERS for path in (PROJECT_DIR / folder).rglob("*")]
    return [path for path in [*below, *PROJECT_DIR.iterdir()] if path.is_file()]


def with_ending(*endings):
    return [path for path in files() if path.suffix in endings]


@cache
def relations():
    """Return the names of models, seeds, sources and their tables."""
    names = {path.stem for path in with_ending(".sql", ".py") if "models" in path.parts}
    names |= {path.stem for path in with_ending(".csv") if "seeds" in path.parts}
    for source in _entries("sources"):
        names |= {source["name"], *(table["name"] for table in source["tables"])}
    return names


@cache
def _entries(kind):
    # the loader in C: there are thousands of lines of unit tests
    contents = [
        yaml.load(text_of(path), yaml.CSafeLoader)
        for path in with_ending(".yml")
        if "models" in path.parts and f"\n{kind}:" in text_of(path)
    ]
    return [entry for content in contents for entry in content[kind]]


@cache
def columns():
    """Return the columns of models and seeds, and the properties of raw events."""
    names = {
        column["name"] for model in _entries("models") for column in model.get("columns") or []
    }
    for path in with_ending(".csv"):
        if "seeds" in path.parts:
            with path.open(encoding="utf-8", newline="") as lines:
                names |= set(next(csv.reader(lines)))
    return names


@cache
def values():
    """Return what stands in quotes in SQL: values of columns, names of raw columns."""
    found = set()
    for path in with_ending(".sql"):
        if "models" in path.parts or "macros" in path.parts:
            code = re.sub(r"\{#.*?#\}|--[^\n]*", "", text_of(path), flags=re.DOTALL)
            found |= set(re.findall(r"'([\w-]+)'", code))
    for path in with_ending(".yml"):
        for listed in re.findall(r"values: \[(.*?)\]", text_of(path), flags=re.DOTALL):
            found |= {value.strip() for value in listed.split(",")}
    return {value for value in found if not value.startswith(MODEL_PREFIXES)}


@cache
def macros():
    """Return the names of macros and of their variants, and of dbt's own macros with `dbt.`."""
    pattern = re.compile(r"\{%-?\s*(?:macro|test)\s+(\w+)")
    own = {name for path in with_ending(".sql") for name in pattern.findall(text_of(path))}
    of_dbt = Path(global_project.PACKAGE_PATH).rglob("*.sql")
    return own | {f"dbt.{name}" for path in of_dbt for name in pattern.findall(text_of(path))}


@cache
def settings():
    """Return variables, environment variables, targets and what profiles.yml gives them."""
    project = yaml.safe_load(text_of(PROJECT_DIR / "dbt_project.yml"))
    schemas = re.findall(r"\+schema: (\w+)", text_of(PROJECT_DIR / "dbt_project.yml"))
    for path in with_ending(".sql"):
        schemas += re.findall(r"generate_schema_name\('(\w+)'", text_of(path))
    profiles = set(re.findall(r"[\w.-]+", text_of(PROJECT_DIR / "profiles.yml")))
    return {
        *project["vars"],
        *(str(value) for value in project["vars"].values()),
        *schemas,
        *(f"{TARGET_SCHEMA}_{schema}" for schema in schemas),
        *profiles,
        *(name.removeprefix("set:hiveconf:") for name in profiles),
    }


@cache
def environment():
    """Return the environment variables that anything reads."""
    texts = "".join(
        text_of(path)
        for path in [*with_ending(".py", ".sql"), PROJECT_DIR / "profiles.yml"]
        if path != Path(__file__)
    )
    return set(re.findall(r"AGENT_ANALYTICS_[A-Z_]*[A-Z]", texts))


@cache
def commands():
    """Return make's targets and variables, dbt's commands, options and formats of the scripts."""
    makefile = text_of(PROJECT_DIR / "Makefile")
    targets = re.findall(r"^([a-z-]+):|^([A-Z]+) \?=", makefile, flags=re.MULTILINE)
    targets = [name for pair in targets for name in pair if name]
    options = {
        option for command in cli.commands.values() for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }  # fmt: skip
    scripts = "".join(text_of(path) for path in with_ending(".py") if path != Path(__file__))
    written = set(re.findall(r"\"(--[a-z][a-z-]*)\"", scripts))
    parts = re.findall(r"add_parser\(\s*\"([a-z-]+)\"", scripts)
    return {*targets, *cli.commands, *options, *written, *parts, *READERS, "generate"}


@cache
def other_names():
    """Return packages, environments, unit tests' kinds and the words of SQL."""
    packages = re.findall(r"\"([\w-]+)[\[~=<>]", text_of(PROJECT_DIR / "pyproject.toml"))
    environments = {path.stem for path in (PROJECT_DIR / "scripts/ci/environments").iterdir()}
    sql = {word.lower() for keywords in Tokenizer.KEYWORDS for word in keywords.split()}
    types = {kind.value.lower() for kind in exp.DataType.Type}
    functions = {name.lower() for name in exp.FUNCTION_BY_NAME}
    # names that a database knows and sqlglot does not count as words
    engines = {"numeric", "jsonb", "timestamp_tz", "timestamptz", "number", "string"}
    tests = {"unit_test", "rules"}
    return {*packages, *environments, *sql, *types, *functions, *engines, *tests, *OTHER_WORDS}


def words(span):
    """Return the names in a span of code."""
    return [
        word.strip(".")
        for word in re.split(r"[\s()=,;'\"{}:\[\]|!]+", span)
        if re.search(r"[^\W\d]", word)
    ]


def exists(word):
    """Return whether a name in a document stands for something."""
    # dbt's selection of what is up or down the graph
    bare = word.rstrip("/…*").lstrip("…").strip("+")
    if not re.search(r"[^\W\d]", bare) or re.fullmatch(r"\d+\w*", bare):
        return True
    if "/" in bare or "<" in bare:
        return _is_path(bare)
    if bare.startswith("AGENT_ANALYTICS_"):
        return bare in environment()
    if re.fullmatch(r"_[A-Z_]+", bare):
        return any(name.endswith(bare) for name in environment())
    if bare.startswith("--"):
        return bare in commands()
    if bare.startswith("&"):
        return any(re.search(rf"{bare}\b", text_of(path)) for path in with_ending(".yml"))
    if bare.endswith("_"):
        return any(name.startswith(bare) for name in relations() | macros())
    if bare.startswith("_") or word.startswith("…"):
        return any(name.endswith(bare) for name in columns() | values())
    if bare.startswith(MODEL_PREFIXES):
        return bare in relations() | columns() | macros()
    known = (relations(), columns(), values(), macros(), settings(), commands(), other_names())
    if any(bare in names or bare.lower() in names for names in known):
        return True
    if "." in bare:
        return _is_file(bare) or all(exists(part) for part in bare.split(".") if part)
    return (PROJECT_DIR / bare).exists()


def _is_path(path):
    pattern = re.sub(r"<[^>]*>", "*", path)
    # the last two: folders of other tools at home, addresses of their servers
    # what `make` and the scripts write is not there before
    if pattern.startswith(("DIR/", "~/", "/api/", "target/", ".venv/", "venv/")) or path in (
        DEFAULT_WAREHOUSE,
        DEFAULT_PUBLISHED,
    ):
        return True
    return any(PROJECT_DIR.glob(pattern)) or any(PROJECT_DIR.glob(f"models/**/{pattern}"))


def _is_file(name):
    return name in {".venv"} or any(path.name == name for path in files())


def spans(document):
    """Return the code spans of a document, those in blocks of code left out."""
    prose = re.sub(r"^ *```.*?^ *```", "", text_of(document), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", prose)


def name_of(document):
    return document.relative_to(PROJECT_DIR).as_posix()


def test_readme_is_short():
    # what is pasted is not read
    prose = re.sub(r"(?ms)^```.*?^```$", "", text_of(PROJECT_DIR / "README.md"))
    count = len(prose.split())
    assert count <= MOST_WORDS_OF_README, f"README.md has {count} words: move some to docs/"


def test_glossary_is_short():
    entries = re.findall(r"^\| (?!word|---)", text_of(PROJECT_DIR / "docs/glossary.md"), re.M)
    assert 0 < len(entries) <= MOST_WORDS_OF_GLOSSARY


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_names_in_backticks_exist(document):
    unknown = {
        f"`{span}`: {word}" for span in spans(document) for word in words(span) if not exists(word)
    }
    assert not unknown, f"{name_of(document)} names what is not there: {sorted(unknown)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_resolve(document):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        file = (document.parent / path) if path else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken, f"{name_of(document)} links to what is not there: {broken}"


def anchors(document):
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documented_in_sql(text):
    """Return the macros with a comment above them that other files may call."""
    commented = re.findall(r"-#\}\n\{%-?\s*macro (\w+)", text)
    return [
        name
        for name in commented
        if not name.startswith("_") and name.partition("__")[2] not in macros() | names_of_dbt()
    ]


@cache
def names_of_dbt():
    """Return the names of dbt's own macros."""
    return {name.removeprefix("dbt.") for name in macros() if name.startswith("dbt.")}


MACRO_FILES = sorted(path for path in with_ending(".sql") if "macros" in path.parts)


@pytest.mark.parametrize("file", MACRO_FILES, ids=name_of)
def test_macros_are_documented_in_one_place(file):
    """What a macro does stands in YAML; comments in its file say why a variant is as it is."""
    twice = documented_in_sql(text_of(file))
    assert not twice, f"{name_of(file)}: move the comments above {twice} to the YAML beside it"


def test_a_comment_above_a_macro_is_noticed():
    text = "{#- It does. -#}\n{% macro ratio(a, b) -%}\n"
    assert documented_in_sql(text) == ["ratio"]
    for name in ("_helper", "spark__ratio", "spark__alter_column_comment"):
        assert documented_in_sql(text.replace("ratio(", f"{name}(")) == []


@pytest.mark.parametrize(
    "name",
    [
        "fct_agent_rides",
        "cost_eur",
        "AGENT_ANALYTICS_NO_SUCH_SETTING",
        "_NO_SUCH_SUFFIX",
        "--no-such-option",
        "models/marts/core/fct_gone.sql",
        "models/gone/<concern>",
        "gone.csv",
        "test-oracle",
        "no_such_macro",
        "&gone",
        "gone__",
        "…_gone",
    ],
)
def test_what_is_not_there_is_noticed(name):
    assert not exists(name)


@pytest.mark.parametrize(
    ("span", "names"),
    [
        ("dbt build --vars '{a_b: true}'", ["dbt", "build", "--vars", "a_b", "true"]),
        ("varchar(65535)", ["varchar"]),
        ("row_number()", ["row_number"]),
        ("||", []),
    ],
)
def test_names_are_found_in_code(span, names):
    assert words(span) == names


def test_no_file_is_a_link():
    """A link leads to a place on the machine of whoever made it."""
    command = ["git", "ls-files", "--stage"]
    listed = subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True, check=True)
    files = listed.stdout.splitlines()
    assert files
    assert [line for line in files if line.startswith("120000")] == []


def test_every_question_has_a_table_columns_and_a_test():
    """Of the columns of that table, and a test that is there."""
    columns, tests = {}, set()
    for file in (PROJECT_DIR / "models").rglob("*.yml"):
        content = yaml.safe_load(text_of(file))
        for model in content.get("models", []):
            columns[model["name"]] = {column["name"] for column in model.get("columns", [])}
        tests |= {test["name"] for test in content.get("unit_tests", [])}
    tests |= {path.name for path in (PROJECT_DIR / "tests/python").glob("test_*.py")}
    rows = re.findall(
        r"(?m)^\| (\d+) \| .+? \| `(\w+)` \| (.+?) \| `([\w.]+)` \|$",
        text_of(PROJECT_DIR / "models/docs/questions.md"),
    )
    assert [int(number) for number, *_ in rows] == list(range(1, 135))
    for number, table, named, test in rows:
        unknown = set(re.findall(r"`(\w+)`", named)) - columns[table]
        assert not unknown, f"question {number}: {table} has no {sorted(unknown)}"
        assert test in tests, f"question {number}: no test {test}"


def test_an_exposure_names_every_table_of_its_folder():
    """What only DuckDB builds is left out, since elsewhere it is not there."""
    file = PROJECT_DIR / "models/marts/_marts__exposures.yml"
    named = [
        {ref.removeprefix("ref('").removesuffix("')") for ref in exposure["depends_on"]}
        for exposure in yaml.safe_load(text_of(file))["exposures"]
    ]
    folders = [path for path in file.parent.iterdir() if path.is_dir()]
    assert sorted(named, key=sorted) == sorted(
        ({path.stem for path in folder.glob("*.sql")} for folder in folders), key=sorted
    )
