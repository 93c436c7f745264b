"""The Python interface: typed functions over sources and paths, whose results can be pickled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradlint.diagnostic import Diagnostic
from gradlint.discover import discover
from gradlint.engine import analyze
from gradlint.fixer import fix
from gradlint.registry import all_rules
from gradlint.runner import Job, Task, run
from gradlint.selection import Layer, Selection, choose
from gradlint.suppress import keep


@dataclass(frozen=True)
class FixedSource:
    """A repaired source, the findings whose fixes were applied to it in order, and what is left."""

    source: str
    applied: tuple[Diagnostic, ...]
    remaining: tuple[Diagnostic, ...]


class CheckFailed(RuntimeError):
    """gradlint itself failed on a file; the message names it."""


def check_source(
    source: str, filename: str = "<string>", *, select: Iterable[str] | None = None, ignore: Iterable[str] | None = None
) -> tuple[Diagnostic, ...]:
    """What gradlint finds in a source, sorted by place. Raises `gradlint.selection.UnknownRule` for an unknown selector."""
    return keep(source, analyze(source, filename, choose(all_rules(), select, ignore)))


def fix_source(
    source: str,
    filename: str = "<string>",
    *,
    unsafe_fixes: bool = False,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
) -> FixedSource:
    """Repair a source. Raises `gradlint.selection.UnknownRule` for an unknown selector."""
    rules = choose(all_rules(), select, ignore)
    outcome = fix(source, filename, rules, unsafe=unsafe_fixes, keep=keep)
    return FixedSource(outcome.text, outcome.applied, keep(outcome.text, analyze(outcome.text, filename, rules)))


def check_paths(
    paths: Sequence[str | Path],
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
    jobs: int | None = 1,
) -> tuple[Diagnostic, ...]:
    """What gradlint finds in files and folders. `.gitignore` is respected, configuration files are not read.

    Raises `UnknownRule` for an unknown selector, FileNotFoundError for a path that cannot be checked, and CheckFailed.
    """
    chosen = tuple(rule.code for rule in choose(all_rules(), select, ignore))
    task = Task(Selection((Layer(chosen),)))
    found = discover([Path(path) for path in paths])
    if found.problems:
        raise FileNotFoundError("; ".join(found.problems))
    diagnostics: list[Diagnostic] = []
    for result in run((Job(target.path, task, target.named) for target in found.targets), jobs):
        if result.crash is not None:
            raise CheckFailed(f"{result.path}: {result.crash}")
        diagnostics.extend(result.diagnostics)
    return tuple(diagnostics)
