"""The folder of a cache: creates it, keeps it small, finds it and removes it, and never touches a folder that is not a cache."""

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
"""Size limit of a store that is read, in bytes."""

MOST_STORES = 16
"""Limit on the stores in a cache. Each is for one combination of settings, and the most recent ones stay."""

_ABANDONED = 600
"""Seconds after which an unfinished store is abandoned."""
_STORE = re.compile(r"[0-9a-f]{32}\.json|\.\w+\.new")


def identity(folder: Path) -> list[int]:
    """Return what distinguishes a folder from its copies. A cache that came with a checkout or an archive is not trusted."""
    seen = folder.stat()
    return [seen.st_dev, seen.st_ino]


def read_store(path: Path) -> bytes:
    """Read a regular file of a reasonable size. Raises OSError, also for a link, and for a pipe without waiting for it."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > LARGEST:
            raise OSError("not a store")
        return file.read()


def replace_store(path: Path, data: bytes) -> None:
    """Write a store in one step, so that other processes never see half of it. Raises OSError."""
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
    """Create the folder, that of a version in it, and the files that keep them out of repositories and backups.

    Raises OSError, also for a link in place of the version's folder, or of the folder itself if it is gradlint's `own`.
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
    """Remove all but the `MOST_STORES` newest stores of a version, and what killed runs have left. Raises OSError."""
    stores = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    left = [path for path in folder.glob(".*.new") if time.time() - path.stat().st_mtime > _ABANDONED]
    for old in (*stores[MOST_STORES:], *left):
        old.unlink(missing_ok=True)


def caches_below(top: Path) -> Iterator[Path]:
    """Yield the caches in and below a folder, without following links."""
    for folder, below, _ in os.walk(top):
        if FOLDER in below:
            found = Path(folder) / FOLDER
            if not found.is_symlink():
                yield found
        below[:] = [name for name in below if name not in (FOLDER, ".git")]


def remove(folder: Path) -> bool:
    """Remove what gradlint has written into a folder, and the folder if it is empty then. Return False if it is not a cache.

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
