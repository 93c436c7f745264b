"""What a reporter gets: findings as plain data, the text they are about, and how the run went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gradlint.diagnostic import Diagnostic, LoopVerdict
from gradlint.report import paths


@dataclass(frozen=True)
class Report:
    """Everything that a report may contain.

    `diagnostics` are in the order of their files, and sorted within each file. `texts` holds the text that their rows and columns
    refer to, by file name and, in a notebook, cell number (None in a script). `notebooks` holds the whole text of each notebook,
    for formats whose readers only know lines of files.

    `applied` are the findings that were fixed, and `advice` is what to know after that. `failures` are the files on which
    gradlint itself failed, each with the reason. `unchecked` means that some or all files could not be checked, so that a report
    without findings is not good news.

    `files` is the number of checked files, `loops` holds the verdict on each training loop in them, and `rules` the codes and
    names of the rules that ran, if the format lists them.

    `unsafe` and `fixing` are options. `show_fixes` lists what was applied before the summary, and `quiet` leaves out both.
    `links` adds links to the rules' pages, for a terminal that supports them, and `columns` is the width of a terminal. Machine
    formats name files relative to `root`, and some name the `version` of gradlint.
    """

    diagnostics: tuple[Diagnostic, ...] = ()
    texts: Mapping[tuple[str, int | None], str] = field(default_factory=dict)
    notebooks: Mapping[str, str] = field(default_factory=dict)
    applied: tuple[Diagnostic, ...] = ()
    advice: tuple[str, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    unchecked: bool = False
    files: int = 0
    loops: tuple[LoopVerdict, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    unsafe: bool = False
    fixing: bool = False
    quiet: bool = False
    show_fixes: bool = False
    links: bool = False
    columns: int | None = None
    root: Path = Path()
    version: str = ""

    def path(self, filename: str) -> str:
        """Return a file name for machine formats: relative to the root with forward slashes, or absolute if it is outside."""
        return paths.relative(filename, self.root) or paths.absolute(filename)

    def line(self, diagnostic: Diagnostic, row: int) -> int:
        """Return the line of the file for a row of a finding: in a notebook, the line of its JSON, or 1 if that is unknown."""
        return row if diagnostic.cell is None else self.notebook_line(diagnostic.filename, diagnostic.cell, row)

    def notebook_line(self, filename: str, cell: int, row: int) -> int:
        """Return the line of a notebook's JSON for a row of a cell, or 1 if it is unknown."""
        lines = self._notebook_lines.get(filename, {}).get(cell, ())
        return lines[row - 1] if 0 < row <= len(lines) else 1

    @cached_property
    def _notebook_lines(self) -> Mapping[str, Mapping[int, Sequence[int]]]:
        from gradlint.report.cells import source_lines

        return {name: source_lines(text) for name, text in self.notebooks.items()}
