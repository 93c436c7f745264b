"""Reads a file whole, once it is known to be a regular file, and of a size that its content can be checked."""

from __future__ import annotations

from pathlib import Path

from gradlint.config.contents import MIB, regular

LARGEST = 50 * MIB
"""Bytes of the largest file that is read. Pyright stops at the same size; no code that people write comes near it."""


def content(path: Path) -> bytes:
    """The bytes of a file.

    Raises OSError, also for what is no file (a pipe would be waited for, a device never ends) and for what is too large.
    """
    return regular(path, LARGEST)
