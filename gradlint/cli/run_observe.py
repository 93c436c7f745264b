"""What `gradlint observe` does: runs the program, and writes the report when it has ended."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from gradlint.cli.terminal import colour, complain
from gradlint.observe.probe.limits import Limits
from gradlint.observe.record import processes
from gradlint.observe.running import NotStarted, run
from gradlint.observe.sentences import of_nothing
from gradlint.show.text import style_for

FAILED = 2


def run_observe(command: Sequence[str], windows: int, *, to_tail: bool, stop: bool, output: Path | None) -> int:
    """Run a command and report on it. Return the exit status of the command, or 2 if it cannot be started."""
    with tempfile.TemporaryDirectory(prefix="gradlint-") as name:
        folder = Path(name)
        try:
            status = run(command, Limits(name, windows, to_tail, stop))
        except NotStarted as error:
            complain(str(error))
            return FAILED
        lines = _report(folder, status, "utf-8" if output is not None else getattr(sys.stderr, "encoding", None))
        if output is None:
            for line in lines:
                click.echo(line, err=True, color=colour(sys.stderr.isatty()))
            return status
        try:
            output.write_text("".join(f"{click.unstyle(line)}\n" for line in lines), encoding="utf-8")
        except OSError as error:
            complain(f"{output}: cannot be written: {error.strerror or error}")
    return status


def _report(folder: Path, status: int, encoding: str | None) -> Iterator[str]:
    """The lines of the report."""
    from gradlint.observe.report import report

    found = processes(folder)
    if not found:
        yield of_nothing(folder, status)
        return
    try:
        yield from report(found, status, style_for(encoding))
    except Exception as error:  # the program is over, and its exit status counts
        complain(f"the report failed: {type(error).__name__}: {error}")
