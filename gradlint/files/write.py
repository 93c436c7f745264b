"""Replaces a file atomically, through a temporary file in the same folder.

Keeps owner, mode and attributes, and follows links.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gradlint.files.read import content

_PREFIX, _SUFFIX = ".gradlint-", ".tmp"
"""Temporary names do not depend on the file's name, which may already be as long as a name can be."""
_ABANDONED = 600
"""Seconds after which a temporary file is abandoned. Writing a file takes only a moment."""


class ChangedMeanwhile(OSError):
    """The file has changed since it was read."""


def write_atomically(path: Path, data: bytes, expected: bytes | None = None) -> None:
    """Replace the content of a file in one step, but only if the content is still `expected`.

    On any failure, raises OSError and leaves the old file unchanged.
    """
    target = Path(os.path.realpath(path))
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
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
