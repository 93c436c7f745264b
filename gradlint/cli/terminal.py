"""Writes to the terminal, a pipe or a file: in colour where that is wanted, and errors to stderr."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click


def complain(message: str) -> None:
    """Print an error to stderr, on one line."""
    _tell("error", "red", message)


def warn(message: str) -> None:
    """Print a warning to stderr, on one line."""
    _tell("warning", "yellow", message)


def _tell(kind: str, shade: str, message: str) -> None:
    from gradlint.report.lines import safe

    click.echo(f"{click.style(kind, fg=shade, bold=True)}: {safe(message)}", err=True, color=colour(sys.stderr.isatty()))


def colour(terminal: bool) -> bool:
    """Whether to use colours. NO_COLOR and FORCE_COLOR override what the stream supports."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def emit(lines: Iterable[str], *, err: bool = False) -> None:
    """Print lines to stdout or stderr."""
    shown = colour((sys.stderr if err else sys.stdout).isatty())
    for line in lines:
        click.echo(line, err=err, color=shown)


def emit_bytes(data: bytes) -> None:
    """Write bytes to stdout unchanged. Raises OSError."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def lost(error: OSError) -> None:
    """Report that stdout cannot be written, and stop writing to it.

    If its reader has closed the pipe, exit with 0, as Ruff does.
    """
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        sys.exit(0)
    complain(f"stdout: cannot be written: {error.strerror or error}")


def write(lines: Iterable[str], path: Path, *, append: bool = False) -> None:
    """Write lines to a file, without colours. Raises OSError."""
    with path.open("a" if append else "w", encoding="utf-8", newline="") as file:
        file.writelines(f"{click.unstyle(line)}\n" for line in lines)
