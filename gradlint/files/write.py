"""Replaces files atomically, each through a temporary file in the same folder: several together, all or none.

Keeps owner, mode and attributes, and follows links.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gradlint.files.read import content

_PREFIX, _SUFFIX = ".gradlint-", ".tmp"
"""Temporary names do not depend on the file's name, which may already be as long as a name can be."""
_ABANDONED = 600
"""Seconds after which a temporary file is abandoned. Writing a file takes only a moment."""


class ChangedMeanwhile(OSError):
    """The file has changed since it was read."""


@dataclass(frozen=True)
class NewContent:
    """What a file shall contain, if it still contains what is `expected`."""

    path: Path
    data: bytes
    expected: bytes | None = None

    @property
    def target(self) -> Path:
        return Path(os.path.realpath(self.path))


class Unwritten(Exception):
    """No file was written. The message says why, and `path` is the file that is the reason."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.path = path


def write_atomically(path: Path, data: bytes, expected: bytes | None = None) -> None:
    """Replace the content of a file in one step, but only if the content is still `expected`.

    On any failure, raises OSError and leaves the old file unchanged.
    """
    try:
        write_all([NewContent(path, data, expected)])
    except Unwritten as failure:
        if isinstance(failure.__cause__, OSError):
            raise failure.__cause__ from None
        raise


def write_all(changes: Sequence[NewContent]) -> None:
    """Replace the contents of several files, or of none: raises Unwritten and leaves every file as it was.

    All new contents are on disk before the first file is replaced. If a later one cannot be replaced, the earlier ones get their
    old contents back.
    """
    prepared: list[tuple[NewContent, str]] = []
    backups: list[tuple[NewContent, str]] = []
    try:
        for each in changes:
            with _told(each.path):
                prepared.append((each, _prepared(each)))
                if len(changes) > 1:
                    backups.append((each, _prepared(replace(each, data=content(each.target)))))
        for place, (each, name) in enumerate(prepared):
            try:
                with _told(each.path):
                    if each.data != each.expected:
                        os.replace(name, each.target)
            except BaseException:
                for done, kept in backups[:place]:
                    os.replace(kept, done.target)
                raise
    finally:
        for _, name in (*prepared, *backups):
            Path(name).unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unwritten(path, error) from error


def _prepared(new: NewContent) -> str:
    """Write a temporary file that can replace a file. Return its name. Raises OSError and leaves nothing behind."""
    target, data, expected = new.target, new.data, new.expected
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    old = target.stat()
    handle, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):
            os.chown(name, old.st_uid, old.st_gid)
        os.chmod(name, stat.S_IMODE(old.st_mode))
        _keep_attributes(target, name)
        if expected is not None and content(target) != expected:
            raise ChangedMeanwhile(errno.EBUSY, "the file changed in the meantime, so gradlint did not write it")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return name


def _keep_attributes(source: Path, target: str) -> None:
    """Copy extended attributes, if the system supports them and permits setting them."""
    if not hasattr(os, "listxattr"):
        return
    with suppress(OSError):
        for name in os.listxattr(source):
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))


def sweep(folders: Iterable[Path]) -> None:
    """Remove temporary files that killed runs have left in these folders."""
    for folder in folders:
        with suppress(OSError):
            for entry in os.scandir(folder):
                if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX) and entry.is_file(follow_symlinks=False):
                    with suppress(OSError):
                        if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                            Path(entry.path).unlink()
