"""Reads what a repository brings along: regular files alone, and none that is larger than its kind ever is."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MIB = 2**20
LARGEST_SETTINGS = 4 * MIB
"""Bytes of the largest configuration or `.gitignore` that is read."""

MOST_PATTERNS = 10_000
"""Patterns of the longest list, or `.gitignore`, that is heeded: each is tried with each file."""


def regular(path: Path, largest: int) -> bytes:
    """The bytes of a file.

    Raises OSError, also for what is no file (a pipe would be waited for, a device never ends) and for what is too large.
    """
    descriptor = os.open(path, os.O_RDONLY | _AT_ONCE)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if found.st_size > largest:
            raise OSError(errno.EFBIG, f"it is larger than {largest // MIB} MiB")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(largest)
    finally:
        os.close(descriptor)


_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe is opened without waiting for anybody to write to it."""
