"""Where in the user's own files a call comes from."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType

Spot = tuple[str, int, int, int, int]
"""A piece of a file: its name, first row, first column, last row, last column. Columns count bytes; -1 if unknown."""

_HOME = str(Path(__file__).absolute().parent)
_MOST = 40
"""The maximum number of the user's frames in one place."""


def place() -> list[Spot]:
    """The calls in the user's files that lead to the current call, innermost first."""
    found: list[Spot] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(found) < _MOST:
        name = _own(frame.f_code.co_filename)
        if name:
            found.append((name, *_range(frame.f_code, frame.f_lasti, frame.f_lineno)))
        frame = frame.f_back
    return found


def passed_through(most: int = 30) -> list[str]:
    """The names of the packages that the current call went through on its way from the user's files, innermost first."""
    found: list[str] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and most and not _own(frame.f_code.co_filename):
        name = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if name not in found:
            found.append(name)
        frame, most = frame.f_back, most - 1
    return found


@lru_cache(maxsize=4096)
def _range(code: CodeType, instruction: int, line: int) -> tuple[int, int, int, int]:
    """The rows and columns of an instruction. Before Python 3.11, only the row is known."""
    if not hasattr(code, "co_positions"):
        return line, -1, line, -1
    start, end, column, last = next(islice(code.co_positions(), instruction // 2, None), (line, line, None, None))
    return (
        start if start is not None else line,
        column if column is not None else -1,
        end if end is not None else line,
        last if last is not None else -1,
    )


@lru_cache(maxsize=4096)
def _own(filename: str) -> str:
    """The absolute name of a file that is the user's; "" for the libraries and for code without a file."""
    if filename.startswith("<"):
        return filename if filename.startswith("<ipython") else ""
    name = os.path.abspath(filename)
    if any(name.startswith(each + os.sep) for each in _libraries()) or not Path(name).exists():
        return ""
    return name


@lru_cache(maxsize=1)
def _libraries() -> tuple[str, ...]:
    known = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return tuple({os.path.abspath(each) for each in (*known, _HOME) if each})
