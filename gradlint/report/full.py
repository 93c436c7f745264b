"""The `full` format: each finding with its source, the second place that explains it, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import click

from gradlint.diagnostic import Diagnostic, Severity, Span
from gradlint.report.lines import expand, marker, safe, width

_NEWLINE = re.compile(r"\r\n|\r|\n")
_LONGEST = 160


def full(diagnostics: Sequence[Diagnostic], text: str, *, unsafe: bool) -> Iterator[str]:
    """The lines of all findings in one file."""
    source = _NEWLINE.split(text)
    for each in diagnostics:
        yield from _finding(each, source, unsafe=unsafe)
        yield ""


def _finding(each: Diagnostic, source: Sequence[str], *, unsafe: bool) -> Iterator[str]:
    colour = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}[each.severity]
    star = click.style(marker(each, unsafe=unsafe), fg="cyan") if marker(each, unsafe=unsafe) else ""
    yield f"{click.style(each.code, fg=colour, bold=True)} {click.style(each.name, bold=True)} {star}{safe(each.message)}"
    rows = [each.span.start.row, *(r.span.start.row for r in each.related)]
    gutter = len(str(max(rows) + 1))
    yield _arrow(gutter, each.filename, each.span)
    yield from _excerpt(each.span, source, gutter, "", colour)
    for related in each.related:
        yield _arrow(gutter, each.filename, related.span, bar=True)
        yield from _excerpt(related.span, source, gutter, related.message, "blue")
    if each.fix is not None:
        kind = "" if each.fix.applicability.value == "safe" else " (unsafe)"
        yield f"{click.style('help', fg='cyan', bold=True)}: {safe(each.fix.message)}{kind}"
    if each.note:
        yield f"{click.style('note', fg='cyan', bold=True)}: {safe(each.note)}"


def _arrow(gutter: int, filename: str, span: Span, *, bar: bool = False) -> str:
    sign = "::: " if bar else "--> "
    return f"{' ' * gutter}{click.style(sign, fg='blue')}{safe(filename)}:{span.start.row}:{span.start.column}"


def _excerpt(span: Span, source: Sequence[str], gutter: int, label: str, colour: str) -> Iterator[str]:
    """The line of a place with one line around it, and carets under what is meant."""
    bar = click.style("|", fg="blue")
    yield f"{' ' * gutter} {bar}"
    first = max(1, span.start.row - 1)
    for row in range(first, min(len(source), span.start.row + 1) + 1):
        line = source[row - 1] if row <= len(source) else ""
        number = click.style(f"{row:>{gutter}}", fg="blue")
        yield f"{number} {bar} {_shown(line)}".rstrip()
        if row == span.start.row:
            start = width(expand(line[: span.start.column - 1]))
            stop = span.end.column - 1 if span.end.row == span.start.row else len(line)
            length = max(1, width(expand(line[:stop])) - start)
            if start < _LONGEST:
                carets = click.style("^" * min(length, _LONGEST - start), fg=colour, bold=True)
                yield f"{' ' * gutter} {bar} {' ' * start}{carets} {safe(label)}".rstrip()
    yield f"{' ' * gutter} {bar}"


def _shown(line: str) -> str:
    shown = safe(expand(line))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."
