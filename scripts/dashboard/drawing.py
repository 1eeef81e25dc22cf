"""Drawing pages with dbt-charts: what is the same for every reader is done once."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

from dbt_charts.agent_api import RenderedSvgCache, render_dashboard, warm_process
from dbt_charts.cli.filesystem_project import FilesystemProject
from dbt_charts.core.compile import compile_file
from dbt_charts.core.execute.adapters import AdapterRegistry, build_adapter_registry
from dbt_charts.core.render.svg_cache import MemorySvgStore, svg_cache_scope

LOGGER = logging.getLogger(__name__)
# What is drawn ahead gives way to everything else on the machine.
LOWEST_PRIORITY = 19


class PageError(Exception):
    """A page that cannot be drawn, with the reasons."""


def sources_of(folder: Path) -> AdapterRegistry:
    """Return what runs queries on the file that the configuration in `folder` names now."""
    return build_adapter_registry(FilesystemProject(folder), read_only=True, profile_type="duckdb")


class Pages:
    """The pages of a folder that `write_looks` has filled.

    Reading and checking the YAML of a page takes a fifth of drawing it and depends neither on the
    data nor on a filter, so it is done once. A chart that comes out as before is not drawn again.
    """

    def __init__(self, folder: Path) -> None:
        self.project = FilesystemProject(folder)
        self.pictures = MemorySvgStore()
        self.compiled: dict[tuple[str, str], tuple] = {}
        self.compiling = threading.Lock()

    def prepare(self, look: str, page: str) -> tuple:
        """Return a page as read and checked, and the same again without waiting."""
        with self.compiling:
            if (look, page) not in self.compiled:
                board = self.project.path(f"charts/{look}/{page}.yml").read_board()
                self.compiled[look, page] = (board, compile_file(board))
            return self.compiled[look, page]

    def draw(
        self, sources: AdapterRegistry, look: str, page: str, variables: dict[str, str]
    ) -> str:
        """Return a page as the HTML document of dbt-charts."""
        board, compiled = self.prepare(look, page)
        pictures = RenderedSvgCache(loader=self.pictures.load)
        with svg_cache_scope(pictures):
            result = render_dashboard(
                board=board,
                variables=variables,
                project=self.project,
                adapter_registry=sources,
                format="html",
                result_cache=None,
                compile_result=compiled,
                controls=True,
            )
        self.pictures.save(pictures.minted)
        errors = [result.board_error, *result.validation_errors, *result.chart_errors]
        reasons = "; ".join(str(error.message) for error in errors if error is not None)
        if not result.data:
            raise PageError(reasons)
        if reasons:
            LOGGER.error("the page %s lacks a chart: %s", page, reasons)
        return result.data.decode() if isinstance(result.data, bytes) else str(result.data)


class _Ahead:
    """What the process that draws ahead keeps from one page to the next."""

    pages: Pages
    sources: AdapterRegistry


def start_ahead(folder: Path) -> None:
    """Begin a process that draws ahead; the server ends it, not Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(LOWEST_PRIORITY)
    warm_process()
    _Ahead.pages = Pages(folder)
    _Ahead.sources = sources_of(folder)


def draw_ahead(look: str, page: str) -> str:
    """Return a page without filters, in the process that `start_ahead` has begun."""
    return _Ahead.pages.draw(_Ahead.sources, look, page, {})
