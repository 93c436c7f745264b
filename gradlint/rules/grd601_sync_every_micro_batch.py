"""GRD601 sync-every-micro-batch; the page is rules/GRD601.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.no_sync_by_trace import hold_back
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD601",
    "sync-every-micro-batch",
    "Data-parallel gradients are reduced on every micro-batch instead of once per window",
    severity=Severity.WARNING,
    promise=changing(synchronisation=True),
)
def sync_every_micro_batch(scene: Scene) -> Finding:
    fix, note = hold_back(scene)
    message = f"{brief(scene.place)} synchronises gradients on every micro-batch"
    reason = f"it reduces them over all processes, but {scene.there} runs once every {scene.n}: N - 1 of N reductions are wasted"
    return Finding(scene.place, message, reason, ((scene.step.node, "only this step needs the reduced gradients"),), fix, note)
