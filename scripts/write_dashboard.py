"""Write the dashboard as a folder of pages that open without a network and without a server."""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.dashboard.boards import LOOKS, PAGES, RUN_PAGE, write_looks
from scripts.dashboard.page import framed
from scripts.warehouse import (
    MARTS_SCHEMA,
    PROJECT_DIR,
    connect,
    fail,
    one_line,
    published_path,
    reading,
    require_published,
)

if TYPE_CHECKING:
    from dbt_charts.cli.filesystem_project import FilesystemProject
    from dbt_charts.core.execute.adapters import AdapterRegistry

DEFAULT_FOLDER = PROJECT_DIR / "target/dashboard_static"
# Written beside the pages, so that only a folder made by this script is ever emptied.
MARK = ".written_by_write_dashboard"
# What people look for first; every run takes a second and a megabyte in each look.
RUNS_SHOWN = """
    select cast(run_key as varchar)
    from {schema}.fct_agent_runs
    order by run_status in ('error', 'timeout') desc, started_at desc
    limit ?
"""
LINK = re.compile(r'(?P<attribute>(?:xlink:)?href)="(?P<target>/[^"]*)"')
RUN_LINK = re.compile(r"/run\?run=([0-9a-f-]{36})$")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Write the dashboard of the published marts (AGENT_ANALYTICS_PUBLISHED_PATH) "
        "as files: every page without filters, and the runs that failed last."
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER, help="folder to write")
    parser.add_argument("--runs", type=int, default=10, help="number of runs (default: 10)")
    parser.add_argument(
        "--looks", nargs="+", choices=LOOKS, default=list(LOOKS), help="default: all of them"
    )
    options = parser.parse_args(arguments)
    published = published_path()
    require_published(published)
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["AGENT_ANALYTICS_PUBLISHED_PATH"] = str(published.absolute())
    count = write_pages(published, options.out, options.runs, options.looks)
    print(f"Wrote {count} pages; open {options.out / 'index.html'}")
    return 0


def write_pages(published: Path, out: Path, run_count: int, looks: Sequence[str]) -> int:
    """Write all pages of some looks to `out`, which is emptied before; returns their number."""
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        fail(f"{out} holds something else; choose another folder with --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).touch()
    with connect(published, read_only=True) as connection, reading(published):
        rows = connection.execute(RUNS_SHOWN.format(schema=MARTS_SCHEMA), [run_count]).fetchall()
    runs = {key for (key,) in rows}
    pages: list[tuple[str, str, dict[str, str]]] = [(page, page, {}) for page in PAGES]
    pages += [(f"run-{key}", RUN_PAGE, {"run": key}) for key in sorted(runs)]
    with tempfile.TemporaryDirectory() as folder:
        write_looks(Path(folder), with_filters=False)
        project, registry = opened(Path(folder))
        for look in looks:
            (out / look).mkdir()
            for name, page, variables in pages:
                text = rendered(project, registry, look, page, variables)
                text = framed(text, page, look, is_static=True)
                text = LINK.sub(lambda link: static_link(link, runs), text)
                text = text.replace("/static/fonts/", "../fonts/")
                (out / look / f"{name}.html").write_text(text, encoding="utf-8")
        registry.close()
    copy_fonts(out)
    first = f"{looks[0]}/{next(iter(PAGES))}.html"
    (out / "index.html").write_text(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>agent-analytics</title>'
        f'<meta http-equiv="refresh" content="0; url={first}"></head>'
        f'<body><a href="{first}">agent-analytics</a></body></html>\n',
        encoding="utf-8",
    )
    return len(pages) * len(looks)


def copy_fonts(out: Path) -> None:
    """Copy the fonts that the pages name, once for all of them."""
    from dbt_charts.core.fonts import get_fonts_dir

    texts = "".join(page.read_text(encoding="utf-8") for page in out.glob("*/*.html"))
    (out / "fonts").mkdir()
    for name in sorted(set(re.findall(r"[.][.]/fonts/([\w.-]+)", texts))):
        shutil.copyfile(get_fonts_dir() / name, out / "fonts" / name)


def opened(folder: Path) -> tuple[FilesystemProject, AdapterRegistry]:
    """Return the dbt-charts project in a folder and what runs its queries."""
    from dbt_charts.cli.filesystem_project import FilesystemProject
    from dbt_charts.core.execute.adapters import build_adapter_registry

    project = FilesystemProject(folder)
    return project, build_adapter_registry(project, read_only=True, profile_type="duckdb")


def rendered(
    project: FilesystemProject,
    registry: AdapterRegistry,
    look: str,
    page: str,
    variables: dict[str, Any],
) -> str:
    """Return one page as HTML; exits with one clear line when it cannot be drawn."""
    from dbt_charts.core.board import render_dashboard

    board = project.path(f"charts/{look}/{page}.yml").read_board()
    result = render_dashboard(
        board=board,
        variables=variables,
        project=project,
        adapter_registry=registry,
        format="html",
        result_cache=None,
    )
    if result.status != "ok":
        errors = [result.board_error, *result.validation_errors, *result.chart_errors]
        reasons = "; ".join(one_line(Exception(e.message)) for e in errors if e is not None)
        fail(f"the page {page} cannot be drawn: {reasons}", 1)
    data = result.data
    return data.decode("utf-8") if isinstance(data, bytes) else str(data)


def static_link(link: re.Match[str], runs: set[str]) -> str:
    """Return the attribute of a link as it works without a server, or nothing."""
    target = html.unescape(link["target"])
    run = RUN_LINK.search(target)
    page = target.strip("/").split("?")[0]
    if run and run[1] in runs:
        return f'{link["attribute"]}="run-{run[1]}.html"'
    if not run and page in PAGES:
        return f'{link["attribute"]}="{page}.html"'
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
