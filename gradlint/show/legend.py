"""The meanings of the marks, in words that both drawings share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradlint.show.grid import Mark, Part, Timeline

NOTHING_WRONG = "Nothing wrong was found on this timeline."
MEANINGS = {
    Mark.HAPPENS: "happens",
    Mark.MAYBE: "happens if its own condition holds",
    Mark.WRONG: "happens, and is wrong",
    Mark.MISSING: "should happen, and does not",
    Mark.UNKNOWN: "not known",
    Mark.NOTHING: "does not happen",
    Mark.GAP: "more of the same",
}
"""Every mark, in the order of the legend."""
AFTER = "after the fix"
"""The heading of the second grid."""


def heading(timeline: Timeline) -> str:
    """Return the heading of the first grid."""
    return f"{'before the fix' if timeline.better is not None else 'as written'}, {timeline.steps}"


def used(timelines: Sequence[Timeline]) -> list[tuple[Mark, str]]:
    """Return the marks that these timelines contain, with their meanings."""
    marks = frozenset(mark for each in timelines for mark in each.marks)
    return [(mark, meaning) for mark, meaning in MEANINGS.items() if mark in marks]


def sentences(timelines: Sequence[Timeline]) -> Iterator[str]:
    """Yield how to read the columns and rows."""
    parts = {column.part for each in timelines for column in each.grid.columns}
    yield "One column for each micro-batch, one row for each call, in their order."
    if Part.FIRST in parts:
        yield "A window is the N micro-batches that share one optimizer step."
    if Part.TAIL in parts:
        yield "The tail is what is left of the data when no full window fits."
    if parts & {Part.BEFORE, Part.AFTER}:
        yield "pre: before the pass over the data; end: after it."
