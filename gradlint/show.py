"""`gradlint show`: what the model saw, and the evidence for it."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.model.build import build
from gradlint.model.syntax import text as code
from gradlint.model.types import Boundary, Engine, Event, Scale, TrainingLoop
from gradlint.slices import Problem, Source, read


def show(text: str, filename: str) -> str:
    """Every training loop of a source: its events with cadence, N, boundary and phase, loss scale, and where each was read."""
    source = read(text)
    if isinstance(source, Problem):
        return f"{filename}:{source.row}:{source.column}: {source.message}"
    loops = build(source.statements).loops
    if not loops:
        return f"{filename}: no backward pass was found, so there is no training loop to show"
    return "\n\n".join("\n".join(_loop(loop, source, filename)) for loop in loops)


def _loop(loop: TrainingLoop, source: Source, filename: str) -> Iterator[str]:
    yield f"{filename}:{_row(source, loop.node)} training loop in {loop.function}"
    yield f"  accumulates    {_accumulates(loop)}"
    yield f"  N              {_steps(loop)}"
    if loop.boundary is not None:
        yield f"  boundary       {_boundary(loop.boundary, source)}"
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
        yield f"    line {_row(source, event.node):<5} {event.kind.value:<17} {event.cadence.value:<16} {event.source}{_more(event)}"


def _accumulates(loop: TrainingLoop) -> str:
    from gradlint.model.types import Cadence, Kind

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


def _boundary(boundary: Boundary, source: Source) -> str:
    parts = [f"`{code(boundary.test)}` at line {_row(source, boundary.test)}"]
    parts.append("holds on the boundary" if boundary.holds else "holds inside the window")
    parts.append(f"first on the {boundary.phase.value}" if boundary.phase.value != "unknown" else "phase unknown")
    if boundary.counter:
        restarts = {True: "restarts with each pass", False: "counts on over passes", None: "start unknown"}
        parts.append(f"counter `{boundary.counter}` {restarts[boundary.restarts]}")
    if boundary.flush:
        parts.append("flushes the tail")
    if boundary.dead_flush:
        parts.append("its flush can never fire")
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


def _row(source: Source, node: object) -> int:
    span = source.span(node)  # type: ignore[arg-type]
    return source.row_column(span[0])[0] if span is not None else 0
