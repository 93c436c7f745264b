"""Sorts the edits of a fix by the files that they change, and writes each file's part as changes of its text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import libcst as cst

from gradlint.analysis.source import Problem, Source
from gradlint.analysis.text_changes import Change, Unrenderable, apply, render
from gradlint.diagnostic import FileEdits, Place, Span, TextEdit
from gradlint.edits import AddImport, Cut, Delete, Edit, Enclose, Insert, Move, Replace, Wrap
from gradlint.model.names.vocabulary import UNTAUGHT

Sourced = Callable[[cst.CSTNode], tuple[str, Source] | None]
"""Returns the path and the text of the other file that a node is in."""


@dataclass(frozen=True, eq=False)
class Part:
    """What a fix changes in one other file, at `path`."""

    path: str
    source: Source
    changes: tuple[Change, ...]

    @property
    def text(self) -> str:
        """The text of the file with the fix."""
        return apply(self.source.text, self.changes)

    @property
    def edits(self) -> FileEdits:
        """The same as plain data."""
        return FileEdits(self.path, text_edits(self.source, self.changes))


@dataclass(frozen=True, eq=False)
class Rendered:
    """The changes of a fix: those in the file of its finding, and the parts in other files, by path."""

    changes: tuple[Change, ...]
    elsewhere: tuple[Part, ...] = field(default=())


def render_all(edits: Sequence[Edit], source: Source, other: Sourced) -> Rendered:
    """Return the changes that carry out a fix. Raises Unrenderable if an edit cannot be written safely in its file."""
    own: list[Edit] = []
    parts: dict[str, tuple[Source, list[Edit]]] = {}
    for edit, home in _homes(edits, source, other):
        (own if home is None else parts.setdefault(home[0], (home[1], []))[1]).append(edit)
    elsewhere = tuple(Part(path, *_rendered(mine, theirs)) for path, (theirs, mine) in sorted(parts.items()))
    return Rendered(render(tuple(own), source), elsewhere)


def text_edits(source: Source, changes: Sequence[Change]) -> tuple[TextEdit, ...]:
    """Return changes of a text by rows and columns."""
    return tuple(TextEdit(place_of(source, each.start, each.end), each.content) for each in changes)


def place_of(source: Source, start: int, end: int) -> Span:
    """Return the span between two offsets."""
    return Span(Place(*source.row_column(start)), Place(*source.row_column(end)))


def _rendered(edits: Sequence[Edit], source: Source) -> tuple[Source, tuple[Change, ...]]:
    """The changes of another file. Only the needed part of it was parsed, which may lack the imports."""
    plain = [each for each in edits if not isinstance(each, AddImport)]
    imports = [each for each in edits if isinstance(each, AddImport)]
    whole = source.whole(UNTAUGHT) if imports else source
    if isinstance(whole, Problem):
        raise Unrenderable("the imports of the other file cannot be read")
    return source, tuple(sorted((*render(tuple(plain), source), *render(tuple(imports), whole))))


def _homes(edits: Sequence[Edit], source: Source, other: Sourced) -> Iterator[tuple[Edit, tuple[str, Source] | None]]:
    """Each edit with the other file that it changes, or with None if it changes the file of the finding."""
    places = [_anchor(each) for each in edits]
    first = next((each for each in places if each is not None), None)
    for edit, place in zip(edits, places, strict=True):
        first = place or first
        found = other(first) if first is not None and source.span(first) is None else None
        yield edit, found


def _anchor(edit: Edit) -> cst.CSTNode | None:
    """A node of the file that an edit changes. None if the edits around it decide."""
    if isinstance(edit, (Replace, Enclose)):
        return edit.node
    if isinstance(edit, Insert):
        return edit.anchor
    if isinstance(edit, (Move, Delete)):
        return edit.statement
    if isinstance(edit, Wrap):
        return edit.first
    if isinstance(edit, Cut):
        return edit.behind
    return None if isinstance(edit, AddImport) else edit.statement
