"""GRD303 clip-after-step; the page is rules/GRD303.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD303",
    "clip-after-step",
    "Gradients are clipped after the step that they should bound",
    promise=changing(What.CLIP),
)
def clip_after_step(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Clip before the step")
    message = f"{brief(scene.place)} clips after the step"
    reason = f"{scene.there} has already used the gradients as they were"
    return Finding(scene.place, message, reason, ((scene.step.node, "the step comes first"),), fix, note)
