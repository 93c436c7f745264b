"""The `grouped` format: findings below the name of their file, with aligned places, each followed by its related places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import click

from gradlint.diagnostic import Diagnostic, Place
from gradlint.report.lines import marker, named, one_line
from gradlint.report.styles import coloured_code


def grouped(diagnostics: Iterable[Diagnostic], *, unsafe: bool, links: bool = False) -> Iterator[str]:
    """Yield the lines of the report, with a blank line after each file."""
    for filename, group in groupby(diagnostics, lambda each: each.filename):
        findings = tuple(group)
        yield f"{click.style(named(filename), underline=True)}:"
        width = max(len(place) for each in findings for place in _places(each))
        for each in findings:
            own, *others = _places(each)
            star = click.style(marker(each, unsafe=unsafe), fg="cyan")
            yield f"  {own:<{width}}  {coloured_code(each, links=links)} {star}{one_line(each.message)}"
            for place, related in zip(others, each.related, strict=True):
                yield f"  {click.style(f'{place:<{width}}', fg='blue')}    {one_line(related.message)}"
            if each.note:
                yield f"  {' ' * width}    {click.style('note', fg='cyan')}: {one_line(each.note)}"
        yield ""


def _places(diagnostic: Diagnostic) -> Sequence[str]:
    """Return the places of a finding and of what explains it, as they are shown."""
    cell = f"cell {diagnostic.cell}:" if diagnostic.cell is not None else ""
    places: Iterable[Place] = (diagnostic.span.start, *(each.span.start for each in diagnostic.related))
    return [f"{cell}{place.row}:{place.column}" for place in places]
