"""GRD301 clip-inside-window; the page is rules/GRD301.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD301",
    "clip-inside-window",
    "Gradients are clipped before the window is complete",
    promise=changing(What.CLIP, What.UNSCALE),
)
def clip_inside_window(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Clip once per update, just before the step", along=(What.UNSCALE,))
    message = f"{brief(scene.place)} clips gradients before the window is complete"
    reason = f"{scene.too_often}: partial sums are clipped, and the micro-batches of a window weigh differently"
    return Finding(scene.place, message, reason, ((scene.step.node, "the accumulated gradients are used here"),), fix, note)
