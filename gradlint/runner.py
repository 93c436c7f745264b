"""Runs the engine over files: a worker takes a path and gives diagnostics and new bytes, in process or in a pool."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from gradlint.decode import Undecodable, decode
from gradlint.diagnostic import Diagnostic, Place, Severity, Span
from gradlint.prefilter import worth_reading
from gradlint.suppress import keep

POOL_FROM = 64
"""Candidate files from which a process pool pays for its start."""


@dataclass(frozen=True)
class Task:
    """What to do with every file; picklable."""

    codes: tuple[str, ...]
    fix: bool = False
    unsafe: bool = False


@dataclass(frozen=True)
class FileResult:
    """What came of one file; `before` and `after` are set where a fix was applied, `crash` where gradlint itself failed."""

    path: str
    diagnostics: tuple[Diagnostic, ...] = ()
    applied: tuple[Diagnostic, ...] = ()
    before: bytes | None = None
    after: bytes | None = None
    text: str = ""
    crash: str | None = None


def run(
    files: Sequence[Path], task: Task, jobs: int | None = None, *, named: frozenset[Path] = frozenset()
) -> Iterator[FileResult]:
    """Check (or fix in memory) every file; results come in the order of the files.

    Files found in folders are parsed only where their bytes can hold a finding; those in `named` always.
    """
    candidates = [(str(path), data) for path, data in _read(files, named)]
    work = partial(_guarded, task=task)
    if jobs == 1 or len(candidates) < POOL_FROM:
        yield from map(work, candidates)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(work, candidates, chunksize=max(1, min(16, len(candidates) // 32)))


def _read(files: Sequence[Path], named: frozenset[Path]) -> Iterator[tuple[Path, bytes | str]]:
    """Content of the files that can hold a finding, or why a file could not be read."""
    for path in files:
        try:
            data = path.read_bytes()
        except OSError as error:
            yield path, error.strerror or str(error)
            continue
        if path in named or worth_reading(data):
            yield path, data


def _guarded(item: tuple[str, bytes | str], task: Task) -> FileResult:
    name, data = item
    if isinstance(data, str):
        return FileResult(name, (_unreadable(name, 1, f"the file cannot be read: {data}"),))
    try:
        return process(name, data, task)
    except Exception:
        last = traceback.format_exc(limit=-3).strip()
        return FileResult(name, crash=last)


def process(name: str, data: bytes, task: Task) -> FileResult:
    """Check one file's bytes, and fix them where the task says so."""
    decoded = decode(data)
    if isinstance(decoded, Undecodable):
        return FileResult(name, (_unreadable(name, decoded.row, decoded.message),))
    from gradlint.engine import analyze
    from gradlint.registry import all_rules

    rules: list[Any] = [rule for rule in all_rules() if rule.code in task.codes]
    text = decoded.text
    applied: tuple[Diagnostic, ...] = ()
    if task.fix:
        from gradlint.fixer import fix

        outcome = fix(text, name, rules, unsafe=task.unsafe, keep=keep)
        text, applied = outcome.text, outcome.applied
    remaining = keep(text, analyze(text, name, rules))
    result = FileResult(name, remaining, applied, text=text if remaining else "")
    if applied:
        return replace(result, before=data, after=decoded.encode(text))
    return result


def _unreadable(name: str, row: int, message: str) -> Diagnostic:
    place = Place(row, 1)
    return Diagnostic(name, Span(place, place), "GRD000", "syntax-error", message, Severity.ERROR)
