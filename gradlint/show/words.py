"""Describes in words what the run of a training loop does, and where. Users can quote this in a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.model.syntax.expressions import brief
from gradlint.show.grid import Mark, Timeline
from gradlint.show.labels import LABELS
from gradlint.show.lanes import Lane
from gradlint.show.loops import Loop
from gradlint.show.notes import ENGINES
from gradlint.show.reading import Reading
from gradlint.simulate.divided import State
from gradlint.simulate.trace import What

_MOST = 8
"""Limit on the number of updates to list."""


def words(loop: Loop, lanes: Sequence[Lane], timeline: Timeline, reading: Reading) -> Iterator[str]:
    """Describe a training loop: the verdict, N, the condition of the update, and its events with how often they run."""
    cell = f"cell {timeline.at.cell}:" if timeline.at.cell is not None else ""
    yield f"{reading.filename}:{cell}{timeline.at.line} training loop in {timeline.function}"
    yield f"  verdict        {timeline.answer}"
    if timeline.unknown is not None and timeline.unknown.help:
        yield f"  help           {timeline.unknown.help}"
    yield f"  accumulates    {_accumulates(loop, lanes)}"
    yield f"  N              {_steps(loop)}"
    divided = list(dict.fromkeys(_divided(loop, reading)))
    if divided:
        yield f"  loss           divided by {' and '.join(divided)}"
    for test in boundaries(loop):
        yield f"  boundary       `{brief(test)}` at {reading.at(test).words}"
    yield "  events"
    steps = {lane.marks for lane in lanes if lane.kind == LABELS[What.STEP]}
    wide = max((len(lane.label) for lane in lanes), default=0)
    for lane in lanes:
        for node in sorted(lane.nodes, key=reading.at):
            yield f"    {reading.at(node).words:<10} {lane.label:<{wide}}   {often(lane, steps):<16} {brief(node)}"


def _accumulates(loop: Loop, lanes: Sequence[Lane]) -> str:
    if not loop.views:
        return "unknown: no optimizer step was found"
    doubt = next((view.doubt for view in loop.views if view.doubt), "")
    if doubt:
        return f"unknown: {doubt}"
    if loop.size < 2:
        return "no"
    return f"yes: run with N = {loop.size}, it updates after micro-batch {updates(loop, lanes)}"


def updates(loop: Loop, lanes: Sequence[Lane]) -> str:
    """Return the micro-batches after which a loop updates the weights, and how many there are: `3, 6, 8 of 8`."""
    steps = [lane.marks for lane in lanes if lane.kind == LABELS[What.STEP]]
    places = [str(place) for place, marks in enumerate(zip(*steps, strict=True)) if set(marks) != {Mark.NOTHING}]
    last = loop.passes[0].length
    shown = [place for place in places if 0 < int(place) <= last][:_MOST]
    return f"{', '.join(shown)} of {last}"


def _steps(loop: Loop) -> str:
    if loop.steps:
        actual = loop.trace.actual_n
        known = loop.steps + (f" = {actual}" if actual and str(actual) != loop.steps else "")
        stated = loop.simulation.main.asked.stated.get(loop.steps)
        return known if stated is None else f"{known} ({stated.place})"
    return str(loop.size) if loop.size in loop.trace.literals else "unknown"


def _divided(loop: Loop, reading: Reading) -> Iterator[str]:
    """Yield what divides the loss of a window by N, and where: the text, or an engine."""
    for _, event in (each for part in loop.passes[:1] for each in part.events):
        states = loop.states.get(id(event.node), set())
        if event.what is not What.BACKWARD or states.isdisjoint((State.DIVIDED, State.TWICE)):
            continue
        if event.through in ENGINES and isinstance(event.node, cst.Call):
            yield f"`{brief(event.node.func)}`, {ENGINES[event.through].page}"
        for _, factor in event.terms:
            known = [node for node in factor.divisors if reading.source.span(node) is not None]
            yield from (f"`{brief(_bare(node))}` at {reading.at(node).words}" for node in known if node is not event.node)


def _bare(node: cst.CSTNode) -> cst.CSTNode:
    """Return an expression without the parentheses around it."""
    return node.with_changes(lpar=(), rpar=()) if isinstance(node, cst.BaseExpression) else node


def boundaries(loop: Loop) -> Iterator[cst.CSTNode]:
    """Yield the conditions under which the optimizers step, but which the backward passes do not depend on."""
    seen: set[int] = set()
    for view in loop.views:
        feeding = {id(node) for event in view.backwards for node, _, _ in event.path}
        for node, _, _ in (each for step in view.steps[:1] for each in step.path):
            test = getattr(node, "test", None)
            if id(node) not in feeding | seen and isinstance(test, cst.CSTNode):
                seen.add(id(node))
                yield test


def often(lane: Lane, steps: set[tuple[Mark, ...]]) -> str:
    """Return how often a row runs, compared with the micro-batches and the updates."""
    inner = lane.marks[1:-1]
    if all(mark is Mark.NOTHING for mark in inner):
        return "outside of it"
    if Mark.UNKNOWN in inner:
        return "unknown"
    if all(mark is not Mark.NOTHING for mark in inner):
        return "per micro-batch"
    return "per update" if any(inner == each[1:-1] for each in steps) else "now and then"
