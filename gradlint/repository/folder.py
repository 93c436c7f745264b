"""Reads files of the repository that contains a file, and never files outside of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gradlint.files.decode import Decoded, decode

LARGEST = 1_000_000
"""Size limit of a file that is followed from another one, in bytes."""

SETTINGS = (".json", ".yaml", ".yml")
"""How the names of settings files end."""

_MARKS = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg")
"""What marks the root of a repository."""

_HIGHEST = 40
"""Limit on the folders above a file to search for a root."""


@dataclass(frozen=True, eq=False)
class Repository:
    """A folder, and the texts of its files that were read so far."""

    root: str
    package_folders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The folders that hold packages, by the text of the configuration that names them."""
    _texts: dict[str, str | None] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """Return the text of a file in the folder, or None if it is missing, too large, outside of the folder, or not text."""
        if path not in self._texts:
            self._texts[path] = self._on_disk(path)
        return self._texts[path]

    def with_texts(self, changed: Mapping[str, str]) -> Repository:
        """Return the repository with other texts for some files, by path."""
        return Repository(self.root, self.package_folders, {**self._texts, **changed})

    def digest(self, paths: Iterable[str]) -> str:
        """Return a digest of the texts of some files, as they are read here. A path that ends with a separator is a folder's.

        For a folder, it is one of the names of the settings files in it.
        """
        from hashlib import blake2b  # only files with a training loop need it

        known = blake2b(digest_size=16)
        for path in paths:
            known.update(path.encode("utf-8", "surrogatepass") + b"\0")
            content = "\n".join(self.settings_of(path)) if path.endswith(os.sep) else self.text(path) or ""
            known.update(content.encode("utf-8", "surrogatepass") + b"\0")
        return known.hexdigest()

    def holds(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self._texts or os.path.isfile(path)

    def is_inside(self, path: str) -> bool:
        """Whether a path is inside the folder after following links."""
        real = os.path.realpath(path)
        return real == self.root or real.startswith(self.root + os.sep)

    def name(self, path: str) -> str:
        """Return a path as readers know it: relative to the root, with forward slashes."""
        return os.path.relpath(path, self.root).replace(os.sep, "/")

    def scripts_of(self, folder: str) -> Iterator[str]:
        """Yield the Python files in a folder, in the order of their names."""
        return self._files_of(folder, ".py")

    def settings_of(self, folder: str) -> Iterator[str]:
        """Yield the JSON and YAML files in a folder, in the order of their names."""
        return self._files_of(folder, SETTINGS)

    def _files_of(self, folder: str, endings: str | tuple[str, ...]) -> Iterator[str]:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        yield from (os.path.join(folder, each) for each in names if each.endswith(endings))

    def folders_of(self, folder: str) -> Iterator[str]:
        """Yield the subfolders of a folder in the order of their names, except links and names that begin with `.` or `_`."""
        try:
            with os.scandir(folder) as found:
                names = sorted(each.path for each in found if each.name[0] not in "._" and each.is_dir(follow_symlinks=False))
        except OSError:
            return
        yield from names

    def _on_disk(self, path: str) -> str | None:
        try:
            seen = os.stat(path)
            if not stat.S_ISREG(seen.st_mode) or seen.st_size > LARGEST or not self.is_inside(path):
                return None
            found = decode(Path(path).read_bytes())
        except (OSError, ValueError):
            return None
        return found.text if isinstance(found, Decoded) else None


def repository_of(path: Path, unsaved: Mapping[str, str] | None = None) -> Repository | None:
    """Return the repository of a file: the closest folder above it that has a mark.

    Without a mark, it is the highest folder that can be reached through folders with Python files. `unsaved` are texts by the
    real paths of their files, which are not read from disk then.
    """
    try:
        folder = os.path.dirname(os.path.realpath(path))
        if not os.path.isdir(folder):
            return None
        root = _root(folder)
        inside = {path: text for path, text in (unsaved or {}).items() if path.startswith(root + os.sep)}
        return Repository(root, _texts=dict[str, str | None](inside))
    except (OSError, ValueError):
        return None


def _root(folder: str) -> str:
    above, unmarked, climbing = folder, folder, True
    for _ in range(_HIGHEST):
        if any(os.path.exists(os.path.join(above, mark)) for mark in _MARKS):
            return above
        climbing = climbing and (above == folder or any(each.endswith(".py") for each in _listed(above)))
        unmarked = above if climbing else unmarked
        parent = os.path.dirname(above)
        if parent == above:
            break
        above = parent
    return unmarked


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
