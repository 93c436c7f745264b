"""Draws a loop as one run showed it, with the rules that accuse its calls. There is no fixed text to compare it with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import libcst as cst

from gradlint.show.findings import BESIDE
from gradlint.show.grid import Grid, Mark, Timeline, Verdict
from gradlint.show.lanes import Lane, lanes_of
from gradlint.show.loops import Loop
from gradlint.show.reading import Reading
from gradlint.show.timeline import columns_of, row_of, steps_of


@dataclass(frozen=True, eq=False)
class Accusation:
    """A rule, the kind and the node of the call that it accuses, and the node where it is reported.

    What `shifts` a window happens as often as it should, so its marks are not wrong one by one.
    """

    code: str
    name: str
    kind: str
    node: cst.CSTNode
    at: cst.CSTNode
    shifts: bool = False


def as_run(loop: Loop, found: Sequence[Accusation], reading: Reading) -> Timeline:
    """Draw a loop. A row is wrong wherever it runs if a rule accuses it."""
    lanes = [_accused(each, found) for each in lanes_of(loop, frozenset())]
    length = max((len(lane.marks) for lane in lanes), default=2)
    columns, used = columns_of(loop, loop.size, length, lanes)
    rows = tuple(row_of(each, used, reading) for each in lanes)
    drawn = {code for row in rows for code in row.codes}
    node = loop.node if loop.node is not None else loop.trace.events[0].node
    verdicts = tuple(Verdict(each.code, each.name, reading.at(each.at), each.code in drawn) for each in found)
    return Timeline(
        reading.filename,
        reading.at(node),
        reading.function(node),
        steps_of(loop, loop.size),
        Grid(columns, rows),
        verdicts=verdicts,
    )


def _accused(lane: Lane, found: Sequence[Accusation]) -> Lane:
    own = [
        each
        for each in found
        if each.code not in BESIDE and each.kind == lane.kind and any(each.node is node for node in lane.nodes)
    ]
    if not own:
        return lane
    wrong = not all(each.shifts for each in own)
    marks = tuple(Mark.WRONG if wrong and mark is Mark.HAPPENS else mark for mark in lane.marks)
    return replace(lane, codes=tuple(sorted({each.code for each in own})), marks=marks)
