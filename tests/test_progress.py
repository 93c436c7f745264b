"""The progress bar: on a terminal, after a while, gone at the end; nothing of it anywhere else."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gradlint.cli.progress import progress, wanted, with_progress

PROGRAM = """
import sys, time
from gradlint.cli.progress import with_progress

def slow():
    for number in range({steps}):
        time.sleep({pause})
        yield number

print("result", sum(with_progress(slow(), {steps}, "Checking [bold]")), "rich" in sys.modules)
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(program: str, **environment: str) -> tuple[str, str]:
    """What a program writes to stdout, and to a terminal on stderr."""
    ours, theirs = pty.openpty()
    settings = {"PATH": os.environ["PATH"], "TERM": "xterm", **environment}
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=theirs, env=settings, text=True)
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(ours)
    assert child.stdout is not None
    out = child.stdout.read()
    assert child.wait(60) == 0
    return out, shown.decode()


def test_long_work_shows_a_bar_and_takes_it_away() -> None:
    out, shown = on_terminal(PROGRAM.format(steps=30, pause=0.06))
    assert out == "result 435 True\n"
    assert "Checking [bold]" in shown and "/30" in shown
    assert shown.rstrip().endswith("\x1b[2K") or "\x1b[2K" in shown[-40:]


def test_short_work_shows_nothing_and_imports_nothing() -> None:
    assert on_terminal(PROGRAM.format(steps=3, pause=0.01)) == ("result 3 False\n", "")


def test_a_dumb_terminal_shows_nothing() -> None:
    assert on_terminal(PROGRAM.format(steps=12, pause=0.1), TERM="dumb") == ("result 66 False\n", "")


def test_a_pipe_shows_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(steps=12, pause=0.1)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("result 66 False\n", "")


def test_it_is_gone_when_the_work_fails() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyboardInterrupt

    stream, seconds = Terminal(), iter([0.0, 5.0, 6.0, 7.0])
    with pytest.raises(KeyboardInterrupt):
        list(with_progress(failing(), 3, "Checking", stream=stream, clock=lambda: next(seconds)))
    assert "Checking" in stream.getvalue() and "\x1b[2K" in stream.getvalue()[-40:]


def test_who_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert wanted(Terminal(), quiet=False)
    assert not wanted(Terminal(), quiet=True) and not wanted(io.StringIO(), quiet=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    shower = progress(quiet=False)
    assert shower is not None and list(shower(iter([1, 2]), 2)) == [1, 2]
    assert progress(quiet=True) is None
