"""GRD203 zero-grad-inside-window; the page is rules/GRD203.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Delete, Insert, Move
from gradlint.finding import Finding, Fix
from gradlint.fixes.by_trace import move_to_step
from gradlint.fixes.shared import Outcome, into_update, withheld
from gradlint.model.anchors import Anchor, Withheld, piece, place_for
from gradlint.model.bystanders import unsettled
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Cadence, Engine, Event, Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Zero the gradients once per update, after the step")
    message = f"{scene.here} runs before the last backward pass of each window of {scene.n}: "
    message += "the gradients that it clears reach no step"
    return Finding(scene.place, message, ((scene.step.node, "the accumulated gradients are used here"),), fix, note)


@rule(
    "GRD203",
    "zero-grad-inside-window",
    "Gradients are zeroed more often than the optimizer steps",
    promise=changing(What.ZERO),
    shown=_shown,
)
def zero_grad_inside_window(loop: TrainingLoop) -> Iterator[Finding]:
    for zero in loop.all(Kind.ZERO_GRAD) if not loop.grads_gathered else ():
        update = loop.update_for(zero)
        if update is None or update.through == "deepspeed" or (loop.steps is not None and loop.steps.value == 1):
            continue
        early = loop.wipes_window(zero)
        wiped = early or _wipes_engine_window(zero, loop)
        if not wiped and zero.cadence is not Cadence.PER_MICRO_BATCH:
            continue
        if early:
            fix, note = _behind_step(zero, update, loop)
        elif loop.engine is Engine.ACCELERATE and update.boundary is None:
            fix, note = _behind_engine_step(zero, update, loop)
        else:
            fix, note = into_update(zero, update, loop, "Zero the gradients once per update, after the step")
        when = f"before the last backward pass of each {loop.n}" if early else "on every micro-batch"
        pace = "" if early else f", `{update.source}` once every {loop.n}"
        yield Finding(
            at=zero.node,
            message=f"`{zero.source}` runs {when}{pace}: only the last micro-batch of the window counts",
            related=((update.node, "the accumulated gradients are used here"),),
            fix=fix,
            note=note,
        )


def _behind_step(zero: Event, update: Event, loop: TrainingLoop) -> Outcome:
    """Out of a condition of its own, which is the step's, into the block of the step."""
    unit, line = piece(zero, loop), zero.statement
    if line is None or not isinstance(unit, cst.If) or unit.body is not zero.suite:
        return withheld("the condition that it stands under holds more than the call")
    place = place_for(Kind.ZERO_GRAD, loop, update, zero)
    if isinstance(place, Withheld):
        return withheld(place.reason)
    commented = "#" in text(unit.with_changes(leading_lines=()))
    if zero.frame is not update.frame or commented or loop.tail:
        return withheld("move it behind the optimizer's step, with what belongs to it")
    reason = unsettled(zero, unit, place, loop)
    if reason is not None:
        return withheld(reason)
    new = Insert(place.statement, text(line), after=place.after)
    return Fix("Zero the gradients once per update, after the step", (new, Delete(unit))), None


def _behind_engine_step(zero: Event, update: Event, loop: TrainingLoop) -> Outcome:
    """Behind a prepared optimizer's step, where its zero_grad does nothing until the window is complete."""
    unit = piece(zero, loop)
    if isinstance(unit, Withheld):
        return withheld(unit.reason)
    if zero.target is None or update.statement is None or update.suite is not zero.suite or update.frame is not zero.frame:
        return withheld("move it behind the optimizer's step, and let the optimizer zero the gradients")
    reason = unsettled(zero, unit, Anchor(update.statement, after=True), loop)
    if reason is not None:
        return withheld(reason)
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
