"""Where the DuckDB files lie and how every script opens them.

One module, so that the loader, the quality checkpoint, the publisher and the summary agree on
paths, storage version and error wording.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import duckdb

PROJECT_DIR = Path(__file__).resolve().parent.parent
DEFAULT_WAREHOUSE = "warehouse/agent_analytics.duckdb"
DEFAULT_PUBLISHED = "warehouse/published.duckdb"
RAW_SCHEMA = "rudderstack"
TARGET_SCHEMA = "analytics"
SEEDS_SCHEMA = f"{TARGET_SCHEMA}_seeds"
STATE_SCHEMA = f"{TARGET_SCHEMA}_intermediate"
MARTS_SCHEMA = f"{TARGET_SCHEMA}_marts"
AUDIT_SCHEMA = f"{TARGET_SCHEMA}_audit"
# Of DuckDB; as in profiles.yml, so that what is timed has what a build has.
DEFAULT_MEMORY_LIMIT = "2200MB"

# Oldest storage format that DuckDB 1.0 drivers read, so that BI tools with older drivers open
# the published file. profiles.yml sets the same value.
STORAGE_VERSION = "v1.0.0"


def warehouse_path() -> Path:
    """Return the DuckDB file that is built in (`AGENT_ANALYTICS_DUCKDB_PATH` or the default)."""
    return _path_from("AGENT_ANALYTICS_DUCKDB_PATH", DEFAULT_WAREHOUSE)


def published_path() -> Path:
    """Return the DuckDB file BI tools open (`AGENT_ANALYTICS_PUBLISHED_PATH` or the default)."""
    return _path_from("AGENT_ANALYTICS_PUBLISHED_PATH", DEFAULT_PUBLISHED)


def require_published(published: Path) -> None:
    """Exit with one clear line when nothing was published yet."""
    if not published.exists():
        fail(f"nothing was published at {published} yet: run `make build` first")


def _path_from(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else PROJECT_DIR / default


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file with the project's storage version and UTC as session time zone.

    Creates missing parent folders when the file may be written. Exits with one clear line when
    the file is missing (read-only), locked by another process (which the line names), damaged, not
    a DuckDB file, or where no file can be.
    """
    if "?" in str(path):
        fail(f"{path} has a `?`, after which DuckDB reads options and no name; choose another path")
    if read_only and not path.exists():
        fail(f"no warehouse at {path}: run `make build` first, or set AGENT_ANALYTICS_DUCKDB_PATH")
    if not read_only:
        make_folder(path.parent)
    config: dict[str, str | bool | int | float | list[str]] = {
        "storage_compatibility_version": STORAGE_VERSION
    }
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        if "Could not set lock on file" in str(error):
            fail(
                f"{path} is locked by {_holder(str(error))}; "
                "wait until it has ended, or end it, and try again"
            )
        fail(f"{path} cannot be opened as a DuckDB file: {one_line(error)}")
    connection.execute("set TimeZone = 'UTC'")
    return connection


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an error of DuckDB that comes up while `path` is read into one clear line."""
    try:
        yield
    except duckdb.Error as error:
        fail(f"{path} cannot be read: {one_line(error)}; restore it, or remove it and build anew")


def make_folder(folder: Path) -> None:
    """Create a folder and those above it; exits with one clear line where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{folder} cannot be created as a folder: {error.strerror}; choose another path")


def one_line(error: BaseException) -> str:
    """Return the message of an error without its line breaks."""
    return " ".join(str(error).split())


def _holder(message: str) -> str:
    """Return the process that DuckDB says holds the lock: its id and how it was started."""
    held = re.search(r"lock is held in (.*) \(PID ([0-9]+)\)", message)
    if held is None:
        return f"another process ({' '.join(message.split())})"
    program, process = held.groups()
    try:
        listed = subprocess.run(
            ["ps", "-ww", "-p", process, "-o", "args="], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        listed = ""
    return f"process {process} ({' '.join(listed.split()) or program})"


def quote_identifier(name: str) -> str:
    """Return `name` as a quoted SQL identifier, so that no name is ever run as SQL."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return `text` as a quoted SQL string literal, so that no text is ever run as SQL."""
    return "'" + text.replace("'", "''") + "'"


def fail(message: str, code: int = 2) -> NoReturn:
    """Print one line `error: …` to standard error and exit with `code`."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(code)
