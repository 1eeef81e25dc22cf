"""Runs dbt on this project against an engine or a DuckDB file, and keeps what it said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.ci.engines.base import Engine
from scripts.warehouse import PROJECT_DIR

DUCKDB = "duckdb"
TAIL_LINES = 60
# Lines of dbt about nodes that succeeded, or were left out because another failed.
SUCCESS = re.compile(r"\d+ of \d+ (START|OK|PASS|SKIP|NO-OP)|^\d\d:\d\d:\d\d\s*$")


@dataclass(frozen=True)
class ProjectRun:
    """One finished dbt command."""

    command: tuple[str, ...]
    succeeded: bool
    seconds: float
    log: Path

    @property
    def output(self) -> str:
        """Return everything dbt printed."""
        return self.log.read_text("utf-8", errors="replace")

    def tail(self) -> str:
        """Return the last lines that are not about success, for messages about a failure."""
        lines = [line for line in self.output.splitlines() if not SUCCESS.search(line)]
        lines = lines[-TAIL_LINES:]
        return "\n".join([f"{' '.join(self.command)} failed, whole output in {self.log}:", *lines])


class ProjectRuns:
    """dbt commands on one engine, or on a DuckDB file when there is no engine.

    `folder` takes dbt's files; those of several commands are shared, so that dbt parses the project
    once.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine | None = None,
        *,
        warehouse: Path | None = None,
        report: Callable[[str], None] | None = None,
        timeout_seconds: float = 3600,
    ) -> None:
        """Choose where dbt runs; one of `engine` and `warehouse` is needed."""
        if (engine is None) == (warehouse is None):
            raise ValueError("give either an engine or a DuckDB warehouse")
        self._folder = folder
        self._engine = engine
        self._warehouse = warehouse
        self._report = report
        self._timeout_seconds = timeout_seconds
        self._count = 0

    @property
    def name(self) -> str:
        """Return the name of the engine."""
        return self._engine.name if self._engine else DUCKDB

    def environment(self) -> dict[str, str]:
        """Return the variables dbt needs for this engine besides those of this process."""
        if self._engine is not None:
            return self._engine.environment()
        return {"AGENT_ANALYTICS_DUCKDB_PATH": str(self._warehouse)}

    def dbt(
        self,
        *arguments: str,
        variables: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> ProjectRun:
        """Run dbt with arguments such as `build`; options come before or after the command."""
        command = self._engine.dbt_command() if self._engine else _dbt_command()
        target = self._engine.target if self._engine else DUCKDB
        command += [*arguments, "--target", target, "--no-use-colors"]
        if variables:
            command += ["--vars", json.dumps(dict(variables))]
        return self.run(command, environment)

    def run(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> ProjectRun:
        """Run any command of the project with the engine's variables."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count += 1
        log = self._folder / f"{self.name}_{self._count:02}.log"
        if self._report is not None:
            self._report(f"{self.name}: {_shortened(command)}, output in {log}")
        variables = {
            **os.environ,
            "DBT_PROFILES_DIR": str(PROJECT_DIR),
            "DBT_PROJECT_DIR": str(PROJECT_DIR),
            "DBT_TARGET_PATH": str(self._folder / "target"),
            "DBT_LOG_PATH": str(self._folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
            **self.environment(),
            **(environment or {}),
        }
        started = time.monotonic()
        with log.open("wb") as output:
            try:
                # Run to a file, so that what was said is there even when this process is ended.
                process = subprocess.run(
                    command,
                    cwd=PROJECT_DIR,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=self._timeout_seconds,
                    check=False,
                )
                succeeded = process.returncode == 0
            except subprocess.TimeoutExpired:
                output.write(f"\nended after {self._timeout_seconds:.0f} s\n".encode())
                succeeded = False
        return ProjectRun(tuple(command), succeeded, time.monotonic() - started, log)


def _dbt_command() -> list[str]:
    return [str(PROJECT_DIR / ".venv" / "bin" / "dbt")]


def _shortened(command: Sequence[str]) -> str:
    words = [Path(command[0]).name, *command[1:]]
    return " ".join(word if len(word) < 60 else "…" for word in words)
