"""Standard streams that the parent process has closed."""

from __future__ import annotations

import errno
import io
import os
import sys


class _Closed(io.TextIOBase):
    """Stands in for a stdout that is not there: what is written is not lost in silence."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        if text:
            raise OSError(errno.EBADF, "it is closed")
        return 0


def settle() -> None:
    """Give the process the streams that it lacks.

    Their numbers are taken, too, so that no file that is opened later gets them, and what a library prints with it.
    """
    if sys.stdout is None or sys.stderr is None or sys.stdin is None:
        while (number := os.open(os.devnull, os.O_RDWR)) < 3:
            os.set_inheritable(number, True)
        os.close(number)
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123,SIM115 - for the rest of the process
