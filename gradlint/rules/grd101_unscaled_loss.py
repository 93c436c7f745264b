"""GRD101 unscaled-loss; the page is rules/GRD101.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.by_trace import divide_backpropagated
from gradlint.fixes.shared import Outcome, accelerator_of, divide, divide_loss, withheld
from gradlint.model.bystanders import named
from gradlint.model.mismatch import another_count
from gradlint.model.syntax.expressions import dotted, last_name, text
from gradlint.model.types import Engine, Event, Guard, Kind, Scale, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene

_ADAPTIVE = frozenset({"Adam", "AdamW", "NAdam", "RAdam", "Adamax"})
_DIVIDING_ENGINES = ("deepspeed", "wrapper", "optimizer", "function")


def _shown(scene: Scene) -> Finding:
    fix, note = divide_backpropagated(scene)
    message = f"The loss is not divided by {scene.n} before {scene.here}: "
    message += f"the gradient at {scene.there} is the sum over the window, not its mean"
    return Finding(scene.place, message, ((scene.step.node, "the accumulated gradients are used here"),), fix, note)


@rule(
    "GRD101",
    "unscaled-loss",
    "The loss of an accumulating loop is not divided by the accumulation steps",
    promise=changing(factors=True),
    shown=_shown,
)
def unscaled_loss(loop: TrainingLoop) -> Iterator[Finding]:
    if (
        loop.steps is None
        or not loop.steps.names
        or loop.steps.value == 1
        or loop.steps_vary
        or loop.grads_rescaled
        or loop.rate_divided
    ):
        return
    if any(map(loop.wipes_window, loop.all(Kind.ZERO_GRAD))):
        return  # the step sees one micro-batch only, whose mean it is
    for backward in loop.all(Kind.BACKWARD):
        update = loop.update_for(backward)
        if update is None or update.through == "deepspeed" or _engine_divides(backward, loop):
            continue
        scale = backward.scale
        if scale is None or not (scale.scale is Scale.UNDIVIDED or (scale.scale is Scale.PARTLY and scale.why == "paths")):
            continue
        if any(another_count(division, loop.steps, loop.words) for division in scale.divisions):
            continue  # it is divided, and by what is said to be wrong
        fix, note = _divide(backward, loop) if scale.scale is Scale.UNDIVIDED else withheld("one path divides already")
        share = "on every path " if scale.scale is Scale.PARTLY else ""
        yield Finding(
            at=backward.node,
            message=f"The loss is not divided by {loop.n} {share}before `{backward.source}`: "
            f"the gradient at `{update.source}` is the sum over the window, not its mean{_harm(update)}",
            related=((update.node, "the accumulated gradients are used here"),),
            fix=fix,
            note=note,
        )


def _harm(update: Event) -> str:
    """What the factor N does with this optimizer, as measured on the page."""
    if update.details.built_by == "SGD":
        return "; with SGD each step is N times as long"
    if update.details.built_by in _ADAPTIVE:
        return f"; {update.details.built_by} divides most of the factor away, clipping and an L2 term do not"
    return ""


def _engine_divides(backward: Event, loop: TrainingLoop) -> bool:
    if backward.through in _DIVIDING_ENGINES:
        return True
    if backward.through == "accelerator":
        return loop.engine_steps is None or loop.engine_steps.value != 1
    return False


def _divide(backward: Event, loop: TrainingLoop) -> Outcome:
    loss = backward.loss
    if loss is None:
        return withheld("the loss is not an expression here")
    other = next((each for each in loop.all(Kind.BACKWARD) if _stays_behind(each, backward, loop)), None)
    if other is not None:
        return withheld(f"{named(other.node, loop)} is the other arm, whose loss is not known to be divided then")
    name = accelerator_of(loop)
    if loop.engine is Engine.ACCELERATE and backward.through is None and name is not None:
        return Fix(f"Let `{name}.backward()` divide the loss", (Replace(backward.node, f"{name}.backward({text(loss)})"),)), None
    if loop.steps is None or loop.steps.source is None:
        return withheld("N has no name at this call")
    if loop.steps_may_be_absent:
        return withheld(f"`{loop.steps.source}` may be 0 or None here, as the test of it says")
    for guard in backward.path:
        if guard.kind == "with" and isinstance(guard.test, cst.Call) and last_name(guard.test.func) == "scale_loss":
            if not _gives(guard, loss):
                return withheld("what is backpropagated is not the loss that the block scales")
            loss = guard.test.args[0].value
            return Fix(f"Divide the loss by `{loop.steps.source}`", (divide(loss, loop.steps.source),)), None
    return Fix(f"Divide the loss by `{loop.steps.source}`", (divide_loss(backward, loss, loop.steps.source),)), None


def _stays_behind(other: Event, backward: Event, loop: TrainingLoop) -> bool:
    """Another arm backpropagates a loss that nothing divides, and that no fix is offered for."""
    if not exclusive(other.path, backward.path) or loop.engine_divides(other) or other.scale is None:
        return False
    if _engine_divides(other, loop):
        return other.scale.scale is not Scale.DIVIDED
    return other.scale.scale in (Scale.UNKNOWN, Scale.PARTLY)


def _gives(guard: Guard, loss: cst.BaseExpression) -> bool:
    """Whether the name under which a `with` block has what it entered is the loss."""
    items = guard.node.items if isinstance(guard.node, cst.With) else ()
    named = (item.asname.name for item in items if item.item is guard.test and item.asname is not None)
    return any(isinstance(each, cst.Name) and dotted(loss) == each.value for each in named)
