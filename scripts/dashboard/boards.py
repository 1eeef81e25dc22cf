"""The pages in every look: light and dark, wide and for a phone, made from one file each.

dbt-charts draws a page for one theme and one width. The pages in charts are written once, for a
wide light screen; a copy of them per look goes to a folder that only the server reads.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scripts.warehouse import PROJECT_DIR

CHARTS_FOLDER = PROJECT_DIR / "charts"
CONFIGURATION = PROJECT_DIR / "dbt_charts.yml"
# In the order of the navigation; the first one is shown at the bare address.
PAGES = {
    "overview": "Overview",
    "cost": "Cost",
    "latency": "Latency",
    "failures": "Failures",
    "quality": "Quality",
    "usage": "Usage",
    "runs": "Runs",
    "data_health": "Data health",
}
RUN_PAGE = "run"
LOOKS = ("light-wide", "light-phone", "dark-wide", "dark-phone")
PHONE_WIDTH = 420
PHONE_COLUMNS = 4
PHONE_MULTIPLES_HEIGHT = 620
WORD = re.compile(r"\w+")

Content = dict[str, Any]
EMPTY_STATE: Content = {
    "type": "callout",
    "message": "No run matches these filters. Clear one of them, or all with the link above.",
    "style": {"tone": "info"},
}


@cache
def filters() -> list[str]:
    """Return the names of the filters that all pages share, as they stand in the address."""
    return list(read(CHARTS_FOLDER / "meta.yml")["variables"])


def read(file: Path) -> Content:
    """Return the content of a YAML file."""
    content: Content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def write(file: Path, content: Content) -> None:
    """Write content to a YAML file."""
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000)
    file.write_text(text, encoding="utf-8")


def write_configuration(folder: Path, data: Path) -> None:
    """Write the configuration of dbt-charts with the file that its pages read."""
    content = read(CONFIGURATION)
    content["sources"]["published"]["path"] = str(data.absolute())
    write(folder / CONFIGURATION.name, content)


def write_looks(folder: Path, *, with_filters: bool = True) -> None:
    """Write a dbt-charts project with every page in every look to `folder`, emptied before.

    Without filters there is nothing to choose, as in files that no server stands behind.
    """
    shutil.rmtree(folder, ignore_errors=True)
    charts = folder / "charts"
    charts.mkdir(parents=True)
    shutil.copyfile(CONFIGURATION, folder / CONFIGURATION.name)
    shared = read(CHARTS_FOLDER / "meta.yml")
    write(charts / "meta.yml", shared if with_filters else without_controls(shared))
    for look in LOOKS:
        (charts / look).mkdir()
    for page in (*PAGES, RUN_PAGE):
        board = whole(page)
        if with_filters:
            written = dict(zip(parts(page), divided(board, shared), strict=True))
        else:
            written = {page: without_controls(board)}
        for look in LOOKS:
            for name, part in written.items():
                write(charts / look / f"{name}.yml", in_look(part, look))


def whole(page: str) -> Content:
    """Return a page as it is drawn, before it is divided."""
    board = read(CHARTS_FOLDER / f"{page}.yml")
    return board if page == RUN_PAGE else with_exact_figures(with_empty_state(board))


@cache
def parts(page: str) -> list[str]:
    """Return the names of the boards that a page is served as, from top to bottom.

    A row of charts takes a third of a second, a page of them one to three, so that what is seen
    first comes first.
    """
    board = whole(page)
    count = len(divided(board, read(CHARTS_FOLDER / "meta.yml")))
    return [page, *(f"{page}_{number}" for number in range(2, count + 1))]


def is_first(part: str) -> bool:
    """Return whether a part is the one that a page begins with, which has its filters."""
    return part in PAGES or part == RUN_PAGE


def divided(board: Content, shared: Content) -> list[Content]:
    """Return a page as its parts: all to the last of the headline numbers, then row by row."""
    kpis = {name for name, chart in board["charts"].items() if chart["type"] == "kpi"}
    if not kpis:
        return [board]
    end = max(i for i, row in enumerate(board["rows"]) if kpis & mentioned(row)) + 1
    top, below = board["rows"][:end], [[row] for row in board["rows"][end:]]
    if len(below) > 1:
        # the exact figures are a line of text
        below[-2:] = [below[-2] + below[-1]]
    # filters are chosen above, and hold below
    hidden = without_controls({"variables": {**shared["variables"], **board.get("variables", {})}})
    untitled = {key: value for key, value in board.items() if key != "title"} | hidden
    return [part_of(board, top), *(part_of(untitled, rows) for rows in below)]


def part_of(board: Content, rows: list[Any]) -> Content:
    """Return the board of some rows, with the charts that stand in them and what these ask.

    dbt-charts checks every query of a board each time that it draws it.
    """
    part = {**board, "charts": only(board["charts"], rows), "rows": rows}
    asked = {name: part["queries"][name] for name in named(board["queries"], part)}
    return {**part, "queries": asked}


def named(queries: Content, content: Content) -> list[str]:
    """Return the queries whose names stand in a part of a page, or in a query that it names."""
    found: set[str] = set()
    words = set(WORD.findall(yaml.safe_dump({**content, "queries": {}})))
    while new := (words & queries.keys()) - found:
        found |= new
        words = {word for name in new for word in WORD.findall(yaml.safe_dump(queries[name]))}
    return [name for name in queries if name in found]


def only(charts: Content, rows: list[Any]) -> Content:
    """Return the charts that stand in some rows."""
    return {name: chart for name, chart in charts.items() if name in mentioned(rows)}


def mentioned(row: str | Content | list[Any]) -> set[str]:
    """Return the names of the charts in a row, or in a list of rows."""
    if isinstance(row, str):
        return {row}
    if isinstance(row, dict):
        return mentioned(row.get("cols", row.get("rows", [])))
    return {name for inner in row for name in mentioned(inner)}


def without_controls(content: Content) -> Content:
    """Return a page, or what all pages share, with nothing to choose."""
    hidden = {name: {**v, "visible": False} for name, v in content.get("variables", {}).items()}
    return {**content, "variables": hidden}


def with_empty_state(board: Content) -> Content:
    """Return a page that says so when its filters select no run."""
    said = {
        "visible": {"query": "nothing_selected", "column": "is_empty"},
        "rows": ["nothing_selected"],
    }
    charts = {**board["charts"], "nothing_selected": EMPTY_STATE}
    return {**board, "charts": charts, "rows": [said, *board["rows"]]}


def with_exact_figures(board: Content) -> Content:
    """Return a page that ends with its headline numbers as they are; texts are shown as such."""
    lines = [
        f"{chart['label']}: {{{{ queries.{chart['query']}.one.{chart['value']} }}}}"
        for chart in board["charts"].values()
        if chart["type"] == "kpi" and "value" in chart.get("style", {})
    ]
    exact = {"text": "Exactly: " + " · ".join(lines)}
    return {**board, "rows": [*board["rows"], exact]}


def in_look(board: Content, look: str) -> Content:
    """Return a page as it is drawn in one look."""
    theme, width = look.split("-")
    if theme == "dark":
        board = {**board, "theme": "neon"}
    if width == "phone":
        kpis = {name for name, chart in board["charts"].items() if chart["type"] == "kpi"}
        style = {**board.get("style", {}), "frame": {"width": PHONE_WIDTH, "margin": 8}}
        charts = {name: narrowed(chart) for name, chart in board["charts"].items()}
        board = {
            **board,
            "style": style,
            "charts": charts,
            "rows": stacked(board["rows"], kpis),
        }
    return board


def narrowed(chart: Content) -> Content:
    """Return a chart as a phone shows it.

    Small multiples stand below each other; a table has the columns that its page names first.
    """
    if "columns" in chart.get("multiples", {}):
        multiples = {"rows": chart["multiples"]["columns"]}
        return {**chart, "multiples": multiples, "height": PHONE_MULTIPLES_HEIGHT}
    columns = chart.get("style", {}).get("columns", {})
    shown = [name for name, column in columns.items() if column.get("visible", True)]
    if chart["type"] != "table" or len(shown) <= PHONE_COLUMNS:
        return chart
    hidden = {name: {**columns[name], "visible": False} for name in shown[PHONE_COLUMNS:]}
    return {**chart, "style": {**chart["style"], "columns": {**columns, **hidden}}}


def stacked(rows: list[Any], kpis: set[str]) -> list[Any]:
    """Return rows without columns: all stands below each other, KPIs in pairs."""
    result: list[Any] = []
    for row in rows:
        if not isinstance(row, dict):
            result.append(row)
        elif "cols" in row:
            columns = row["cols"]
            if all(isinstance(name, str) and name in kpis for name in columns):
                pairs = [columns[first : first + 2] for first in range(0, len(columns), 2)]
                result += [{"cols": pair} for pair in pairs]
            else:
                result += stacked(columns, kpis)
        elif "rows" in row:
            inner = {key: value for key, value in row.items() if key != "width"}
            result.append({**inner, "rows": stacked(row["rows"], kpis)})
        else:
            result.append(row)
    return result
