"""The `pylint` format, which many programs read: `path:line: [GRD101] message`."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.report.found import Report
from gradlint.report.lines import in_cell, named, one_line


def pylint(found: Report) -> Iterator[str]:
    """Yield one line per finding. In a notebook, it has the line of the file, and the message names the cell."""
    for each in found.diagnostics:
        line = found.line(each, each.span.start.row)
        yield f"{named(found.path(each.filename))}:{line}: [{each.code}] {in_cell(each)}{one_line(each.sentence)}"
