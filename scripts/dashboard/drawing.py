"""Drawing pages with dbt-charts: what is the same for every reader is done once."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

from dbt_charts.agent_api import (
    BoardFile,
    CompileResult,
    RenderedSvgCache,
    render_dashboard,
    warm_process,
)
from dbt_charts.cli.filesystem_project import FilesystemProject
from dbt_charts.core.compile import compile_file
from dbt_charts.core.execute.adapters import build_adapter_registry
from dbt_charts.core.render.svg_cache import MemorySvgStore, svg_cache_scope

from scripts.dashboard.boards import is_first

LOGGER = logging.getLogger(__name__)
# What is drawn ahead gives way to everything else on the machine.
LOWEST_PRIORITY = 19


class PageError(Exception):
    """A page that cannot be drawn, with the reasons."""


class Pages:
    """The pages of a folder that `write_looks` has filled, on the file that is configured there.

    Reading and checking the YAML of a page takes a fifth of drawing it and does not depend on a
    filter, so it is done once; the result names the file, so that each publication has its own.
    A chart that comes out as before is not drawn again.
    """

    def __init__(self, folder: Path) -> None:
        self.project = FilesystemProject(folder)
        self.sources = build_adapter_registry(
            # reads the configuration, which another publication may replace before a page is read
            self.project,
            read_only=True,
            profile_type="duckdb",
        )
        self.pictures = MemorySvgStore()
        self.compiled: dict[tuple[str, str], tuple[BoardFile, CompileResult]] = {}
        self.compiling = threading.Lock()

    def prepare(self, look: str, part: str) -> tuple[BoardFile, CompileResult]:
        """Return a part of a page as read and checked, and the same again without waiting."""
        with self.compiling:
            if (look, part) not in self.compiled:
                board = self.project.path(f"charts/{look}/{part}.yml").read_board()
                self.compiled[look, part] = (board, compile_file(board))
            return self.compiled[look, part]

    def close(self) -> None:
        """Let go of the file."""
        self.sources.close()

    def draw(self, look: str, part: str, variables: dict[str, str]) -> str:
        """Return a part of a page as the HTML document of dbt-charts."""
        board, compiled = self.prepare(look, part)
        pictures = RenderedSvgCache(loader=self.pictures.load)
        with svg_cache_scope(pictures):
            result = render_dashboard(
                board=board,
                variables=variables,
                project=self.project,
                adapter_registry=self.sources,
                format="html",
                result_cache=None,
                compile_result=compiled,
                # one script serves all parts of a page
                controls=is_first(part),
            )
        self.pictures.save(pictures.minted)
        errors = [result.board_error, *result.validation_errors, *result.chart_errors]
        reasons = "; ".join(str(error.message) for error in errors if error is not None)
        if not result.data:
            raise PageError(reasons)
        if reasons:
            LOGGER.error("%s lacks a chart: %s", part, reasons)
        return result.data.decode() if isinstance(result.data, bytes) else str(result.data)


class _Ahead:
    """What the process that draws ahead keeps from one page to the next."""

    pages: Pages


def start_ahead(folder: Path) -> None:
    """Begin a process that draws ahead; the server ends it, not Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(LOWEST_PRIORITY)
    warm_process()
    _Ahead.pages = Pages(folder)


def draw_ahead(look: str, part: str) -> str:
    """Return a part of a page without filters, in the process that `start_ahead` has begun."""
    return _Ahead.pages.draw(look, part, {})
