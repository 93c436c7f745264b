"""GRD211 step-in-backward-hook; the page is rules/GRD211.md."""

from __future__ import annotations

from gradlint.finding import Finding, no_fix
from gradlint.rule import trace_rule
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief

_ONCE = no_fix("step in the loop at the boundary, or drop accumulation and do not divide the loss")


@trace_rule(
    "GRD211",
    "step-in-backward-hook",
    "A hook steps and zeroes in every backward pass: the loop accumulates nothing",
    promise=NOTHING,
)
def step_in_backward_hook(scene: Scene) -> Finding:
    message = f"{brief(scene.place)} steps and zeroes in every backward pass"
    reason = f"nothing is accumulated: each update has the gradient of one micro-batch, divided by {scene.n}"
    return Finding(scene.place, message, reason, ((scene.step.node, "the weights change here"),), note=_ONCE)
