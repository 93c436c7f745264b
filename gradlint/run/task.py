"""What to do with a file and the result of that, as plain data that processes can exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint.config.selection import Selection
from gradlint.config.settings import Names
from gradlint.diagnostic import Diagnostic, LoopVerdict
from gradlint.repository.context import NO_CONTEXT, Context

if TYPE_CHECKING:
    from gradlint.changes.lines import Lines
    from gradlint.suppression.baseline import Entries
    from gradlint.suppression.prints import Print


@dataclass(frozen=True)
class Task:
    """What to do with a file. It can be pickled, and all its selectors match rules."""

    selection: Selection = field(default_factory=Selection)
    fix: bool = False
    unsafe: bool = False
    names: Names = field(default_factory=Names)
    baseline: Entries | None = None
    """What is accepted in this file, or None if there is no baseline and nobody needs the findings' prints."""
    annotate: str | None = None
    """The reason to give in comments that silence the findings, or None to write no comments."""
    follow: bool = True
    """Whether to read the modules that the file imports, and those that lead to it."""
    max_size: int | None = None
    """How much code of a file is parsed. None means the default."""
    changed: Lines | None = None
    """The lines of the file that a change touches, if only its findings are reported."""


@dataclass(frozen=True)
class Job:
    """A file and what to do with it. A `named` file is checked even if its bytes cannot contain a finding.

    `data` is the content of stdin, and None for a file.
    """

    path: Path
    task: Task
    named: bool = False
    data: bytes | None = None


@dataclass(frozen=True)
class FileResult:
    """The result for one file.

    `text` is what the diagnostics are about. In a notebook, `cells` are the texts by cell number. `before` and `after` are set if
    a fix was applied, and `crash` if gradlint itself failed. `held` are the baseline entries that hold findings back, and
    `prints` identify all findings, held back or not. `outside` is how many findings the change does not reach. `loops` holds the
    verdict on each training loop. `context` is what the result depends on besides the content of the file. `together` are the
    real paths of the files that a fix changed along with this one: they are written all or none.
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
    outside: int = 0
    context: Context = NO_CONTEXT
    together: tuple[str, ...] = ()
