"""Wall time, processor time and peak memory of one command with all its child processes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.1
REPORT_SECONDS = 10.0
PROC = Path("/proc")
BYTES_PER_GIB = 1024**3


@dataclass(frozen=True)
class Measurement:
    """What one command took: seconds of wall clock and processor, peak resident bytes, output."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str
    returncode: int


def measure(
    command: list[str],
    *,
    cwd: Path,
    environment: dict[str, str],
    log: Path,
    label: str,
    cores: int,
) -> Measurement:
    """Run `command` on the first `cores` usable cores and measure it.

    The output goes to `log` and comes back in the result. A line is printed every ten seconds.
    Peak memory is the largest sum of the resident memory of the command and its descendants, seen
    every tenth of a second in /proc, and where there is no /proc what the system reports for the
    command.
    """
    with log.open("wb") as stream, _kept_to_cores(cores):
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
    started = time.monotonic()
    reported = started
    peak = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        now = time.monotonic()
        if pid:
            break
        resident = resident_bytes(process.pid)
        peak = max(peak, resident)
        if now - reported >= REPORT_SECONDS:
            reported = now
            print(
                f"  {label}: {now - started:.0f} s, {resident / BYTES_PER_GIB:.1f} GiB",
                flush=True,
            )
        time.sleep(SAMPLE_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)
    # macOS counts bytes here, Linux kibibytes.
    own_peak = usage.ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)
    return Measurement(
        wall_seconds=now - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        # The system's own figure is second choice: a child inherits its parent's peak.
        peak_bytes=peak or own_peak,
        output=log.read_text("utf-8", errors="replace"),
        returncode=process.returncode,
    )


def resident_bytes(root: int) -> int:
    """Return the resident memory of a process and its descendants, 0 where there is no /proc."""
    if not PROC.is_dir():
        return 0
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # Fields after the command's name, which may itself contain spaces and brackets.
            fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
        except (OSError, UnicodeDecodeError):
            continue
        pid = int(folder.name)
        children.setdefault(int(fields[1]), []).append(pid)
        pages[pid] = int(fields[21])
    total = 0
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        total += pages.get(pid, 0)
        waiting += children.get(pid, [])
    return total * os.sysconf("SC_PAGE_SIZE")


def machine() -> dict[str, str | int | float]:
    """Return processor, number of usable cores and memory in GiB of this machine."""
    name = "unknown"
    cpu_file = PROC / "cpuinfo"
    if cpu_file.is_file():
        for line in cpu_file.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": name,
        "cores": usable_cores(),
        "memory_gib": round(memory / BYTES_PER_GIB, 1),
    }


def usable_cores() -> int:
    """Return the number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _kept_to_cores(cores: int) -> Iterator[None]:
    """Let processes started inside use only the first cores, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(usable)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)
