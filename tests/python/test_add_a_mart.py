"""The recipe "Add a mart" of CONTRIBUTING.md, followed to the letter in a copy of the project.

The files are the recipe's own code blocks. Whenever the mart is added, and whatever build of it
fails, it ends up as a full refresh makes it.
"""

from __future__ import annotations

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scripts.warehouse import PROJECT_DIR
from tests.python.loads import contents, differences
from tests.python.warehouses import (
    EVENT_TABLES,
    NOON,
    UP_TO_FACTS,
    Warehouse,
    copy_of_project,
    errors_of,
    failed_nodes,
    story,
)

SECTION = "Add a mart"
FILES = {
    "sql": "models/marts/reliability/mart_",
    "yaml": "models/marts/reliability/_reliability__models.yml",
}
# Runs of each load, with the day they happen on: each adds to an old day and brings a new one.
LOADS = ({"a": 0, "b": 1}, {"c": 0, "d": 2}, {"e": 1, "f": 3})
# A day of which the last load has no run.
LEFT_ALONE = 0

pytestmark = [
    pytest.mark.timeout(0),
    pytest.mark.xdist_group("add_a_mart"),
    # of a library inside dbt
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),
]


def recipe(text):
    """Return path and text of the two code blocks of the recipe, by their language.

    The first line of a block is a comment that names the file.
    """
    [section] = re.findall(rf"(?ms)^## {SECTION}\n(.*?)(?=^## |\Z)", text)
    blocks = {}
    for language, path, block in re.findall(
        r"(?ms)^```(\w+)\n((?:--|#) \S+\n)(.*?)^```$", section.replace("\r\n", "\n")
    ):
        if language in FILES:
            assert language not in blocks, f"'{SECTION}' has several blocks of {language}"
            blocks[language] = (path.split()[1], path + block)
    for language, start in FILES.items():
        assert language in blocks and blocks[language][0].startswith(start), (
            f"'{SECTION}' in CONTRIBUTING.md has no ```{language} block whose first line is a "
            f"comment with the path of its file, {start}…"
        )
    return blocks


class Project:
    """A copy of the project with a warehouse; the mart of the recipe comes and goes."""

    def __init__(self, folder):
        self.warehouse = Warehouse(folder, copy_of_project(folder / "project"))
        blocks = recipe((PROJECT_DIR / "CONTRIBUTING.md").read_text("utf-8"))
        path, self.model = blocks["sql"]
        self.model_file = self.warehouse.project / path
        self.mart = self.model_file.stem
        path, self.entry = blocks["yaml"]
        self.entries_file = self.warehouse.project / path
        self.entries = self.entries_file.read_text("utf-8")
        assert not self.model_file.exists(), f"{path} is there already"

    @property
    def table(self):
        """Name of the mart in the warehouse."""
        return f"analytics_marts.{self.mart}"

    def add_mart(self):
        """Write the model and append its entry, as the recipe says."""
        self.model_file.write_text(self.model, "utf-8")
        self.entries_file.write_text(self.entries.rstrip("\n") + "\n" + self.entry, "utf-8")

    def remove_mart(self):
        """Bring back the project without the mart."""
        self.model_file.unlink(missing_ok=True)
        self.entries_file.write_text(self.entries, "utf-8")

    def arrive(self, number):
        """Load the runs of one load into the raw tables."""
        for table in EVENT_TABLES:
            rows = [
                on_day(row, day, number)
                for name, day in LOADS[number].items()
                for row in story(f"{name}-", f"c-{name}")[table]
            ]
            self.warehouse.create("arriving", rows)
            name = f"rudderstack.{table}"
            self.warehouse.query(
                f"create table if not exists {name} as from rudderstack.arriving limit 0"
            )
            self.warehouse.query(f"insert into {name} by name from rudderstack.arriving")
            self.warehouse.query("drop table rudderstack.arriving")

    @property
    def selection(self):
        """Arguments that select the facts, and the mart when it is there."""
        return (*UP_TO_FACTS, *([self.mart] if self.model_file.exists() else []))

    def run(self, *arguments):
        """Build the facts and the mart, or what the arguments select."""
        chosen = () if "--select" in arguments else self.selection
        result = self.warehouse.dbt("run", *arguments, *chosen)
        assert result.success, errors_of(result)

    def restore(self, file):
        """Go on from a copy of the warehouse."""
        shutil.copyfile(file, self.warehouse.path)
        Path(f"{self.warehouse.path}.wal").unlink(missing_ok=True)


def on_day(row, day, number):
    """Move an event to a day; it is loaded with the load of this number, after all days."""
    moved = {
        name: value + timedelta(days=day) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
    return {**moved, "uuid_ts": row["uuid_ts"] + timedelta(days=10 + number)}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the project; its warehouse with the first load built without the mart; what a full
    refresh with the mart makes of all loads.
    """
    project = Project(tmp_path_factory.mktemp("add_a_mart"))
    path = project.warehouse.path
    project.warehouse.fresh()
    project.arrive(0)
    project.run()
    first = path.with_name("first.duckdb")
    shutil.copyfile(path, first)
    for number in range(1, len(LOADS)):
        project.arrive(number)
    project.add_mart()
    project.run("--full-refresh")
    return project, first, contents(path)


@pytest.fixture
def project(built):
    """Return the project without the mart, and the first load built."""
    found, first, _ = built
    found.remove_mart()
    found.restore(first)
    return found


@pytest.fixture
def expected(built):
    """Return what a full refresh with the mart makes of all loads."""
    return built[2]


def day_of(project):
    """Return the column with the day of the mart."""
    [day] = [
        name
        for name, kind, *_ in project.warehouse.query(f"describe {project.table}")
        if kind == "DATE"
    ]
    return day


def test_mart_follows_new_events(project, expected):
    """Added while events arrive, it is built whole; then the days of new events are replaced."""
    project.add_mart()
    project.arrive(1)
    project.run()
    day = day_of(project)
    assert project.warehouse.query(f"select count(distinct {day}) from {project.table}") == [(3,)]
    left_alone = NOON.date() + timedelta(days=LEFT_ALONE)
    marked = f"update {project.table} set n_all = n_all {{}} 100 where {day} = '{left_alone}'"
    project.warehouse.query(marked.format("+"))
    project.arrive(2)
    project.run()
    days = project.warehouse.query(f"select distinct {day} from {project.table} where n_all >= 100")
    assert days == [(left_alone,)], "days without new events were replaced as well"
    project.warehouse.query(marked.format("-"))
    assert differences(contents(project.warehouse.path), expected) == []


def test_mart_passes_its_tests(project):
    """The entry describes the mart and gives it tests that hold, of its key above all."""
    project.add_mart()
    project.run("--select", project.mart)
    result = project.warehouse.dbt("test", "--select", project.mart)
    assert result.success, errors_of(result)
    tests = {node.node.name.partition(f"_{project.mart}")[0] for node in result.result}
    assert {"unique", "not_null"} <= tests


@pytest.mark.slow
def test_mart_alone_is_built_whole_from_the_facts(project, expected):
    """Nothing new has arrived, and the last build looked at few days: all are in the mart."""
    for number in range(1, len(LOADS)):
        project.arrive(number)
        project.run()
    project.add_mart()
    project.run("--select", project.mart)
    assert differences(contents(project.warehouse.path), expected) == []


@pytest.mark.slow
@pytest.mark.parametrize("failures", [1, 2])
def test_failed_mart_catches_up(failures, project, expected):
    """What arrived while it could not be built is in it when it can be built again."""
    project.add_mart()
    project.run("--select", project.mart)
    right = project.model_file.read_text("utf-8")
    for number in range(1, 1 + failures):
        project.arrive(number)
        project.model_file.write_text(right + "\nno sql\n", "utf-8")
        result = project.warehouse.dbt("run", *project.selection)
        assert project.mart in failed_nodes(result)
    project.model_file.write_text(right, "utf-8")
    for number in range(1 + failures, len(LOADS)):
        project.arrive(number)
    project.run()
    assert differences(contents(project.warehouse.path), expected) == []
