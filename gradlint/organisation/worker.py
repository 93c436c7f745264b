"""The worker function: checks one repository within limits, and never raises because of what is in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import psutil

from gradlint import __version__
from gradlint.organisation.git import without_password, without_token
from gradlint.organisation.rows import REPOSITORY, Row, plain

_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class Limits:
    """What one repository may cost: `seconds` in all, and `memory` in MiB of all its processes together."""

    seconds: float = 600
    memory: int = 2000


DEFAULT = Limits()


def check_repository(repository: str, limits: Limits = DEFAULT, select: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    """Check a repository in a separate process, and return its rows as dictionaries. The last is that of the repository.

    The process is killed when it exceeds a limit. What it had found by then is kept, and the row of the repository says so.
    """
    begun, now = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    scratch = tempfile.mkdtemp(prefix="gradlint-")
    try:
        watched = _Watched(repository, scratch, select)
        state, message = watched.wait(limits)
        rows = watched.rows()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    own = [row for row in rows if row["kind"] == REPOSITORY]
    last = own[-1] if own else plain(Row(without_password(repository), REPOSITORY))
    if state or not last["state"]:
        last = {**last, "state": state or "failed", "message": message}
    last = {**last, "seconds": round(time.monotonic() - begun, 3), "memory": max(watched.peak, last["memory"])}
    rows = [*(row for row in rows if row["kind"] != REPOSITORY), last]
    return [{**row, "checked_at": now, "gradlint": __version__} for row in rows]


class _Watched:
    """The process that checks a repository, with its output so far."""

    def __init__(self, repository: str, scratch: str, select: tuple[str, ...] | None) -> None:
        self.peak = 0
        self._lines: list[bytes] = []
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gradlint.organisation.check_one"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        request = {"repository": repository, "scratch": scratch, "select": select}
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended already, which `wait` reports
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(iter(self._process.stdout.readline, b""))

    def wait(self, limits: Limits) -> tuple[str, str]:
        """Wait for the end, and kill at a limit. Return the state and the message if it ended badly, else two empty texts."""
        end = time.monotonic() + limits.seconds
        state, message = "", ""
        try:
            while self._process.poll() is None and not state:
                self.peak = max(self.peak, self._memory())
                if time.monotonic() > end:
                    state, message = "timeout", f"not finished after {limits.seconds:g} seconds"
                elif self.peak > limits.memory:
                    state, message = "memory", f"needs more than {limits.memory} MiB"
                else:
                    time.sleep(_BETWEEN_LOOKS)
        finally:
            self._kill()
        if not state and self._process.returncode:
            state, message = "crashed", self._last_words()
        return state, message

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that the process has printed."""
        found = []
        for line in self._lines:
            with suppress(ValueError):  # it was killed while it wrote this line
                found.append(json.loads(line))
        return found

    def _memory(self) -> int:
        """Return the memory of the process and all below it, in MiB."""
        total = 0
        with suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    total += each.memory_info().rss
        return total >> 20

    def _kill(self) -> None:
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(5)
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert stream is not None
                stream.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        ended = f"the process ended with status {self._process.returncode}"
        return without_token(f"{ended}: {lines[-1]}" if lines else ended, os.environ)
