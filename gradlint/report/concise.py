"""One line a finding: `path:line:col: GRD401 [*] message`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gradlint.diagnostic import Diagnostic
from gradlint.report.lines import marker, safe


def concise(diagnostics: Iterable[Diagnostic], *, unsafe: bool) -> Iterator[str]:
    """The lines of the format."""
    for each in diagnostics:
        start = each.span.start
        place = f"{each.filename}:{start.row}:{start.column}"
        yield safe(f"{place}: {each.code} {marker(each, unsafe=unsafe)}{each.message}")
