"""The verdicts of a run, each with the place of its loop in the file: in a notebook the lines of its JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gradlint.diagnostic import LoopVerdict
from gradlint.report.found import JudgedLoop
from gradlint.run.task import FileResult


def judged_loops(results: Sequence[FileResult], notebooks: Mapping[str, str]) -> Iterator[JudgedLoop]:
    """The loops of all files; `notebooks` has the text of those whose lines are wanted."""
    for result in results:
        if result.path not in notebooks:
            yield from (JudgedLoop(result.path, each, each.line, each.last_line, each.words) for each in result.loops)
        elif result.loops:
            yield from _in_cells(result.path, notebooks[result.path], result.loops)


def _in_cells(path: str, text: str, loops: Sequence[LoopVerdict]) -> Iterator[JudgedLoop]:
    from gradlint.files.notebook import NotANotebook, read_notebook
    from gradlint.report.cells import source_lines

    try:
        notebook = read_notebook(text)
    except NotANotebook:
        return
    lines = source_lines(text)

    def line(row: int) -> int:
        cell, own = notebook.place(row)
        known = lines.get(cell, ())
        return known[own - 1] if 0 < own <= len(known) else 1

    for each in loops:
        cell, row = notebook.place(each.reason_line or 1)
        first = line(each.line)
        yield JudgedLoop(path, each, first, max(first, line(each.last_line)), each.told(f"cell {cell}, line {row}"))
