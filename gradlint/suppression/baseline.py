"""Baselines: the findings that a project accepts for now, so that only new ones fail.

A finding is recognized by its file, its rule, the function or class around it, and its code without layout. An entry survives
when lines are moved, indented or reformatted. The file is JSON with one entry per line, sorted, so that it is easy to diff and
merge.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradlint.config.contents import MIB, regular
from gradlint.config.load import ConfigError
from gradlint.config.selection import ALWAYS_ON
from gradlint.diagnostic import Diagnostic
from gradlint.suppression.prints import Print, prints

VERSION = 1
LARGEST = 50 * MIB
"""Size limit of a baseline that is read, in bytes."""


class BaselineError(ConfigError):
    """A baseline cannot be read or written. The message names the file and the entry."""


Entries = tuple[tuple[Print, int], ...]
"""The accepted findings of one file, and how often each occurs. They can be pickled."""


# Findings


@dataclass(frozen=True)
class Sorted:
    """New findings, and the prints of those that the entries hold back."""

    new: tuple[Diagnostic, ...]
    held: tuple[Print, ...] = ()


def sort(text: str, diagnostics: tuple[Diagnostic, ...], entries: Entries, *, loosely: bool = False) -> Sorted:
    """Separate new findings from those that match entries. A syntax error is always new.

    If a fix has changed the text since the entries were matched, `loosely` lets a leftover entry match a finding of the same rule
    in the same function. The finding is still there, but the fix of another finding rewrote its code.
    """
    left = Counter(dict(entries))
    marks = dict(zip(map(id, diagnostics), prints(text, diagnostics), strict=True))
    held: dict[int, Print] = {}
    for each in diagnostics:
        mark = marks[id(each)]
        if each.code != ALWAYS_ON and left[mark] > 0:
            left[mark] -= 1
            held[id(each)] = mark
    for each in diagnostics if loosely else ():
        mark = marks[id(each)]
        near = next((entry for entry in left if left[entry] > 0 and (entry.rule, entry.scope) == (mark.rule, mark.scope)), None)
        if id(each) not in held and near is not None:
            left[near] -= 1
            held[id(each)] = near
    return Sorted(tuple(each for each in diagnostics if id(each) not in held), tuple(held.values()))


# Files


@dataclass(frozen=True)
class Baseline:
    """The entries of a baseline by file name, relative to the baseline's folder."""

    home: Path
    files: Mapping[str, Entries] = field(default_factory=dict)

    def of(self, path: Path) -> Entries:
        """Return the entries of a file."""
        return self.files.get(self.name(path), ())

    def name(self, path: Path) -> str:
        """Return a file name as a baseline writes it: relative with forward slashes, or absolute on another drive."""
        try:
            relative = os.path.relpath(path, self.home)
        except ValueError:
            relative = os.path.abspath(path)
        return relative.replace(os.sep, "/")

    def stale(self, answered: Mapping[Path, Collection[str]], roots: Sequence[Path], held: int) -> int:
        """Return how many entries no longer occur, given that the run held `held` entries back.

        A run only judges the entries of the files that it checked, for the rules that ran in them, and of deleted files below its
        `roots`.
        """
        silent = {self.name(path): rules for path, rules in answered.items()}
        total = 0
        for name, entries in self.files.items():
            if name in silent or (self.covers(roots, name) and not (self.home / name).exists()):
                total += sum(count for mark, count in entries if mark.rule not in silent.get(name, ()))
        return total - held

    def covers(self, roots: Sequence[Path], name: str) -> bool:
        """Whether a file of the baseline is one of the given paths, or below one."""
        path = os.path.abspath(self.home / name)
        return any(path == root or path.startswith(root.rstrip(os.sep) + os.sep) for root in map(os.path.abspath, roots))

    def renewed(
        self, found: Mapping[Path, Sequence[Print]], answered: Mapping[Path, Collection[str]], roots: Sequence[Path]
    ) -> Baseline:
        """Return a baseline of what a run found. Entries that the run does not judge, as in `stale`, are kept."""
        silent = {self.name(path): rules for path, rules in answered.items()}
        new = {self.name(path): marks for path, marks in found.items()}
        files = {}
        for name in (*self.files, *(name for name in new if name not in self.files)):
            gone = name not in silent and self.covers(roots, name) and not (self.home / name).exists()
            kept = () if gone else self.files.get(name, ())
            counts = Counter({mark: count for mark, count in kept if name not in silent or mark.rule in silent[name]})
            counts.update(each for each in new.get(name, ()) if name in silent and each.rule != ALWAYS_ON)
            if counts:
                files[name] = tuple(sorted(counts.items()))
        return Baseline(self.home, files)

    @property
    def size(self) -> int:
        return sum(count for entries in self.files.values() for _, count in entries)


def read_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises BaselineError, with one line that says what is wrong and where."""
    import json

    shown = _shown(path)
    try:
        document = json.loads(regular(path, LARGEST).decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise BaselineError(f"{shown}: there is no such baseline; `--write-baseline {shown}` creates it") from error
    except OSError as error:
        raise BaselineError(f"{shown}: cannot be read: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BaselineError(f"{shown}: not a baseline: not valid JSON at {where}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{shown}: not a baseline: not valid JSON: {error}") from error
    if not isinstance(document, dict) or "version" not in document:
        raise BaselineError(f"{shown}: not a baseline: it must be an object with the keys `version` and `findings`")
    if document["version"] != VERSION or isinstance(document["version"], bool):
        version = json.dumps(document["version"])[:40]
        raise BaselineError(f"{shown}: the baseline has version {version}, but this gradlint reads version {VERSION}")
    if not isinstance(document.get("findings"), list):
        raise BaselineError(f"{shown}: `findings` must be a list")
    files: dict[str, Counter[Print]] = {}
    for number, entry in enumerate(document["findings"], 1):
        name, mark, count = _entry(shown, number, entry)
        files.setdefault(name, Counter())[mark] += count
    return Baseline(_home(path), {name: tuple(sorted(counts.items())) for name, counts in files.items()})


def _entry(shown: str, number: int, entry: Any) -> tuple[str, Print, int]:
    if not isinstance(entry, dict):
        raise BaselineError(f"{shown}: finding {number} must be an object")
    for key in ("path", "rule", "scope", "text"):
        if not isinstance(entry.get(key), str):
            raise BaselineError(f"{shown}: finding {number}: `{key}` must be a string")
    count = entry.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise BaselineError(f"{shown}: finding {number}: `count` must be a positive number")
    return entry["path"], Print(entry["rule"], entry["scope"], entry["text"]), count


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline in one step. It replaces an old baseline, but never another file. Raises BaselineError."""
    from gradlint.files.write import write_atomically

    fresh = False
    try:
        if not path.exists():
            path.open("xb").close()
            fresh = True
        write_atomically(path, "".join(f"{line}\n" for line in _lines(baseline)).encode())
    except OSError as error:
        if fresh:
            path.unlink(missing_ok=True)
        raise BaselineError(f"{_shown(path)}: cannot be written: {error.strerror or error}") from error


def to_renew(path: Path) -> Baseline:
    """Return the old content of a baseline to write, which is empty if the file is missing or empty.

    Raises BaselineError if the file is something else, which must not be overwritten.
    """
    try:
        if not path.exists() or (path.is_file() and path.stat().st_size == 0):
            return Baseline(_home(path))
    except (OSError, ValueError) as error:
        raise BaselineError(f"{_shown(path)}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
    try:
        return read_baseline(path)
    except BaselineError as error:
        raise BaselineError(f"{error}; gradlint does not overwrite it: name another file, or remove this one") from error


def _shown(path: Path) -> str:
    """Return a path as messages show it: relative if it is below the current folder."""
    return os.path.relpath(path) if os.path.abspath(path).startswith(os.getcwd() + os.sep) else str(path)


def _home(path: Path) -> Path:
    return Path(os.path.abspath(path)).parent


def _lines(baseline: Baseline) -> Iterator[str]:
    import json

    rows = [
        {"path": name, "rule": mark.rule, "scope": mark.scope, "text": mark.text, **({"count": count} if count > 1 else {})}
        for name, entries in sorted(baseline.files.items())
        for mark, count in sorted(entries)
    ]
    yield "{"
    yield f'  "version": {VERSION},'
    yield '  "findings": ['
    yield from (f"    {json.dumps(row)}{'' if row is rows[-1] else ','}" for row in rows)
    yield "  ]"
    yield "}"
