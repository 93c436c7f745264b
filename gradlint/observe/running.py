"""Starts a program with the probe in it, and waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gradlint.observe.probe.limits import Limits

ENTRY = Path(__file__).parent / "entry"
"""The folder that Python finds the probe in when it starts."""


class NotStarted(Exception):
    """The program cannot be started. The message says why."""


def run(command: Sequence[str], limits: Limits) -> int:
    """Run a command with the probe, and return its exit status as a shell would say it. Raises NotStarted.

    The program has the terminal: it gets what is typed, and Ctrl-C.
    """
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join((str(ENTRY), before) if before else (str(ENTRY),))
    with _left_to_the_program():
        try:
            process = subprocess.Popen(command, env={**os.environ, **limits.environment, "PYTHONPATH": path})
        except OSError as error:
            raise NotStarted(f"{command[0]}: {error.strerror or error}") from error
        with _passed_on(process):
            status = process.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def _left_to_the_program() -> Iterator[None]:
    """Do nothing on Ctrl-C. A handler, unlike ignoring the signal, is not inherited by the program."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _passed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Send the program the signal to terminate that this process gets."""
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
