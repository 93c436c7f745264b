"""What the run of a training loop does in words, and where: this is what a user reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.show.grid import Mark, Timeline
from gradlint.show.labels import LABELS
from gradlint.show.lanes import Lane
from gradlint.show.loops import Loop
from gradlint.show.reading import Reading, brief
from gradlint.simulate.trace import What

_MOST = 8
"""Updates at the most that are listed."""


def words(loop: Loop, lanes: Sequence[Lane], timeline: Timeline, reading: Reading) -> Iterator[str]:
    """A training loop: the answer, N, the condition of the update, and its events with how often they run."""
    cell = f"cell {timeline.at.cell}:" if timeline.at.cell is not None else ""
    yield f"{reading.filename}:{cell}{timeline.at.line} training loop in {timeline.function}"
    yield f"  verdict        {timeline.answer}"
    yield f"  accumulates    {_accumulates(loop, lanes)}"
    yield f"  N              {_steps(loop)}"
    for test in _boundaries(loop):
        yield f"  boundary       `{brief(test)}` at {reading.at(test).words}"
    yield "  events"
    steps = {lane.marks for lane in lanes if lane.kind == LABELS[What.STEP]}
    wide = max((len(lane.label) for lane in lanes), default=0)
    for lane in lanes:
        for node in sorted(lane.nodes, key=reading.at):
            yield f"    {reading.at(node).words:<10} {lane.label:<{wide}}   {_often(lane, steps):<16} {brief(node)}"


def _accumulates(loop: Loop, lanes: Sequence[Lane]) -> str:
    if not loop.views:
        return "unknown: no optimizer step was found"
    doubt = next((view.doubt for view in loop.views if view.doubt), "")
    if doubt:
        return f"unknown: {doubt}"
    if loop.size < 2:
        return "no"
    updates = [lane.marks for lane in lanes if lane.kind == LABELS[What.STEP]]
    places = [str(place) for place, marks in enumerate(zip(*updates, strict=True)) if set(marks) != {Mark.NOTHING}]
    last = loop.passes[0].length
    shown = [place for place in places if 0 < int(place) <= last][:_MOST]
    return f"yes: run with N = {loop.size}, it updates after micro-batch {', '.join(shown)} of {last}"


def _steps(loop: Loop) -> str:
    if loop.steps:
        actual = loop.trace.actual_n
        return loop.steps + (f" = {actual}" if actual and str(actual) != loop.steps else "")
    return str(loop.size) if loop.size in loop.trace.literals else "unknown"


def _boundaries(loop: Loop) -> Iterator[cst.CSTNode]:
    """The conditions under which the optimizers step, and that the backward passes do not stand under."""
    seen: set[int] = set()
    for view in loop.views:
        feeding = {id(node) for event in view.backwards for node, _, _ in event.path}
        for node, _, _ in (each for step in view.steps[:1] for each in step.path):
            test = getattr(node, "test", None)
            if id(node) not in feeding | seen and isinstance(test, cst.CSTNode):
                seen.add(id(node))
                yield test


def _often(lane: Lane, steps: set[tuple[Mark, ...]]) -> str:
    """How often a row runs, held against the micro-batches and the updates."""
    inner = lane.marks[1:-1]
    if all(mark is Mark.NOTHING for mark in inner):
        return "outside of it"
    if Mark.UNKNOWN in inner:
        return "unknown"
    if all(mark is not Mark.NOTHING for mark in inner):
        return "per micro-batch"
    return "per update" if any(inner == each[1:-1] for each in steps) else "now and then"
