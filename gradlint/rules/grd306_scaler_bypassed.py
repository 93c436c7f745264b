"""GRD306 scaler-bypassed; the page is rules/GRD306.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, bare, withheld
from gradlint.model.names.records import Frame
from gradlint.model.syntax.expressions import bound_in_class, text
from gradlint.model.types import Event, Kind, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    if scene.event.scaled:
        message = f"{scene.here} divides the gradients by the scaler's factor, but the loss was never scaled: "
        message += "the update is at first 65536 times too small"
    else:
        message = f"{scene.here} applies gradients that still carry the GradScaler's factor, at first 65536 times too large"
    backward = scene.fault.other
    return Finding(scene.place, message, ((backward.node, "the loss is backpropagated here"),) if backward is not None else ())


@rule(
    "GRD306",
    "scaler-bypassed",
    "Scaled gradients meet a plain step, or plain gradients a scaler's step",
    promise=changing(What.STEP, What.SCALER_UPDATE),
    shown=_shown,
)
def scaler_bypassed(loop: TrainingLoop) -> Iterator[Finding]:
    backwards = [b for b in loop.all(Kind.BACKWARD) if b.through in (None, "scaler")]
    if len(backwards) != len(list(loop.all(Kind.BACKWARD))):
        return
    for step in loop.all(Kind.OPTIMIZER_STEP):
        feeding = [b for b in backwards if not exclusive(b.path, step.path) and b.index < step.index]
        if not feeding or not any(step is event for event in loop.update_of(step)) or step.through not in (None, "scaler"):
            continue
        scaled = [bool(b.scaled) for b in feeding]
        some = any(scaled) and not any(s.through == "scaler" for s in loop.all(Kind.OPTIMIZER_STEP))
        if step.through is None and (all(scaled) or some) and not _may_know(step, loop):
            fix, note = _through_scaler(step, feeding, loop)
            yield Finding(
                at=step.node,
                message=f"`{step.source}` applies gradients that still carry the GradScaler's factor, at first 65536 times too large",
                related=((feeding[0].node, "the loss is scaled here"),),
                fix=fix,
                note=note,
            )
        elif step.through == "scaler" and all(b.scaled is False for b in feeding) and all(b.through is None for b in feeding):
            fix, note = _scaled_loss(step, feeding, loop)
            yield Finding(
                at=step.node,
                message=f"`{step.source}` divides the gradients by the scaler's factor, but the loss was never scaled: "
                "the update is at first 65536 times too small",
                related=((feeding[0].node, "the loss is backpropagated unscaled here"),),
                fix=fix,
                note=note,
            )


def _may_know(step: Event, loop: TrainingLoop) -> bool:
    """Whether a plain step may meet gradients without the factor."""
    return _unscaled(step, loop) or _also_scaled(step, loop) or _stands_in(step, loop)


def _stands_in(step: Event, loop: TrainingLoop) -> bool:
    """The step is that of a class which scales as well: it takes a scaler's place, and its factor is its own affair."""
    function = step.frame.function if isinstance(step.frame, Frame) else None
    if function is None or function.node.name.value != "step" or loop.facts is None:
        return False
    classes = (each for each in loop.facts.tree.all(cst.ClassDef) if each.name.value == function.owner)
    return any("scale" in bound_in_class(each) for each in classes)


def _unscaled(step: Event, loop: TrainingLoop) -> bool:
    """Gradients that were unscaled by hand may be applied by the optimizer itself."""
    return any(
        event.kind is Kind.UNSCALE and event.index < step.index and not exclusive(event.path, step.path)
        for event in loop.update_of(step)
    )


def _also_scaled(step: Event, loop: TrainingLoop) -> bool:
    """Another step of the same optimizer goes through the scaler: the plain one is for something else."""
    return any(
        s.through == "scaler" and s.target == step.target and exclusive(s.path, step.path) for s in loop.all(Kind.OPTIMIZER_STEP)
    )


def _steps(loop: TrainingLoop) -> Iterator[Event]:
    return loop.all(Kind.OPTIMIZER_STEP)


def _through_scaler(step: Event, feeding: list[Event], loop: TrainingLoop) -> Outcome:
    """Through the scaler, and with the step those of the other optimizers beside it."""
    backward = feeding[0]
    if not all(each.scaled for each in feeding):
        return withheld("only some of the backward passes are scaled")
    if any(s.through == "scaler" and s.target == step.target and s.suite is step.suite for s in _steps(loop)):
        return withheld("the scaler steps the same optimizer beside it: remove the plain step")
    if backward.receiver is None or step.receiver is None or backward.frame is not step.frame or step.args:
        return withheld("the scaler has no name at the step")
    beside = [s for s in loop.all(Kind.OPTIMIZER_STEP) if s.through is None and s.suite is step.suite and s.frame is step.frame]
    edits = [
        Replace(each.node, f"{text(backward.receiver)}.step({text(each.receiver)})")
        for each in (beside or [step])
        if each.receiver is not None and not each.args
    ]
    return Fix("Step through the scaler", tuple(edits)), None


def _scaled_loss(step: Event, feeding: list[Event], loop: TrainingLoop) -> Outcome:
    if any(s.through is None and exclusive(s.path, step.path) for s in loop.all(Kind.OPTIMIZER_STEP)):
        return withheld("another arm steps without the scaler")
    # On the arm of the boundary test that does not step, gradients are added up as well.
    if (
        len(list(loop.all(Kind.BACKWARD))) != 1
        or step.receiver is None
        or feeding[0].loss is None
        or step.frame is not feeding[0].frame
    ):
        return withheld("several backward passes feed the step")
    backward, loss = feeding[0].node, feeding[0].loss
    if not isinstance(backward, cst.Call) or not isinstance(backward.func, cst.Attribute) or backward.func.value is not loss:
        return withheld("the loss is handed to the backward pass by a name of its own")
    scaled = f"{text(step.receiver)}.scale({bare(loss)}).{backward.func.attr.value}"
    return Fix("Scale the loss", (Replace(backward.func, scaled),)), None
