"""What is done with a file and what comes of it, as plain data that processes can send to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint.config.selection import Selection
from gradlint.config.settings import Names
from gradlint.diagnostic import Diagnostic, LoopVerdict
from gradlint.repository.context import NO_CONTEXT, Context

if TYPE_CHECKING:
    from gradlint.suppression.baseline import Entries
    from gradlint.suppression.prints import Print


@dataclass(frozen=True)
class Task:
    """What to do with a file; picklable. The selectors are known to name rules."""

    selection: Selection = field(default_factory=Selection)
    fix: bool = False
    unsafe: bool = False
    names: Names = field(default_factory=Names)
    baseline: Entries | None = None
    """What is accepted in this file; None where no baseline is in play, and nobody asks for the findings' prints."""
    annotate: str | None = None
    """Whether to write comments that silence what is found, and the reason that they give."""
    follow: bool = True
    """Whether the modules that a file imports, and those that lead to it, are read as well."""
    max_size: int | None = None
    """How much code of a file is parsed; None for what is usual."""


@dataclass(frozen=True)
class Job:
    """A file and what to do with it; a `named` file is read even where its bytes can hold no finding.

    `data` is the content of what is no file: it came over stdin.
    """

    path: Path
    task: Task
    named: bool = False
    data: bytes | None = None


@dataclass(frozen=True)
class FileResult:
    """What came of one file.

    `text` is what the diagnostics are about, in a notebook `cells` by their numbers; `before` and `after` are set where a
    fix was applied, `crash` where gradlint itself failed. `held` are the entries of the baseline that hold findings back,
    `prints` what everything is known by that was found, held back or not. `loops` has the verdict on each training loop.
    `context` is what that depends on beside the content of the file.
    """

    path: str
    diagnostics: tuple[Diagnostic, ...] = ()
    applied: tuple[Diagnostic, ...] = ()
    before: bytes | None = None
    after: bytes | None = None
    loops: tuple[LoopVerdict, ...] = ()
    text: str = ""
    cells: tuple[tuple[int, str], ...] = ()
    crash: str | None = None
    held: tuple[Print, ...] = ()
    prints: tuple[Print, ...] = ()
    context: Context = NO_CONTEXT
