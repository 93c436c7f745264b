"""Replacements for standard streams that the parent process has closed."""

from __future__ import annotations

import errno
import io
import os
import sys


class _Closed(io.TextIOBase):
    """Replaces a missing stdout. Writing to it raises an error, so that no output is lost silently."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        if text:
            raise OSError(errno.EBADF, "it is closed")
        return 0


def settle() -> None:
    """Replace the standard streams that are missing.

    Their descriptors are opened too. Otherwise the next file to be opened would get one of those numbers, and receive whatever a
    library prints there.
    """
    if sys.stdout is None or sys.stderr is None or sys.stdin is None:
        while (number := os.open(os.devnull, os.O_RDWR)) < 3:
            os.set_inheritable(number, True)
        os.close(number)
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123,SIM115 - for the rest of the process
