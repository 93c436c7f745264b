"""GRD203 zero-grad-inside-window; the page is rules/GRD203.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.edits import Move
from gradlint.finding import Finding, Fix
from gradlint.model.anchors import Withheld, piece
from gradlint.model.types import Cadence, Engine, Event, Kind, TrainingLoop
from gradlint.repair import Outcome, into_update, withheld
from gradlint.rule import rule


@rule("GRD203", "zero-grad-inside-window", "Gradients are zeroed more often than the optimizer steps")
def zero_grad_inside_window(loop: TrainingLoop) -> Iterator[Finding]:
    for zero in loop.all(Kind.ZERO_GRAD):
        update = loop.update_for(zero)
        if update is None or update.through == "deepspeed" or (loop.steps is not None and loop.steps.value == 1):
            continue
        wiped = _wipes_engine_window(zero, loop)
        if not wiped and zero.cadence is not Cadence.PER_MICRO_BATCH:
            continue
        if loop.engine is Engine.ACCELERATE and update.boundary is None:
            fix, note = _behind_engine_step(zero, update, loop)
        else:
            fix, note = into_update(zero, update, loop, "Zero the gradients once per update, after the step")
        yield Finding(
            at=zero.node,
            message=f"`{zero.source}` runs on every micro-batch, `{update.source}` once every {loop.n}: "
            "only the last micro-batch of the window counts",
            related=((update.node, "the accumulated gradients are used here"),),
            fix=fix,
            note=note,
        )


def _behind_engine_step(zero: Event, update: Event, loop: TrainingLoop) -> Outcome:
    """Behind a prepared optimizer's step, where its zero_grad does nothing until the window is complete."""
    unit = piece(zero, loop)
    if isinstance(unit, Withheld):
        return withheld(unit.reason)
    if zero.target is None or update.statement is None or update.suite is not zero.suite or update.frame is not zero.frame:
        return withheld("move it behind the optimizer's step, and let the optimizer zero the gradients")
    return Fix("Zero the gradients after the step", (Move(unit, update.statement, after=True),)), None


def _wipes_engine_window(zero: Event, loop: TrainingLoop) -> bool:
    """A prepared optimizer's zero_grad before backward inside `accumulate()` acts at the boundary, where it wipes the window."""
    if loop.engine is not Engine.ACCELERATE or zero.cadence is not Cadence.PER_UPDATE or zero.boundary is not None:
        return False
    backward = loop.first(Kind.BACKWARD)
    if backward is None or zero.index > backward.index:
        return False
    blocks = [g for g in backward.path if g.kind == "with"]
    return any(g is each for g in zero.path for each in blocks)
