"""What the model saw of a training loop in words, and the evidence for it: this is what a user reports."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.model.syntax.expressions import text as code
from gradlint.model.types import Boundary, Cadence, Engine, Event, Kind, Scale, TrainingLoop
from gradlint.show.reading import Reading


def words(loop: TrainingLoop, reading: Reading, answer: str) -> Iterator[str]:
    """A training loop: its events with cadence, N, boundary and phase, loss scale, and where each was read."""
    at = reading.at(loop.node)
    cell = f"cell {at.cell}:" if at.cell is not None else ""
    yield f"{reading.filename}:{cell}{at.line} training loop in {loop.function}"
    yield f"  verdict        {answer}"
    yield f"  accumulates    {_accumulates(loop)}"
    yield f"  N              {_steps(loop)}"
    if loop.boundary is not None:
        yield f"  boundary       {_boundary(loop.boundary, reading)}"
    yield f"  walks          {_walks(loop)}"
    if loop.engine is not Engine.NONE:
        yield f"  engine         {loop.engine.value}"
    for name, holds in (
        ("the gradients are rescaled before the step", loop.grads_rescaled),
        ("the learning rate is divided by N", loop.rate_divided),
        ("the optimizer steps once more after the loop", loop.flushed_after),
    ):
        if holds:
            yield f"  note           {name}"
    yield "  events"
    for event in loop.events:
        place = reading.at(event.node).words
        yield f"    {place:<10} {event.kind.value:<17} {event.cadence.value:<16} {event.source}{_more(event)}"


def _accumulates(loop: TrainingLoop) -> str:
    cadences = {event.cadence for event in loop.all(Kind.OPTIMIZER_STEP) if loop.holds(event)}
    if cadences == {Cadence.PER_UPDATE}:
        return "yes"
    if not cadences:
        return "unknown: no optimizer step was found"
    return "no" if cadences == {Cadence.PER_MICRO_BATCH} else "unknown: the optimizer's steps have several cadences"


def _steps(loop: TrainingLoop) -> str:
    if loop.steps is None:
        return "unknown"
    value = f" = {loop.steps.value}" if loop.steps.value is not None and str(loop.steps.value) != loop.steps.source else ""
    names = ", ".join(sorted(loop.steps.names - {loop.steps.source or ""}))
    return f"{loop.steps.source or 'has no name at the backward call'}{value}{f' (also {names})' if names else ''}"


def _boundary(boundary: Boundary, reading: Reading) -> str:
    parts = [f"`{code(boundary.test)}` at {reading.at(boundary.test).words}"]
    parts.append("holds on the boundary" if boundary.holds else "holds inside the window")
    parts.append(f"first on the {boundary.phase.value}" if boundary.phase.value != "unknown" else "phase unknown")
    if boundary.counter:
        restarts = {True: "restarts with each pass", False: "counts on over passes", None: "start unknown"}
        parts.append(f"counter `{boundary.counter}` {restarts[boundary.restarts]}")
    if boundary.flush:
        parts.append("flushes the tail")
    if boundary.dead_flush:
        parts.append("its flush fires on short passes only" if boundary.short_flush else "its flush can never fire")
    return "; ".join(parts)


def _walks(loop: TrainingLoop) -> str:
    if loop.walks.windowed:
        return "one window"
    kind = {True: "a finite loader", False: "an endless or step-bounded stream", None: "unknown"}[loop.walks.finite]
    return f"{kind}{f', len({loop.walks.length})' if loop.walks.finite and loop.walks.length else ''}"


def _more(event: Event) -> str:
    more = []
    if event.scale is not None:
        why = f" ({event.scale.why})" if event.scale.why and event.scale.scale is not Scale.DIVIDED else ""
        more.append(f"loss {event.scale.scale.value}{why}")
    if event.through:
        more.append(f"through {event.through}")
    if event.conditional:
        more.append("under a condition that varies")
    if event.boundary is not None:
        more.append(f"under `{code(event.boundary.test)}`")
    return f"   [{'; '.join(more)}]" if more else ""
