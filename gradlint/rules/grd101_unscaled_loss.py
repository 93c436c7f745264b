"""GRD101 unscaled-loss; the page is rules/GRD101.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.loss_by_trace import divide_backpropagated
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief

_ADAPTIVE = frozenset({"Adam", "AdamW", "NAdam", "RAdam", "Adamax"})


@trace_rule(
    "GRD101",
    "unscaled-loss",
    "The loss of an accumulating loop is not divided by the accumulation steps",
    promise=changing(factors=True),
    afterwards="the loss is now divided by the accumulation steps: with SGD, steps are N times shorter, so retune the learning rate",
)
def unscaled_loss(scene: Scene) -> Finding:
    fix, note = divide_backpropagated(scene)
    steps = brief(scene.steps_here) if scene.steps_here else scene.n
    harm = _harm(scene.view.optimizer.built_by)
    reason = f"assuming a mean loss, {scene.there} uses the sum of the window's gradients, not their mean; {harm}"
    return Finding(
        scene.place,
        f"The loss is not divided by {steps} before `backward()`",
        reason,
        ((scene.step.node, "the accumulated gradients are used here"),),
        fix,
        note,
    )


def _harm(built_by: str) -> str:
    """The effect of the factor N with this optimizer, as measured on the rule's page."""
    if built_by in _ADAPTIVE:
        return f"{built_by} cancels most of the factor, but clipping and an L2 term do not"
    return "with SGD, each step is N times as long"
