"""What stands around every page: the navigation, the choice of the look, and messages."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from pathlib import Path

from scripts.dashboard.boards import PAGES, filters

FOLDER = Path(__file__).resolve().parent
# What stands where the charts will; page.css takes it away when something follows.
DRAWING = '<p class="aa-drawing" role="status">Drawing\u2026</p>'
END = "</main></body></html>\n"
STYLES = re.compile(r"<style[^>]*>.*?</style>", re.S)
SCRIPTS = re.compile(r"<script[^>]*>.*?</script>", re.S)
# What the script of dbt-charts calls itself that shows values where the pointer rests.
HOVER_SCRIPT = "dbtChartHover"
BODY = re.compile(r"<body[^>]*>(.*)</body>", re.S)
SURROGATES = re.compile(r"[\ud800-\udfff]")


def framed(text: str, page: str, look: str, *, is_static: bool = False) -> str:
    """Return a rendered page with the navigation above it."""
    return opening(page, look, is_static=is_static) + content(text) + END


def opening(page: str, look: str, *, is_static: bool = False) -> str:
    """Return what is above the charts of a page, which needs none of the data."""
    title = html.escape(PAGES.get(page, "Run"))
    return started(title, page, look, is_static=is_static) + (
        f'<main><h1 class="aa-hidden">{title}</h1>'
    )


def content(text: str, *, is_first: bool = True) -> str:
    """Return what dbt-charts has drawn, as it stands below the frame.

    The first part of a page brings the styles and the script for all of them.
    """
    text = SURROGATES.sub("", text)
    [body] = BODY.findall(text)
    if is_first:
        return "".join(STYLES.findall(text[: text.index("</head>")])) + body
    return SCRIPTS.sub(lambda script: "" if HOVER_SCRIPT in script[0] else script[0], body)


def message(title: str, text: str, look: str) -> str:
    """Return a page that says one thing, such as what to do before there is anything to see."""
    beginning = started(html.escape(title), "", look, is_static=False)
    return f"{beginning}<main>{notice(title, text)}{END}"


def notice(title: str, text: str) -> str:
    """Return what stands in place of charts, such as why there are none."""
    return f"<div class='aa-message'><h1>{html.escape(title)}</h1><p>{text}</p></div>"


def started(title: str, page: str, look: str, *, is_static: bool) -> str:
    """Return the beginning of every document, to the end of the navigation."""
    theme = look.split("-", maxsplit=1)[0]
    return (
        f'<!DOCTYPE html><html lang="en" class="aa-{theme}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>{head(look, is_static=is_static)}</head><body>"
        f"{navigation(page, is_static=is_static)}<script>{asset('page.js')}</script>"
    )


def head(look: str, *, is_static: bool) -> str:
    """Return the style of the frame and what its script is told."""
    page = {"look": look, "filters": filters(), "isStatic": is_static}
    # `<` is escaped, so that no value ends the script
    settings = json.dumps(page).replace("<", "\\u003c")
    return (
        f'<link rel="icon" href="data:,"><style>{asset("page.css")}</style>'
        f'<script type="application/json" id="aa-page">{settings}</script>'
    )


@cache
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
