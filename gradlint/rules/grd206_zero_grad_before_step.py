"""GRD206 zero-grad-before-step; the page is rules/GRD206.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_behind_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD206",
    "zero-grad-before-step",
    "Gradients are zeroed between the backward pass and the step, so the step sees none",
    promise=changing(What.ZERO),
)
def zero_grad_before_step(scene: Scene) -> Finding:
    fix, note = move_behind_step(scene, "Zero the gradients after the step")
    message = f"{brief(scene.place)} clears the gradients before the step"
    reason = f"{scene.there} finds none, so the weights do not change"
    return Finding(scene.place, message, reason, ((scene.step.node, "the step comes after"),), fix, note)
