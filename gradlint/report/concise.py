"""The `concise` format, with one line per finding: `path:line:col: GRD401 [*] message`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from gradlint.diagnostic import Diagnostic
from gradlint.report.lines import marker, one_line, where
from gradlint.report.styles import coloured_code


def concise(diagnostics: Iterable[Diagnostic], *, unsafe: bool, links: bool = False) -> Iterator[str]:
    """Yield the lines of the report."""
    for each in diagnostics:
        start = each.span.start
        place = f"{click.style(where(each), bold=True)}:{start.row}:{start.column}"
        star = click.style(marker(each, unsafe=unsafe), fg="cyan")
        yield f"{place}: {coloured_code(each, links=links)} {star}{one_line(each.message)}"
