"""Reads a file whole, once it is known to be a regular file, and of a size that its content can be checked."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

LARGEST = 50 * 2**20
"""Bytes of the largest file that is read. Pyright stops at the same size; no code that people write comes near it."""


def content(path: Path) -> bytes:
    """The bytes of a file.

    Raises OSError, also for what is no file (a pipe would be waited for, a device never ends) and for what is too large.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    if found.st_size > LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST // 2**20} MiB")
    return path.read_bytes()
