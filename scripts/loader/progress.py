"""How much of the input has been read, shown on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextmanager
def progress_bar(
    label: str, total: int | None, *, is_shown: bool
) -> Iterator[Callable[[int], None]]:
    """Give a function to be told how many bytes of all inputs have been read.

    `total`: bytes to read in all, None when that is not known.
    """
    if not is_shown:
        yield lambda _position: None
        return
    bar = Progress(
        TextColumn(label),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(label, total=total)
    with bar:
        yield lambda position: bar.update(task, completed=position)
