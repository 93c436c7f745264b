"""Remembers on disk what earlier runs found, so that unchanged files are not even opened.

A file is recognized by its name, its inode, and the sizes and times that the file system keeps. One that was only touched is
recognized by its content. Findings depend on the settings and on the program itself, so each combination of these has a separate
store.

A store is plain JSON, and every part of it is checked. A store that is damaged, or was written in another place or by another
version, is ignored. Losing a store only costs time, so errors with it are never reported.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradlint import __version__
from gradlint.repository.context import NO_CONTEXT, Context, Contexts
from gradlint.run.cache_entries import Damaged, context_from, diagnostics_of, loops_of, plain, plain_loop
from gradlint.run.cache_folder import FOLDER, LARGEST, identity, keep_newest, make, read_store, replace_store

if TYPE_CHECKING:
    from gradlint.config.selection import Selection
    from gradlint.config.settings import Names
    from gradlint.diagnostic import Diagnostic, LoopVerdict
    from gradlint.run.task import Task

FORMAT = 5
MOST_FILES = 100_000
"""Limit on the files that a store remembers. Those of the last run come first."""

SETTLED = 0.1
"""Seconds after which a change of a file shows in its times, because the clocks of file systems are coarse."""

Signature = tuple[int, int, int, int]


def signature(found: os.stat_result) -> Signature:
    """Return what changes whenever a file does.

    Its size and modification time can be set back, but the inode's change time cannot.
    """
    return found.st_mtime_ns, found.st_size, found.st_ctime_ns, found.st_ino


class Cache:
    """The stores of one folder. A store is read when it is first needed.

    `own` is False for a folder that the user chose, which may be a link.
    """

    def __init__(self, folder: Path, *, own: bool = True) -> None:
        self.folder = folder
        self._own = own
        self._stores: dict[str, Store] = {}
        self._by_task: dict[int, tuple[Task, Store]] = {}
        """Most files of a run share a task. The tasks are kept alive here, so that no id is reused."""
        self._by_settings: dict[tuple[Selection, Names, bool, int | None], Store] = {}
        self._begun = time.time_ns()
        self._program: list[str] = []

    def store(self, task: Task) -> Store | None:
        """Return the store for a task, or None for a task that changes files."""
        known = self._by_task.get(id(task))
        if known is not None:
            return known[1]
        if task.fix or task.annotate is not None:
            return None
        settings = (task.selection, task.names, task.follow, task.max_size)
        if settings not in self._by_settings:
            self._program = self._program or _program()
            key = _key(task, self._program)
            self._stores[key] = Store(self.folder / __version__ / f"{key}.json", self._begun)
            self._by_settings[settings] = self._stores[key]
        self._by_task[id(task)] = (task, self._by_settings[settings])
        return self._by_settings[settings]

    def save(self) -> None:
        """Write what is new. Errors are ignored."""
        changed = [store for store in self._stores.values() if store.changed]
        if not changed:
            return
        try:
            make(self.folder, __version__, own=self._own)
            for store in changed:
                store.write()
            keep_newest(self.folder / __version__)
        except (OSError, ValueError):
            pass


def _key(task: Task, program: list[str]) -> str:
    """Return a key for everything but the file that findings depend on: the settings, the program, and the parsers."""
    names = [sorted(each) for each in astuple(task.names)]
    parts = [FORMAT, program, sys.version, repr(task.selection), names, task.follow, task.max_size]
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _program() -> list[str]:
    """Return the versions of gradlint and LibCST without importing them. An edited checkout counts as another version."""
    import importlib.util

    found = [__version__, *_code(Path(__file__).parent.parent)]
    spec = importlib.util.find_spec("libcst")
    if spec is not None and spec.origin is not None:
        version = Path(spec.origin).with_name("_version.py")
        found.append(version.read_text(encoding="utf-8") if version.is_file() else spec.origin)
    return found


_SHOWN_BY = ("cli", "report", "server", "show", "__pycache__")
"""Folders whose code only decides how findings are shown, not which ones there are."""


def _code(folder: str | Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.name.endswith(".py"):
                seen = entry.stat()
                yield f"{entry.name} {seen.st_mtime_ns} {seen.st_size}"
            elif entry.is_dir() and entry.name not in _SHOWN_BY:
                yield from _code(entry.path)


class Store:
    """The files and results for one combination of settings."""

    def __init__(self, path: Path, begun: int) -> None:
        self.path = path
        self.changed = False
        self._begun = begun
        self._files, self._results = _read(path)
        self._seen: dict[str, tuple[Signature, str]] = {}
        self._contexts = Contexts()

    def known(self, name: str, seen: os.stat_result) -> str | None:
        """Return the digest of an unchanged file, or None for any other file.

        It is empty if the bytes cannot contain a finding.
        """
        entry = self._files.get(name)
        if entry is None or entry[0] != signature(seen):
            return None
        self._seen[name] = entry
        return entry[1]

    def remember(self, name: str, seen: os.stat_result, digest: str) -> None:
        """Remember a file that was read after this stat, unless it is so new that its times could hide another change."""
        if max(seen.st_mtime_ns, seen.st_ctime_ns) < self._begun - int(SETTLED * 1e9):
            self._seen[name] = (signature(seen), digest)
            self.changed = True

    def digest(self, name: str, data: bytes) -> str:
        """Return the digest of a content in its folder.

        It includes the type, because scripts and notebooks are read differently.
        """
        known = blake2b(data, digest_size=16, person=b"ipynb" if name.endswith(".ipynb") else b"py")
        known.update(os.path.dirname(os.path.abspath(name)).encode("utf-8", "surrogatepass"))  # noqa: PTH120
        return known.hexdigest()

    def results(self, name: str, digest: str) -> tuple[tuple[Diagnostic, ...], tuple[LoopVerdict, ...]] | None:
        """Return the findings in a content for a file of this name, and the verdicts on its loops, or None if not known."""
        kept = self._results.get(digest)
        if kept is None:
            return None
        try:
            found, loops, context = kept
            if context and not self._contexts.holds(name, context_from(context)):
                return None
            return diagnostics_of(found, name), loops_of(loops, name)
        except (Damaged, ValueError, TypeError):
            del self._results[digest]
            return None

    def keep(
        self,
        digest: str,
        diagnostics: tuple[Diagnostic, ...],
        loops: tuple[LoopVerdict, ...] = (),
        context: Context = NO_CONTEXT,
    ) -> None:
        """Remember what was found in a content, and in which context."""
        around = [list(context.followed), context.digest] if context.digest else []
        self._results[digest] = [[plain(each) for each in diagnostics], [plain_loop(each) for each in loops], around]
        self.changed = True

    def write(self) -> None:
        """Write what is known now, with the files of this run before others. Raises OSError."""
        left = MOST_FILES - len(self._seen)
        others = ((name, entry) for name, entry in self._files.items() if name not in self._seen)
        files = {**dict(_first(others, left)), **self._seen}
        digests = {digest for _, digest in files.values() if digest}
        document = {
            "home": identity(self.path.parent),
            "files": {name: [*entry[0], entry[1]] for name, entry in files.items()},
            "results": {digest: kept for digest, kept in self._results.items() if digest in digests},
        }
        data = json.dumps(document, separators=(",", ":")).encode("utf-8", "surrogatepass")
        if len(data) <= LARGEST:
            replace_store(self.path, data)


def _first(items: Iterator[tuple[str, Any]], count: int) -> Iterator[tuple[str, Any]]:
    for _, item in zip(range(max(count, 0)), items, strict=False):
        yield item


# Files


def _read(path: Path) -> tuple[dict[str, tuple[Signature, str]], dict[str, list[Any]]]:
    """Return the files and results of a store, or nothing if anything is wrong with it."""
    try:
        document = json.loads(read_store(path).decode("utf-8", "surrogatepass"))
        if document["home"] != identity(path.parent):
            return {}, {}
        files = {name: _entry(entry) for name, entry in document["files"].items()}
        results = document["results"]
        if not all(type(kept) is list for kept in results.values()):
            raise Damaged
        return files, results
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, Damaged):
        return {}, {}


def _entry(entry: Any) -> tuple[Signature, str]:
    modified, size, changed, inode, digest = entry
    if not (type(modified) is type(size) is type(changed) is type(inode) is int and type(digest) is str):
        raise Damaged
    return (modified, size, changed, inode), digest


# Which cache


def cache_for(chosen: Path | None, source: Path | None) -> Cache:
    """Return the cache that the user chose, or else the one next to the configuration file, or in the current folder."""
    if chosen is not None:
        return Cache(chosen, own=False)
    return Cache((source.parent if source is not None else Path()) / FOLDER)
