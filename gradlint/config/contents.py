"""Reads settings files of the checked repository, but only regular files of a plausible size."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MIB = 2**20
LARGEST_SETTINGS = 4 * MIB
"""Size limit of a configuration file or `.gitignore`, in bytes."""

MOST_PATTERNS = 10_000
"""Limit on the patterns of a list or `.gitignore`, because each is tried on every file."""


def regular(path: Path, largest: int) -> bytes:
    """Return the bytes of a file.

    Raises OSError, also if the file is too large or not a regular file: opening a pipe would block, and a device never ends.
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
"""Opens a pipe without waiting for a writer."""
