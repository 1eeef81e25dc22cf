"""Serve the dashboard of the published marts, on this machine only unless told otherwise."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.warehouse import PROJECT_DIR, published_path, require_published

DEFAULT_PORT = 8501
WORK_FOLDER = PROJECT_DIR / "target/dashboard"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Serve the dashboard of the published marts (AGENT_ANALYTICS_PUBLISHED_PATH). "
        "A new publication shows with the next click."
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"default: {DEFAULT_PORT}")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine only); there is no login",
    )
    parser.add_argument("--folder", type=Path, default=WORK_FOLDER, help="where pages are prepared")
    options = parser.parse_args(arguments)
    require_published(published_path())
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["AGENT_ANALYTICS_PUBLISHED_PATH"] = str(published_path().absolute())

    import uvicorn

    from scripts.dashboard.app import create_app

    app = create_app(published_path(), options.folder)
    print(f"dashboard at http://{options.host}:{options.port}, Ctrl-C ends it", flush=True)
    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
