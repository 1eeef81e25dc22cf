"""The server of the dashboard: dbt-charts' own, with the frame around its pages.

It answers with pages of the project and nothing else: not with the YAML, not with dbt-charts'
browser of all tables, and to no other method than GET.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path

import duckdb
import uvicorn
from dbt_charts.cli.filesystem_project import FilesystemProject
from dbt_charts.core.serve.server import create_server
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount

from scripts.dashboard.boards import LOOKS, PAGES, RUN_PAGE, write_configuration, write_looks
from scripts.dashboard.page import framed, message

# Nothing comes from elsewhere, whatever a name in the data may hold.
CONTENT_POLICY = (
    "default-src 'self' data:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
)
# Pages that are kept as drawn until the next publication, some 40 MB.
PAGES_KEPT = 100
LONGEST_PAGE_S = 300
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
        # names that pages being drawn may still read, with when they were replaced
        self.replaced: dict[Path, float] = {}

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
        self.replaced.pop(data, None)
        if self.version:
            self.replaced[self.folder / f"data-{self.version}.duckdb"] = now
        for old in [old for old, since in self.replaced.items() if now - since > LONGEST_PAGE_S]:
            old.unlink(missing_ok=True)
            del self.replaced[old]
        self.version = version
        return version


def create_app(published: Path, folder: Path) -> Starlette:
    """Return the application that shows the file `published`; `folder` takes its pages."""
    write_looks(folder)
    publication = Publication(published, folder)
    inner = create_server(FilesystemProject(folder), no_cache=True)
    drawn: OrderedDict[tuple[str, ...], str] = OrderedDict()

    async def frame(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Let dbt-charts draw the page in the reader's look, and put the frame around it."""
        look = look_of(request)
        page = request.url.path.strip("/")
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("only GET", status_code=405)
        if page == "health" or page.startswith("static/fonts/"):
            return await call_next(request)
        if not page:
            return RedirectResponse(f"/{next(iter(PAGES))}?{request.url.query}".rstrip("?"))
        if page not in (*PAGES, RUN_PAGE):
            return answer(message("There is no such page", "The pages stand above.", look), 404)
        try:
            version = publication.follow()
        except (OSError, duckdb.Error):
            return answer(message(*NOT_PUBLISHED, look), 503)
        key = (look, page, request.url.query, version)
        if key in drawn:
            drawn.move_to_end(key)
            return answer(drawn[key], 200)
        request.scope["path"] = f"/{look}/{page}/"
        request.scope["raw_path"] = request.scope["path"].encode()
        response = await call_next(request)
        chunks = [chunk async for chunk in response.body_iterator]  # type: ignore[attr-defined]
        text = framed(b"".join(chunks).decode(), page, look)
        # what was drawn while another file took the place may be of either
        if response.status_code == 200 and version == publication.version:
            drawn[key] = text
            if len(drawn) > PAGES_KEPT:
                drawn.popitem(last=False)
        return answer(text, response.status_code)

    return Starlette(
        routes=[Mount("/", app=inner)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=frame)],
        lifespan=lambda _: inner.router.lifespan_context(inner),
    )


@contextmanager
def serving(published: Path, folder: Path) -> Iterator[str]:
    """Serve the file `published` on a free port of this machine; yields the address."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(published, folder), port=0, log_level="error")
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
    headers = {
        "content-security-policy": CONTENT_POLICY,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(re.sub(r"[\ud800-\udfff]", "", text), status, headers)
