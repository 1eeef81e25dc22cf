"""The server of the dashboard: dbt-charts' own, with the frame around its pages.

It answers with pages of the project and nothing else: not with the YAML, not with dbt-charts'
browser of all tables, and to no other method than GET.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from pathlib import Path

from dbt_charts.cli.filesystem_project import FilesystemProject
from dbt_charts.core.serve.server import create_server
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount

from scripts.dashboard.boards import LOOKS, PAGES, RUN_PAGE, write_looks
from scripts.dashboard.page import framed, message

# Nothing comes from elsewhere, whatever a name in the data may hold.
CONTENT_POLICY = (
    "default-src 'self' data:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
)
NOT_PUBLISHED = (
    "Nothing was published yet",
    "Run <code>make build</code>, which ends with publishing the marts, and load this page again.",
)


def create_app(published: Path, folder: Path) -> Starlette:
    """Return the application that shows the file `published`; `folder` takes its pages."""
    write_looks(folder)
    inner = create_server(FilesystemProject(folder), no_cache=True)

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
        if not published.exists():
            return answer(message(*NOT_PUBLISHED, look), 503)
        request.scope["path"] = f"/{look}/{page}/"
        request.scope["raw_path"] = request.scope["path"].encode()
        response = await call_next(request)
        chunks = [chunk async for chunk in response.body_iterator]  # type: ignore[attr-defined]
        text = b"".join(chunks).decode()
        return answer(framed(text, page, look), response.status_code)

    return Starlette(
        routes=[Mount("/", app=inner)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=frame)],
        lifespan=inner.router.lifespan_context and (lambda _: inner.router.lifespan_context(inner)),
    )


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
