"""GRD205 missing-zero-grad; the page is rules/GRD205.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.zero_by_trace import zero_after_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD205",
    "missing-zero-grad",
    "Gradients are never zeroed, so every step applies all gradients so far",
    promise=changing(What.ZERO),
)
def missing_zero_grad(scene: Scene) -> Finding:
    fix, note = zero_after_step(scene)
    message = f"{brief(scene.place)} steps, but nothing zeroes the gradients"
    reason = "each step applies the sum of all gradients so far"
    return Finding(scene.place, message, reason, ((scene.view.backwards[0].node, "gradients are added up here"),), fix, note)
