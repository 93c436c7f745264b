"""GRD305 scaler-update-inside-window; the page is rules/GRD305.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD305",
    "scaler-update-inside-window",
    "The scaler updates its factor inside a window",
    promise=changing(What.SCALER_UPDATE),
)
def scaler_update_inside_window(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Update the scaler once per update, after its step")
    message = f"{brief(scene.place)} adapts the scale inside a window"
    reason = f"{scene.too_often}: the factor can change inside a window, and gradients of different scale are added"
    return Finding(scene.place, message, reason, ((scene.step.node, "the scaler steps here"),), fix, note)
