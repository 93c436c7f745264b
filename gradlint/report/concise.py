"""One line a finding: `path:line:col: GRD401 [*] message`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gradlint.diagnostic import Diagnostic
from gradlint.report.lines import marker, one_line, where


def concise(diagnostics: Iterable[Diagnostic], *, unsafe: bool) -> Iterator[str]:
    """The lines of the format."""
    for each in diagnostics:
        start = each.span.start
        place = f"{where(each)}:{start.row}:{start.column}"
        yield f"{place}: {each.code} {marker(each, unsafe=unsafe)}{one_line(each.message)}"
