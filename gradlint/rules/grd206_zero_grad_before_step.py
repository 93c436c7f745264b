"""GRD206 zero-grad-before-step; the page is rules/GRD206.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.edits import Move
from gradlint.finding import Finding, Fix
from gradlint.fixes.by_trace import move_to_step
from gradlint.fixes.shared import Outcome, together, withheld
from gradlint.model.anchors import Withheld, beside, own_condition, piece
from gradlint.model.bystanders import unsettled
from gradlint.model.syntax.expressions import root_name, text
from gradlint.model.types import Event, Kind, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Zero the gradients after the step")
    message = f"{scene.here} wipes the gradients before {scene.there} uses them: the weights do not change"
    return Finding(scene.place, message, ((scene.step.node, "the step comes after"),), fix, note)


@rule(
    "GRD206",
    "zero-grad-before-step",
    "Gradients are zeroed between the backward pass and the step, which then sees none",
    promise=changing(What.ZERO),
    shown=_shown,
)
def zero_grad_before_step(loop: TrainingLoop) -> Iterator[Finding]:
    backwards = list(loop.all(Kind.BACKWARD))
    for zero in loop.all(Kind.ZERO_GRAD) if loop.shows_backward else ():
        update = loop.update_of(zero)
        steps = [event for event in update if event.kind is Kind.OPTIMIZER_STEP]
        step = next((s for s in steps if s.index > zero.index and _wipes(zero, s, loop)), None)
        if step is None or not any(zero is event for event in update):
            continue
        before = [b for b in backwards if b.index < zero.index and not exclusive(b.path, step.path)]
        between = [b for b in backwards if zero.index < b.index < step.index]
        used = any(before[-1].index < s.index < zero.index for s in steps) if before else True
        if not before or between or used:
            continue
        fix, note = _after(zero, step, loop)
        yield Finding(
            at=zero.node,
            message=f"`{zero.source}` wipes the gradients before `{step.source}` uses them: the weights do not change",
            related=((step.node, "the step comes after"),),
            fix=fix,
            note=note,
        )


def _wipes(zero: Event, step: Event, loop: TrainingLoop) -> bool:
    """Same pace, same optimizer, and the zeroing has surely run when the step does."""
    if zero.cadence is not step.cadence or exclusive(zero.path, step.path):
        return False
    if zero.target is not None and step.target is not None and zero.target != step.target:
        return False
    # `model.zero_grad()` may be for another copy of the weights than the optimizer's.
    stepped = step.args[0].value if step.through == "scaler" and step.args else step.receiver
    same = zero.receiver is not None and stepped is not None and text(zero.receiver) == text(stepped)
    if (
        zero.target is None
        and not same
        and (step.details.built_for is None or zero.receiver is None or root_name(zero.receiver) != step.details.built_for)
    ):
        return False
    arms = {(g.group, g.arm) for g in step.path}
    return step.through != "deepspeed" and all(g.kind != "branch" or (g.group, g.arm) in arms for g in zero.path)


def _after(zero: Event, step: Event, loop: TrainingLoop) -> Outcome:
    unit = piece(zero, loop)
    if isinstance(unit, Withheld):
        return withheld(unit.reason)
    if own_condition(zero, unit, loop, step):
        return withheld("it stands under a condition of its own")
    place = beside(zero, loop)
    if isinstance(place, Withheld):
        return withheld(place.reason)
    units = together(zero, unit, step, loop)
    reason = next((why for each in units if (why := unsettled(zero, each, place, loop)) is not None), None)
    if reason is not None:
        return withheld(reason)
    moves = tuple(Move(each, place.statement, place.after) for each in units)
    return Fix("Zero the gradients after the step", moves), None
