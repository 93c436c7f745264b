"""What a reporter is given: findings as plain data, the text they are about, and how the run went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gradlint.diagnostic import Diagnostic, LoopVerdict
from gradlint.report import paths


@dataclass(frozen=True)
class Report:
    """Everything that a report may tell.

    `diagnostics` are in the order of their files and sorted in each. `texts` has the text that their rows and columns count in, by file
    name and, in a notebook, the number of the cell (None in a script); `notebooks` has the whole of each notebook, for those formats
    whose readers only know lines of files. `applied` are the findings that were fixed, `advice` what to know after that, `failures` the
    files on which gradlint itself failed, each with why; `unchecked` says that a file or all of them could not be checked, so that
    nothing found is no good news. `files` is how many were checked, `loops` has the verdict on each training loop in them, with its
    file, and `rules` the codes and names of the rules that ran, if the format lists them. `unsafe` and `fixing` are the options,
    `show_fixes` lists what was applied before the summary, `quiet` leaves both out, `links` puts links to the rules' pages into text
    for a terminal that follows them, and `columns` is how wide a terminal is. Machine formats name files relative to `root`, and some
    the `version` of gradlint.
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
        """A file as machine formats name it: relative to the root with forward slashes, absolute where it lies elsewhere."""
        return paths.relative(filename, self.root) or paths.absolute(filename)

    def line(self, diagnostic: Diagnostic, row: int) -> int:
        """The line of the file that a row of a finding stands in: in a notebook that of its JSON, or 1 if that is not known."""
        return row if diagnostic.cell is None else self.notebook_line(diagnostic.filename, diagnostic.cell, row)

    def notebook_line(self, filename: str, cell: int, row: int) -> int:
        """The line of a notebook's JSON that a row of a cell is in, or 1 if that is not known."""
        lines = self._notebook_lines.get(filename, {}).get(cell, ())
        return lines[row - 1] if 0 < row <= len(lines) else 1

    @cached_property
    def _notebook_lines(self) -> Mapping[str, Mapping[int, Sequence[int]]]:
        from gradlint.report.cells import source_lines

        return {name: source_lines(text) for name, text in self.notebooks.items()}
