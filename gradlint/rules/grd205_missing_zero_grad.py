"""GRD205 missing-zero-grad; the page is rules/GRD205.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Insert
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, for_each_optimizer, into_tail, unsafe, withheld
from gradlint.model.anchors import Anchor, Withheld, after_step, place_for
from gradlint.model.bystanders import looks_at_gradients, named
from gradlint.model.types import Cadence, Engine, Event, Kind, TrainingFile, TrainingLoop
from gradlint.rule import file_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What

_ELSEWHERE = frozenset(
    ("zero_grad zero_grads clear_grads clear_gradients reset_grad step_and_zero optimizer_step _foreach_zero_").split()
)


def _shown(scene: Scene) -> Finding:
    message = f"{scene.here} steps, but no gradient is ever set to zero: each step applies the sum of all gradients so far"
    return Finding(scene.place, message, ((scene.view.backwards[0].node, "gradients are added up here"),))


@file_rule(
    "GRD205",
    "missing-zero-grad",
    "Gradients are never set to zero, so that every step applies all gradients so far",
    promise=changing(What.ZERO),
    shown=_shown,
)
def missing_zero_grad(file: TrainingFile) -> Iterator[Finding]:
    for loop in file.loops if file.facts is not None else ():
        step = next((s for s in loop.all(Kind.OPTIMIZER_STEP) if loop.holds(s)), None)
        if step is None or loop.guard is None or loop.first(Kind.ZERO_GRAD) is not None or loop.engine is Engine.DEEPSPEED:
            continue
        # An optimizer of another file may zero on its own; one that is handed around may be zeroed there.
        if (
            step.through not in (None, "scaler")
            or _takes_closure(step)
            or not step.details.torch_built
            or step.details.handed_around
            or not loop.shows_backward
            or step.details.steps_anew
            or _left_at_once(loop)
            or step.details.zeroed_out_of_sight
        ):
            continue
        if step.cadence not in (Cadence.PER_MICRO_BATCH, Cadence.PER_UPDATE):
            continue
        if file.facts is not None and file.facts.called_beside(loop.function) & _ELSEWHERE:
            continue
        fix, note = _zero(step, loop)
        yield Finding(
            at=step.node,
            message=f"`{step.source}` steps, but no gradient is ever set to zero: each step applies the sum of all gradients so far",
            related=((loop.all(Kind.BACKWARD).__next__().node, "gradients are added up here"),),
            fix=fix,
            note=note,
        )


def _left_at_once(loop: TrainingLoop) -> bool:
    """The body ends with `break`: there is but one iteration."""
    body = getattr(loop.node.body, "body", ()) if isinstance(loop.node, (cst.For, cst.While)) else ()
    last = body[-1] if body else None
    return isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], (cst.Break, cst.Return))


def _takes_closure(step: Event) -> bool:
    return bool(step.args) and step.through is None


def _zero(step: Event, loop: TrainingLoop) -> Outcome:
    """After the last step of the update, for each optimizer that steps in it."""
    update = [s for s in loop.update_of(step) if s.kind is Kind.OPTIMIZER_STEP]
    steps = [s for s in update if s.frame is step.frame and s.cadence is step.cadence]
    node = step.receiver if step.through is None else (step.args[0].value if step.args else None)
    if not isinstance(node, cst.BaseExpression) or step.statement is None:
        return withheld("the optimizer has no name here")
    if step.cadence is Cadence.PER_UPDATE:
        place = place_for(Kind.ZERO_GRAD, loop, step)
        if isinstance(place, Withheld):
            return withheld(place.reason)
        line = for_each_optimizer(steps, loop.all(Kind.BACKWARD).__next__(), "{}.zero_grad()")
        copies = into_tail(Kind.ZERO_GRAD, line, loop, step)
        if isinstance(copies, Withheld):
            return withheld(copies.reason)
        return _unless_read(Fix(_CURE, (Insert(place.statement, line, after=place.after), *copies)), place, loop)
    place = after_step(step, loop)
    if isinstance(place, Withheld):
        return withheld(place.reason)
    line = for_each_optimizer(steps, loop.all(Kind.BACKWARD).__next__(), "{}.zero_grad()")
    return _unless_read(Fix(_CURE, (Insert(place.statement, line, after=place.after),)), place, loop)


_CURE = "Zero the gradients after the step"


def _unless_read(fix: Fix, place: Anchor, loop: TrainingLoop) -> Outcome:
    """Behind the step the gradients would be gone for what still looks at them."""
    reader = looks_at_gradients(place, loop)
    return (fix, None) if reader is None else unsafe(fix, f"{named(reader, loop)} looks at the gradients after the step")
