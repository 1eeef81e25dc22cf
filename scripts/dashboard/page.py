"""What stands around every page: the navigation, the choice of the look, and messages."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from scripts.dashboard.boards import PAGES, filters

FOLDER = Path(__file__).resolve().parent
# Of dbt-charts: reloads pages while their YAML is edited, and holds a connection per reader.
LIVE_RELOAD = re.compile(
    r"<script>(?:(?!</script>).)*__livereload(?:(?!</script>).)*</script>", re.S
)


def framed(text: str, page: str, look: str, *, is_static: bool = False) -> str:
    """Return a rendered page with the navigation above it."""
    text = LIVE_RELOAD.sub("", text)
    theme = look.split("-", maxsplit=1)[0]
    text = text.replace("<html>", f'<html lang="en" class="aa-{theme}">', 1)
    text = text.replace("</head>", head(look, is_static=is_static) + "</head>", 1)
    return re.sub(
        r"<body[^>]*>",
        lambda found: (
            found[0]
            + navigation(page, is_static=is_static)
            + f'<main><h1 class="aa-hidden">{html.escape(PAGES.get(page, "Run"))}</h1>'
        ),
        text,
        count=1,
    ).replace("</body>", "</main></body>", 1)


def message(title: str, text: str, look: str) -> str:
    """Return a page that says one thing, such as what to do before there is anything to see."""
    theme = look.split("-", maxsplit=1)[0]
    return (
        f'<!DOCTYPE html><html lang="en" class="aa-{theme}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title>{head(look, is_static=False)}</head><body>"
        f"{navigation('', is_static=False)}<main class='aa-message'><h1>{html.escape(title)}</h1>"
        f"<p>{text}</p></main></body></html>"
    )


def head(look: str, *, is_static: bool) -> str:
    """Return style and script of the frame."""
    page = {"look": look, "filters": filters(), "isStatic": is_static}
    # `<` is escaped, so that no value ends the script
    settings = json.dumps(page).replace("<", "\\u003c")
    return (
        f'<link rel="icon" href="data:,"><style>{asset("page.css")}</style>'
        f'<script type="application/json" id="aa-page">{settings}</script>'
        f"<script>{asset('page.js')}</script>"
    )


def asset(name: str) -> str:
    """Return the text of a file that is put into every page."""
    return (FOLDER / name).read_text(encoding="utf-8")


def navigation(current: str, *, is_static: bool) -> str:
    """Return the bar with a link to every page."""
    here = ' aria-current="page"'
    links = "".join(
        f'<a href="{address(page, is_static=is_static)}"{here if page == current else ""}>'
        f"{html.escape(title)}</a>"
        for page, title in PAGES.items()
    )
    if is_static:
        clear = "<span>a copy without filters</span>"
    else:
        clear = f'<a data-aa-plain href="/{html.escape(current)}">Clear filters</a>'
    return (
        f'<nav class="aa-bar" aria-label="Pages"><strong>agent-analytics</strong>{links}'
        f'<span class="aa-end">{clear}<button id="aa-theme" type="button">Light or dark</button>'
        "</span></nav>"
    )


def address(page: str, *, is_static: bool) -> str:
    """Return the address of a page, as links of the frame have it."""
    return f"{page}.html" if is_static else f"/{page}"
