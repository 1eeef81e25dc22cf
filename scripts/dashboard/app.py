"""The server of the dashboard: pages that dbt-charts draws, with the frame around them.

It answers with pages of the project and nothing else: not with the YAML, not with dbt-charts'
browser of all tables, and to no other method than GET.
"""

from __future__ import annotations

import asyncio
import html
import logging
import multiprocessing
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from http.cookies import SimpleCookie
from pathlib import Path

import duckdb
import uvicorn
from dbt_charts.agent_api import get_fonts_dir, warm_process
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from scripts.dashboard.boards import (
    LOOKS,
    PAGES,
    RUN_PAGE,
    is_first,
    parts,
    write_configuration,
    write_looks,
)
from scripts.dashboard.drawing import PageError, Pages, draw_ahead, start_ahead
from scripts.dashboard.page import DRAWING, END, content, message, notice, opening

LOGGER = logging.getLogger(__name__)
# Nothing comes from elsewhere, whatever a name in the data may hold.
CONTENT_POLICY = (
    "default-src 'self' data:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # a proxy passes the frame on before the charts come
    "x-accel-buffering": "no",
}
# Parts of pages that are kept as drawn until the next publication, some 80 MB.
PARTS_KEPT = 500
LONGEST_PAGE_S = 300
LOOKED_FOR_NEWS_EVERY_S = 5
# look, part of a page, query of the address, publication
Key = tuple[str, str, str, str]
NOT_PUBLISHED = (
    "Nothing was published yet",
    "Run <code>make build</code>, which ends with publishing the marts, and load this page again.",
)


class Publication:
    """The published file as it is now, under a name of its own.

    DuckDB shares what it has read of a path, also with a connection that is opened after another
    file has taken that name. So every publication gets another path; a page never shows numbers of
    two of them. One connection stays open, so that blocks that were read stay in memory.
    """

    def __init__(self, published: Path, folder: Path) -> None:
        self.published = published
        self.folder = folder
        self.version = ""
        self.connection: duckdb.DuckDBPyConnection | None = None
        self.pages: Pages
        # what pages being drawn may still read, with when it was replaced
        self.replaced: dict[Path, tuple[float, Pages]] = {}

    def follow(self) -> str:
        """Point the project at the newest publication and return what tells it from others."""
        state = self.published.stat()
        version = f"{state.st_ino}-{state.st_mtime_ns}"
        if version == self.version:
            return version
        data = self.folder / f"data-{version}.duckdb"
        data.unlink(missing_ok=True)
        try:
            data.hardlink_to(self.published)
        except OSError:  # another disk
            shutil.copyfile(self.published, data)
        write_configuration(self.folder, data)
        if self.connection is not None:
            self.connection.close()
        # with the settings of dbt-charts, or it could not open the file beside this connection
        self.connection = duckdb.connect(
            str(data), read_only=True, config={"enable_external_access": False}
        )
        now = time.monotonic()
        if data in self.replaced:
            self.replaced.pop(data)[1].close()
        if self.version:
            replaced = self.folder / f"data-{self.version}.duckdb"
            self.replaced[replaced] = (now, self.pages)
        for old, (since, pages) in list(self.replaced.items()):
            if now - since > LONGEST_PAGE_S:
                pages.close()
                old.unlink(missing_ok=True)
                del self.replaced[old]
        self.pages = Pages(self.folder)
        self.version = version
        return version


class Dashboard:
    """The pages of one published file: those drawn, those being drawn, those drawn ahead."""

    def __init__(self, published: Path, folder: Path) -> None:
        write_looks(folder)
        self.folder = folder
        self.publication = Publication(published, folder)
        self.drawn: OrderedDict[Key, str] = OrderedDict()
        self.drawing: dict[Key, asyncio.Task[str]] = {}
        # the looks that readers have asked for, and what was drawn ahead for them
        self.looks = [LOOKS[0]]
        self.ahead: set[Key] = set()

    async def respond(self, request: Request) -> Response:
        """Answer with a page: at once as it was drawn before, else with its frame first."""
        look = look_of(request)
        page = request.url.path.strip("/")
        query = request.url.query
        if not page:
            return RedirectResponse(f"/{next(iter(PAGES))}?{query}".rstrip("?"))
        if page not in (*PAGES, RUN_PAGE):
            return answer(message("There is no such page", "The pages stand above.", look), 404)
        try:
            version = self.publication.follow()
        except (OSError, duckdb.Error):
            return answer(message(*NOT_PUBLISHED, look), 503)
        if request.method == "HEAD":
            return answer("", 200)
        if look not in self.looks:
            self.looks.append(look)
        keys = [(look, part, query, version) for part in parts(page)]
        if all(key in self.drawn for key in keys):
            for key in keys:
                self.drawn.move_to_end(key)
            return answer(opening(page, look) + "".join(self.drawn[k] for k in keys) + END, 200)
        pages = self.publication.pages
        variables = dict(request.query_params)

        async def chunks() -> AsyncIterator[str]:
            yield opening(page, look) + DRAWING
            for key in keys:
                # a reader who leaves does not take the page from others who wait for it
                try:
                    text = await asyncio.shield(self.drawn_soon(key, pages, variables))
                except PageError as error:
                    # the head of the answer is sent already, so the page itself has to say it
                    yield notice("This page cannot be drawn", html.escape(str(error))) + END
                    return
                yield text + (END if key == keys[-1] else DRAWING)

        return StreamingResponse(chunks(), 200, HEADERS, "text/html")

    def drawn_soon(self, key: Key, pages: Pages, variables: dict[str, str]) -> asyncio.Task[str]:
        """Return the one task that draws a part of a page, however many wait for it."""
        if key not in self.drawing:
            self.drawing[key] = asyncio.create_task(self.draw(key, pages, variables))
        return self.drawing[key]

    async def draw(self, key: Key, pages: Pages, variables: dict[str, str]) -> str:
        """Draw a part of a page beside the answers to others, and keep it."""
        look, part, *_ = key
        try:
            if key in self.drawn:
                return self.drawn[key]
            drawn = await asyncio.to_thread(pages.draw, look, part, variables)
            text = content(drawn, is_first=is_first(part))
        except PageError as error:
            LOGGER.error("%s cannot be drawn: %r", part, str(error))
            raise
        except Exception as error:
            LOGGER.exception("%s cannot be drawn", part)
            raise PageError("The log of the server says why.") from error
        finally:
            del self.drawing[key]
        self.keep(key, text)
        return text

    def keep(self, key: Key, text: str) -> None:
        """Keep a part as drawn, and forget the one that was not asked for longest."""
        self.drawn[key] = text
        if len(self.drawn) > PARTS_KEPT:
            self.drawn.popitem(last=False)

    async def keep_ahead(self) -> None:
        """Draw pages without filters before anybody asks, at the start and after a publication.

        The first one is drawn here, which also starts what draws the filtered ones. The others come
        from a process of the lowest priority, which takes no time from readers.
        """
        first = True
        while True:
            with suppress(OSError, duckdb.Error, PageError):
                version = self.publication.follow()
                if first:
                    await asyncio.to_thread(warm_process)
                    for part in parts(next(iter(PAGES))):
                        key = (LOOKS[0], part, "", version)
                        await self.drawn_soon(key, self.publication.pages, {})
                    first = False
                await self.draw_all_ahead(version)
            await asyncio.sleep(LOOKED_FOR_NEWS_EVERY_S)

    async def draw_all_ahead(self, version: str) -> None:
        """Draw what is not drawn of a publication yet, in every look that somebody uses."""
        wanted = [
            (look, part, "", version)
            for look in self.looks
            for page in PAGES
            for part in parts(page)
        ]
        missing = [key for key in wanted if key not in self.drawn and key not in self.ahead]
        if not missing:
            return
        with ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), start_ahead, (self.folder,)
        ) as process:
            for key in missing:
                look, part, *_ = key
                while self.drawing:
                    await asyncio.sleep(0.1)
                await asyncio.to_thread(self.publication.pages.prepare, look, part)
                work = process.submit(draw_ahead, look, part)
                try:
                    text = content(await asyncio.wrap_future(work), is_first=is_first(part))
                except Exception:
                    LOGGER.exception("%s cannot be drawn ahead", part)
                    continue
                finally:
                    self.ahead.add(key)
                if version != self.publication.follow():
                    return
                self.keep(key, text)


def create_app(published: Path, folder: Path, *, ahead: bool = True) -> Starlette:
    """Return the application that shows the file `published`; `folder` takes its pages."""
    dashboard = Dashboard(published, folder)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(dashboard.keep_ahead()) if ahead else None
        yield
        if work:
            work.cancel()

    return Starlette(
        routes=[
            Route("/health", lambda _: PlainTextResponse("ok")),
            Mount("/static/fonts", StaticFiles(directory=get_fonts_dir())),
            Route("/{path:path}", dashboard.respond),
        ],
        lifespan=lifespan,
    )


@contextmanager
def serving(published: Path, folder: Path, *, ahead: bool = False) -> Iterator[str]:
    """Serve the file `published` on a free port of this machine; yields the address."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(published, folder, ahead=ahead), port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def look_of(request: Request) -> str:
    """Return the look that the reader's browser asks for, light and wide at first."""
    cookie = SimpleCookie(request.headers.get("cookie", "")).get("aa-look")
    return cookie.value if cookie and cookie.value in LOOKS else LOOKS[0]


def answer(text: str, status: int) -> Response:
    """Return a page with headers that keep it from being cached and from calling elsewhere."""
    return HTMLResponse(text, status, HEADERS)
