"""A progress bar for long runs. It appears only on a terminal and after a delay, and vanishes when the work is done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")
DELAY = 1.0
"""Seconds of work before the bar appears."""


def progress(*, quiet: bool) -> Callable[[Iterator[Item], int], Iterator[Item]] | None:
    """Return a wrapper that shows the progress of a run, or None if nobody would see it."""
    if not wanted(sys.stderr, quiet=quiet):
        return None
    return lambda items, total: with_progress(items, total, "Checking")


def wanted(stream: TextIO, *, quiet: bool) -> bool:
    """Whether a stream can show a bar, and the user wants one."""
    return not quiet and stream.isatty() and os.environ.get("TERM") != "dumb"


def with_progress(
    items: Iterator[Item],
    total: int,
    label: str,
    *,
    stream: TextIO | None = None,
    delay: float = DELAY,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Item]:
    """Yield the items. After `delay` seconds, a bar on stderr shows how many of `total` are done.

    rich is imported only when the bar is drawn. The bar vanishes at the end, also if the work fails or is interrupted.
    """
    stream = stream or sys.stderr
    if not wanted(stream, quiet=False):
        yield from items
        return
    bar: Progress | None = None
    begun, done = clock(), 0
    try:
        for item in items:
            done += 1
            if bar is None and clock() - begun >= delay:
                bar = _bar(stream)
                bar.start()
                task = bar.add_task(label, total=total, completed=done)
            elif bar is not None:
                bar.update(task, completed=done)
            yield item
    finally:
        if bar is not None:
            bar.stop()


def _bar(stream: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=stream, no_color=bool(os.environ.get("NO_COLOR")) or None)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
