"""Take the pictures of the dashboard that README.md shows, from what is published."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.dashboard.boards import LOOKS, PAGES, RUN_PAGE
from scripts.warehouse import (
    MARTS_SCHEMA,
    PROJECT_DIR,
    connect,
    fail,
    published_path,
    reading,
    require_published,
)

DEFAULT_FOLDER = PROJECT_DIR / "docs/images"
WIDTH = 1280
# What fits beside a text; the rest of a page is cut off.
HEIGHT = 800
DEFAULT_PAGES = ("overview", RUN_PAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Photograph pages of the dashboard of the published marts "
        "(AGENT_ANALYTICS_PUBLISHED_PATH) with Chromium."
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER, help="folder for the pictures")
    parser.add_argument(
        "--pages", nargs="+", default=DEFAULT_PAGES, choices=[*PAGES, RUN_PAGE], help="which pages"
    )
    parser.add_argument("--look", default=LOOKS[0], choices=LOOKS, help="theme and width")
    parser.add_argument("--height", type=int, default=HEIGHT, help="pixels; 0: the whole page")
    options = parser.parse_args(arguments)
    published = published_path()
    require_published(published)
    chromium = shutil.which("chromium")
    if chromium is None:
        fail("no chromium on the PATH; install it, as in apt-get install chromium")
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["AGENT_ANALYTICS_PUBLISHED_PATH"] = str(published.absolute())
    options.out.mkdir(parents=True, exist_ok=True)
    from scripts.dashboard.app import serving

    with tempfile.TemporaryDirectory() as folder, serving(published, Path(folder)) as address:
        for file in photograph(chromium, address, failed_run(published), options):
            print(f"Wrote {file}")
    return 0


def failed_run(published: Path) -> str:
    """Return the run that failed last after several sessions, or any where none did."""
    with connect(published, read_only=True) as connection, reading(published):
        rows = connection.execute(
            f"select cast(run_key as varchar) from {MARTS_SCHEMA}.fct_agent_runs order by "
            "run_status in ('error', 'timeout') and agent_session_count > 3 desc, started_at desc "
            "limit 1"
        ).fetchall()
    return rows[0][0] if rows else ""


def photograph(chromium: str, address: str, run: str, options: argparse.Namespace) -> list[Path]:
    """Take a picture of each page and return the files."""
    from playwright.sync_api import sync_playwright

    theme, width = options.look.split("-")
    files = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH if width == "wide" else 420, "height": options.height or 800},
            color_scheme="dark" if theme == "dark" else "light",
        )
        for name in options.pages:
            page.goto(f"{address}/{name}" + (f"?run={run}" if name == RUN_PAGE else ""))
            # in another look than the first the page loads once more
            page.wait_for_function(
                f"document.body.innerHTML.includes('\"{options.look}\"') || "
                f"document.head.innerHTML.includes('\"{options.look}\"')"
            )
            page.wait_for_function("document.fonts.ready.then(() => true)")
            files.append(options.out / f"dashboard_{name}.png")
            page.screenshot(path=files[-1], full_page=not options.height)
        browser.close()
    return files


if __name__ == "__main__":
    raise SystemExit(main())
