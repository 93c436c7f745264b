"""GRD403 scheduler-before-optimizer; the page is rules/GRD403.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_behind_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD403",
    "scheduler-before-optimizer",
    "The schedule advances before the weights do: its first rate is skipped",
    severity=Severity.WARNING,
    promise=changing(What.SCHEDULE),
)
def scheduler_before_optimizer(scene: Scene) -> Finding:
    fix, note = move_behind_step(scene, "Advance the schedule after the step")
    message = f"{brief(scene.place)} advances the schedule before the step"
    reason = f"it runs before {scene.there}, so the first value of the schedule is never used"
    return Finding(scene.place, message, reason, ((scene.step.node, "the weights change here"),), fix, note)
