"""The folder of a cache: made, kept small, found and removed, and never taken for one that it is not."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER = ".gradlint_cache"
TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file marks a cache of gradlint, which may be deleted at any time; see https://bford.info/cachedir/\n"
)
LARGEST = 64 * 1024 * 1024
"""A store of more bytes is not read."""

MOST_STORES = 16
"""A cache keeps the stores of so many combinations of settings, the ones used last."""

_ABANDONED = 600
"""Seconds after which a store that is not finished belongs to no run any more."""
_STORE = re.compile(r"[0-9a-f]{32}\.json|\.\w+\.new")


def identity(folder: Path) -> list[int]:
    """What tells a folder from its copies: a cache that came with a checkout or an archive is not trusted."""
    seen = folder.stat()
    return [seen.st_dev, seen.st_ino]


def read_store(path: Path) -> bytes:
    """The content of a plain file of a bearable size. Raises OSError; a pipe or a link is not waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > LARGEST:
            raise OSError("not a store")
        return file.read()


def replace_store(path: Path, data: bytes) -> None:
    """Write a store in one step, so that no other process sees a part of it. Raises OSError."""
    from tempfile import mkstemp

    descriptor, name = mkstemp(prefix=".", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def make(folder: Path, version: str, *, own: bool) -> None:
    """The folder, the one of a version in it, and what keeps them out of repositories and backups.

    Raises OSError; a link in place of either is not followed.
    """
    if own and folder.is_symlink():
        raise OSError("a link")
    fresh = not folder.exists()
    (folder / version).mkdir(parents=True, exist_ok=True)
    if (folder / version).is_symlink():
        raise OSError("a link")
    if fresh:
        (folder / ".gitignore").write_text("# Written by gradlint.\n*\n", encoding="utf-8")
        (folder / "CACHEDIR.TAG").write_text(TAG, encoding="utf-8")


def keep_newest(folder: Path) -> None:
    """Remove the stores of a version beyond `MOST_STORES`, the oldest first, and what killed runs have left. Raises OSError."""
    stores = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    left = [path for path in folder.glob(".*.new") if time.time() - path.stat().st_mtime > _ABANDONED]
    for old in (*stores[MOST_STORES:], *left):
        old.unlink(missing_ok=True)


def caches_below(top: Path) -> Iterator[Path]:
    """The caches in and below a folder; links are not followed."""
    for folder, below, _ in os.walk(top):
        if FOLDER in below:
            found = Path(folder) / FOLDER
            if not found.is_symlink():
                yield found
        below[:] = [name for name in below if name not in (FOLDER, ".git")]


def remove(folder: Path) -> bool:
    """Remove what gradlint has written into a folder, and the folder if nothing is left; False where that is no cache.

    Raises OSError.
    """
    tag = folder / "CACHEDIR.TAG"
    try:
        if tag.is_symlink() or read_store(tag) != TAG.encode():
            return False
    except OSError:
        return False
    for version in [each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]:
        stores = [each for each in version.iterdir() if _STORE.fullmatch(each.name)]
        for store in stores:
            store.unlink()
        if stores and not any(version.iterdir()):
            version.rmdir()
    for name in (".gitignore", tag.name):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    return True
