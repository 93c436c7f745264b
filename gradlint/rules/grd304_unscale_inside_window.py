"""GRD304 unscale-inside-window; the page is rules/GRD304.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD304",
    "unscale-inside-window",
    "Gradients are unscaled before the window is complete",
    promise=changing(What.UNSCALE, What.CLIP),
)
def unscale_inside_window(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Unscale once per update, before clip and step", along=(What.CLIP,))
    message = f"{brief(scene.place)} unscales gradients before the window is complete"
    reason = f"{scene.too_often}: the second call in a window raises an error, or scaled and unscaled gradients mix"
    return Finding(scene.place, message, reason, ((scene.step.node, "the scaler steps here"),), fix, note)
