"""Reads a whole file, after making sure that it is a regular file of a size that can be checked."""

from __future__ import annotations

from pathlib import Path

from gradlint.config.contents import MIB, regular

LARGEST = 50 * MIB
"""Size limit of a file, in bytes. Pyright stops at the same size, and no code that people write comes near it."""


def content(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises OSError, also if the file is too large or not a regular file: opening a pipe would block, and a device never ends.
    """
    return regular(path, LARGEST)
