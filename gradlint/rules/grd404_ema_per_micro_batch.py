"""GRD404 ema-per-micro-batch; the page is rules/GRD404.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD404",
    "ema-per-micro-batch",
    "Weight averages are updated more often than the weights",
    severity=Severity.WARNING,
    promise=changing(What.AVERAGE),
)
def ema_per_micro_batch(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Average once per update, after the step")
    message = f"{brief(scene.place)} updates the average more often than the weights change"
    reason = f"{scene.too_often}: the average forgets N times too fast"
    return Finding(scene.place, message, reason, ((scene.step.node, "the weights change here"),), fix, note)
